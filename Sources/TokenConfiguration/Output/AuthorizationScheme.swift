internal import TokenFormats
internal import TokenProviders

/// The scheme before a token in an Authorization header (RFC 9110 section 11.4).
package enum AuthorizationScheme {
    private static let bearer = "Bearer"
    /// Longer than any registered scheme, and short enough for servers' header limits.
    private static let longest = 32

    /// The `token_type` of a response, which says how to use the token (RFC 6749 section 7.1), as a
    /// scheme.
    ///
    /// Its case does not matter (RFC 6749 section 5.1), but API servers compare `Bearer` as RFC
    /// 6750 writes it. The result is also `Bearer` without a type, for placeholders (`N_A`, RFC
    /// 8693 section 2.2.1; `BearerToken`, as Apigee sends), and for a type that a header cannot
    /// carry: a blank or a line end would be read as something else.
    static func of(tokenType: String?) -> String {
        guard let type = tokenType?.trimmedOfSpace, 1...longest ~= type.utf8.count,
            type.utf8.allSatisfy(isTokenByte)
        else { return bearer }
        let known = ["bearer", "bearertoken", "n_a"]
        let isBearer = known.contains { type.asciiLowercased.hasSameBytes(as: $0) }
        return isBearer ? bearer : String(type)
    }

    /// `Authorization: SCHEME TOKEN`.
    package static func header(_ token: String, tokenType: String?) -> String {
        "Authorization: \(of(tokenType: tokenType)) \(token)"
    }

    /// `tchar` of RFC 9110 section 5.6.2.
    private static func isTokenByte(_ byte: UInt8) -> Bool {
        isDigit(byte) || 0x61...0x7A ~= byte | 0x20 || "!#$%&'*+-.^_`|~".utf8.contains(byte)
    }
}

extension PublishedToken {
    /// The whole header without its line end.
    package var authorizationHeader: String {
        AuthorizationScheme.header(access.token.reveal(), tokenType: access.tokenType)
    }
}
