internal import TokenFormats

// Finds the refresh token in a response that is not a plain success.
extension ResponseReader {
    /// The refresh tokens of a body in which no value could be believed as a whole, by the
    /// profile's own selector; the last one is the newest (K1).
    func salvaged(_ response: ReadableResponse) -> [Secret] {
        guard let tolerant = response.tolerant, tolerant.problem != .html,
            let selector = exchange.response.refreshToken
        else { return [] }
        return tolerant.values.flatMap { value -> [Secret] in
            let part = response.on(value.node)
            let access = exchange.response.accessToken
                .flatMap { part.select($0, root: exchange.response.root)?.text }
            let last = storableToken(part.select(selector, root: exchange.response.root))
            return (replaced(in: value) + [last].compactMap { $0 }).filter { token in
                isOwnRefreshToken || access?.hasSameBytes(as: token.reveal()) != true
            }
        }
    }

    /// A server may have rotated the token before a later step failed: the new token then comes
    /// with the error. Some servers put words, a mask or the sent token in that field; these do not
    /// count, and the caller removes tokens that are spent.
    private static let wordsInPlaceOfTokens = [
        "expired", "invalid", "revoked", "unknown", "used", "missing", "required", "redacted",
        "masked", "hidden", "string", "none", "null", "undefined", "true", "false", "error",
    ]

    func offeredRefreshToken(_ response: ReadableResponse) -> Secret? {
        let specification = exchange.response
        guard spendsGrant, response.raw.status / 100 != 3,
            let selector = specification.refreshToken,
            let token = storableToken(response.select(selector, root: specification.root))
        else { return nil }
        let text = token.reveal()
        let access = specification.accessToken.flatMap {
            response.select($0, root: specification.root)?.text
        }
        let isMasked = ["...", "xxxx", "XXXX"].contains { text.containsBytes(of: $0) }
        let isAccess = access?.hasSameBytes(as: text) == true && !isOwnRefreshToken
        guard text.isBase64Token, !Self.wordsInPlaceOfTokens.containsText(text.asciiLowercased),
            !isMasked, !isAccess
        else { return nil }
        return token
    }

    /// Refresh tokens that occurred earlier than the used one under the same key.
    func replacedRefreshTokens(
        _ response: ReadableResponse, by token: Secret?
    ) -> [Secret] {
        guard let token, let values = response.tolerant?.values else { return [] }
        return values.flatMap(replaced).filter { $0 != token }
    }

    private func replaced(in value: ForgivenJSON) -> [Secret] {
        let names = (exchange.response.refreshToken?.parts ?? []).compactMap { part in
            if case .pointer(let pointer) = part { pointer.tokens.last } else { nil }
        }
        return value.replaced.filter { names.containsText($0.key) }
            .compactMap { storableToken($0.value) }
    }
}

extension String {
    /// RFC 6750 section 2.1, `b64token`.
    var isBase64Token: Bool {
        let body = utf8.reversed().drop { $0 == UInt8(ascii: "=") }
        return !body.isEmpty
            && body.allSatisfy { byte in
                isDigit(byte) || (byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7A)
                    || "-._~+/".utf8.contains(byte)
            }
    }
}
