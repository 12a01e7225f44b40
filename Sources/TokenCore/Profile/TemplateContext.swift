/// What changes from one request to the next: read once, so that a signature and the header it
/// signs see the same value.
public struct RequestNonce: Sendable, Equatable {
    /// RFC 9562 version 4, lower case.
    public var uuid: String
    /// 64 random characters of `A-Za-z0-9`; `random(n)` takes the first n.
    public var random: String
    public var now: WallTime

    public init(uuid: String, random: String, now: WallTime) {
        (self.uuid, self.random, self.now) = (uuid, random, now)
    }
}

/// The values a template can name.
public struct TemplateContext: Sendable {
    public var values: [String: JSONNode]
    public var nonce: RequestNonce

    public init(values: [String: JSONNode] = [:], nonce: RequestNonce) {
        (self.values, self.nonce) = (values, nonce)
    }

    public mutating func set(_ variable: ContextVariable, _ text: String?) {
        values[variable.rawValue] = text.map { .string($0) }
    }
}

/// The variables that the daemon itself sets. RFC 6749 names.
public enum ContextVariable: String, Sendable, CaseIterable {
    case clientID = "client_id"
    case clientSecret = "client_secret"
    case refreshToken = "refresh_token"
    case accessToken = "access_token"
    case scope
    case code
    case redirectURI = "redirect_uri"
    case codeVerifier = "code_verifier"
    case tokenType = "token_type"
    case expiresAt = "expires_at"
}
