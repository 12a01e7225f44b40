package import TokenFormats

/// The authorization response in the browser's redirect (RFC 6749 section 4.1.2, RFC 9207).
package struct AuthorizationResponse: Sendable, Equatable {
    package enum Outcome: Sendable, Equatable {
        case code(Secret)
        /// The registered error code; `nil` for any other, because its text is attacker-controlled.
        case refused(String?)
    }
    package var outcome: Outcome
    package var state: Secret?
    /// The issuer that the response names (RFC 9207 section 2).
    package var issuer: String?

    private init(_ outcome: Outcome) { self.outcome = outcome }

    /// - Parameter query: The part after `?`, still encoded.
    /// - Returns: `nil` when a parameter occurs twice (RFC 6749 section 3.1) or cannot be decoded,
    ///   or when there is neither a code nor an error.
    package init?(query: some StringProtocol) {
        var values: [ByteText: String] = [:]
        for pair in Substring(query).utf8.split(separator: UInt8(ascii: "&")) {
            let sides = pair.split(
                separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            guard let decoded = formDecoded(Substring(sides[0])),
                let value = formDecoded(sides.count > 1 ? Substring(sides[1]) : "")
            else { return nil }
            let name = ByteText(decoded)
            guard Self.names.contains(name) else { continue }
            guard values.updateValue(value, forKey: name) == nil else { return nil }
        }
        if let error = values["error"] {
            outcome = .refused(Self.knownErrors.contains(ByteText(error)) ? error : nil)
        } else if let code = values["code"], !code.isEmpty {
            outcome = .code(Secret(code))
        } else {
            return nil
        }
        state = values["state"].map(Secret.init)
        issuer = values["iss"]
    }

    /// Reads what a user pasted: the address that the browser ended at, or only the code.
    ///
    /// - Returns: `nil` for an address without an authorization response, or empty text.
    package init?(pasted text: String) {
        let text = Self.trimmed(text)
        // RFC 6749 appendix A.11: a code may contain a space.
        guard !text.isEmpty, text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else { return nil }
        guard Self.isAddress(text) else {
            self.init(.code(Secret(text)))
            return
        }
        guard let mark = text.firstIndex(of: "?"), !text.contains(" ") else { return nil }
        self.init(query: text[text.index(after: mark)...].prefix { $0 != "#" })
    }

    /// The redirect URI of a pasted address; `nil` for a bare code.
    package static func redirectURI(ofPasted text: String) -> String? {
        let text = trimmed(text)
        return isAddress(text) ? String(text.prefix { $0 != "?" && $0 != "#" }) : nil
    }

    private static func isAddress(_ text: String) -> Bool { text.contains("://") }

    private static func trimmed(_ text: String) -> String {
        let isSpace = { (character: Character) in character.isWhitespace }
        let tail = text.drop(while: isSpace).reversed().drop(while: isSpace)
        return String(tail.reversed())
    }

    private static let names: Set<ByteText> = ["code", "error", "state", "iss"]

    /// RFC 6749 section 4.1.2.1, OpenID Connect Core section 3.1.2.6.
    private static let knownErrors: Set<ByteText> = [
        "invalid_request", "unauthorized_client", "access_denied", "unsupported_response_type",
        "invalid_scope", "server_error", "temporarily_unavailable", "interaction_required",
        "login_required", "account_selection_required", "consent_required",
        "invalid_request_uri", "invalid_request_object", "request_not_supported",
        "request_uri_not_supported", "registration_not_supported",
    ]

    /// Whether the response belongs to the request with this state; compares in constant time.
    package func answers(state: Secret) -> Bool {
        self.state.map { isSameSecret($0.reveal(), state.reveal()) } ?? false
    }

    /// What is wrong with the response's issuer (RFC 9207 section 2.4), or `nil`.
    ///
    /// - Parameters:
    ///   - expected: The issuer of the server's metadata, if it has any.
    ///   - isRequired: The server's metadata say that it always sends its issuer.
    package func issuerProblem(expected: String?, isRequired: Bool) -> String? {
        guard let expected else { return nil }
        guard let issuer else {
            return isRequired ? "the answer does not say which server it comes from" : nil
        }
        return issuer.hasSameBytes(as: expected)
            ? nil : "the answer comes from another server than was asked"
    }
}
