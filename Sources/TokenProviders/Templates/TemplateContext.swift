package import TokenFormats

/// Values that differ for each request: read once, so that a signature and the header that it
/// covers have the same value.
package struct RequestNonce: Sendable, Equatable {
    /// RFC 9562 version 4, lower case.
    package var uuid: String
    /// 64 random characters of `A-Za-z0-9`; `random(n)` takes the first n.
    package var random: String
    package var now: WallTime

    package init(uuid: String, random: String, now: WallTime) {
        (self.uuid, self.random, self.now) = (uuid, random, now)
    }
}

extension RequestNonce {
    /// - Parameters:
    ///   - random: Returns `count` unpredictable bytes; called once.
    ///   - now: The present time, for timestamps in requests.
    package init(random: (_ count: Int) -> [UInt8], now: WallTime) {
        let bytes = random(16 + 64)
        // RFC 9562 section 5.4.
        var id = Array(bytes.prefix(16))
        id[6] = id[6] & 0x0F | 0x40
        id[8] = id[8] & 0x3F | 0x80
        let text = Array(hexadecimal(id))
        let groups = [0..<8, 8..<12, 12..<16, 16..<20, 20..<32].map { String(text[$0]) }
        // 62 characters for 256 byte values: some are slightly likelier, which is acceptable in a
        // nonce.
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")
        let letters = bytes.dropFirst(16).map { alphabet[Int($0) % alphabet.count] }
        self.init(uuid: groups.joined(separator: "-"), random: String(letters), now: now)
    }
}

/// The values a template can name.
package struct TemplateContext: Sendable {
    package var values: [String: JSONNode]
    package var nonce: RequestNonce
    /// Set when the request is only displayed.
    package var mask: RequestMask?
    /// By variable name: the condition under which a value from a response may form a URL's host.
    var hostRules: [String: HostRule] = [:]

    package init(values: [String: JSONNode] = [:], nonce: RequestNonce) {
        (self.values, self.nonce) = (values, nonce)
    }

    package mutating func set(_ variable: ContextVariable, _ text: String?) {
        values[variable.rawValue] = text.map { .string($0) }
    }

    /// Adds the results of earlier steps as `steps.ID.NAME`.
    package mutating func set(_ steps: [StepResult], of exchanges: [TokenExchange]) {
        for step in steps {
            let kept = exchanges.first { $0.id == step.id }?.response.keep ?? []
            for value in step.values {
                let name = "steps.\(step.id).\(value.key)"
                values[name] = value.value
                // Checked with the present pattern: the value may be older than the profile.
                let isChecked = kept.contains { part in
                    part.name == value.key && part.selector.isAnchored
                        && part.selector.lets(value.value.canonicalText ?? "")
                }
                hostRules[name] = isChecked ? .checked : .sameSite(as: step.host)
            }
        }
    }
}

/// Where a host that comes out of an answer may lie: without this a forged answer could name the
/// host that receives the client's secret (ProfileRules 4).
enum HostRule: Sendable, Equatable {
    /// It matched the profile's own anchored pattern.
    case checked
    /// It has the same registrable domain as the host that sent the response.
    case sameSite(as: String)
}

/// The variables that the daemon sets itself, by their names in RFC 6749 and RFC 8414.
package enum ContextVariable: String, Sendable, CaseIterable {
    case clientID = "client_id"
    case clientSecret = "client_secret"
    case refreshToken = "refresh_token"
    case accessToken = "access_token"
    case scope
    case code
    case deviceCode = "device_code"
    case redirectURI = "redirect_uri"
    case codeVerifier = "code_verifier"
    case tokenType = "token_type"
    case expiresAt = "expires_at"
    /// The request's own URL without its query.
    case tokenEndpoint = "token_endpoint"
}
