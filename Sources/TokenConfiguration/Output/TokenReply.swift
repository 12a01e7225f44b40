package import TokenFormats
internal import TokenProviders

/// The reply to `GET /v1/credentials/NAME/token`, and the contents of `token.json` (Contract 2.7):
/// integer epoch seconds, never a refresh token.
package struct TokenReply: Sendable, Equatable {
    /// The name of the credential.
    package var credential: String
    /// The name of its profile.
    package var provider: String
    /// The access token.
    package var accessToken: Secret
    /// RFC 6749 section 7.1; `nil` where the provider names none.
    package var tokenType: String?
    /// As granted; `nil` where the provider names none.
    package var scope: String?
    /// `nil` when the token never ends.
    package var expiresAt: WallTime?
    /// When the request that granted it was sent.
    package var issuedAt: WallTime?
    /// Further members of the provider's response that the configuration keeps, in their order.
    package var kept: [JSONMember] = []
    /// The note that the token does not last as long as asked; never in a file.
    package var shortfall: LifeShortfall?

    /// The reply for a published token.
    package init(_ token: PublishedToken) {
        self.init(
            token.access.token, credential: token.credential, provider: token.provider)
        let access = token.access
        (tokenType, scope) = (access.tokenType, access.scope)
        (expiresAt, issuedAt) = (access.expiresAt, access.sentAt.wall)
        kept = access.keep
    }

    /// A token of which nothing else is known.
    package init(_ accessToken: Secret, credential: String, provider: String) {
        (self.accessToken, self.credential, self.provider) = (accessToken, credential, provider)
    }

    /// A kept member never replaces one of these.
    package var json: JSONNode {
        let members: [(String, JSONNode?)] = [
            ("access_token", .string(accessToken.reveal())),
            ("token_type", tokenType.map { .string($0) }),
            ("scope", scope.map { .string($0) }),
            ("expires_at", expiresAt.map { .integer($0.epochSeconds) }),
            ("issued_at", issuedAt.map { .integer($0.epochSeconds) }),
            ("credential", .string(credential)), ("provider", .string(provider)),
        ]
        let names = Self.names + (shortfall == nil ? [] : [Self.shortfallKey])
        return .object(
            members + kept.filter { !names.containsText($0.key) }.map { ($0.key, $0.value) }
                + [(Self.shortfallKey, shortfall?.json)])
    }

    /// Members with other names count as kept ones.
    ///
    /// - Returns: `nil` for a value without an access token.
    package init?(json: JSONNode) {
        guard let token = json["access_token"]?.text else { return nil }
        self.init(
            Secret(token), credential: json["credential"]?.text ?? "",
            provider: json["provider"]?.text ?? "")
        (tokenType, scope) = (json["token_type"]?.text, json["scope"]?.text)
        (expiresAt, issuedAt) = (json.time("expires_at"), json.time("issued_at"))
        shortfall = json[Self.shortfallKey].flatMap(LifeShortfall.init(json:))
        let names = Self.names + (shortfall == nil ? [] : [Self.shortfallKey])
        kept = (json.members ?? []).filter { !names.containsText($0.key) }
    }

    private static let names = [
        "access_token", "token_type", "scope", "expires_at", "issued_at", "credential", "provider",
    ]
    private static let shortfallKey = "min_ttl"
}

/// The note of a reply whose token does not last as long as asked.
package struct LifeShortfall: Sendable, Equatable {
    /// The remaining life that the client requested, in whole seconds.
    package var asked: Int64
    /// The remaining life of the token, in whole seconds.
    package var left: Int64
    /// The full lifetime of the token, in whole seconds; `nil` when it never ends.
    package var lifetime: Int64?

    /// - Parameters:
    ///   - asked: What the client requested.
    ///   - left: The rest of the token's life.
    ///   - lifetime: The whole of it.
    package init(asked: Int64, left: Int64, lifetime: Int64?) {
        (self.asked, self.left, self.lifetime) = (asked, left, lifetime)
    }

    /// The member `min_ttl`.
    package var json: JSONNode {
        .object([
            ("met", false), ("asked", .integer(asked)), ("left", .integer(left)),
            ("lifetime", lifetime.map { .integer($0) } ?? JSONNode(.null)),
        ])
    }

    /// - Returns: `nil` for a value that is not an object.
    package init?(json: JSONNode) {
        guard json.members != nil else { return nil }
        (asked, left) = (json["asked"]?.integer ?? 0, json["left"]?.integer ?? 0)
        lifetime = json["lifetime"]?.integer
    }
}
