package import TokenFormats
package import TokenProviders

/// What a record keeps of an access token that is too long for it, because the refresh token must
/// fit. The token itself is in the token file and in the response that granted it.
package struct UnstoredAccess: Sendable, Equatable {
    /// `CredentialRecord/fingerprint(ofAccess:)`.
    package var fingerprint: String
    /// When the request that granted it was sent.
    package var sentAt: Moment
    /// `nil` when it never expires.
    package var lifetime: Duration?

    init(_ access: GrantedAccess) {
        fingerprint = CredentialRecord.fingerprint(ofAccess: access.token)
        (sentAt, lifetime) = (access.sentAt, access.lifetime)
    }

    func json() -> JSONNode {
        .object([
            ("fingerprint", .string(fingerprint)), ("sent_at", sentAt.json),
            ("lifetime", lifetime?.json),
        ])
    }

    init?(json node: JSONNode) {
        guard let fingerprint = node["fingerprint"]?.text,
            let sentAt = node["sent_at"].flatMap(Moment.init(json:))
        else { return nil }
        (self.fingerprint, self.sentAt) = (fingerprint, sentAt)
        lifetime = node["lifetime"].flatMap(Duration.init(json:))
    }
}

extension CredentialRecord {
    /// Makes room in a record: an access token can be obtained again, a refresh token cannot.
    package mutating func leaveAccessOut() {
        guard let access else { return }
        (unstoredAccess, self.access) = (UnstoredAccess(access), nil)
    }

    /// - Parameter access: The token in memory or from a token file; used only if it is the one
    ///   that was left out.
    package mutating func recall(_ access: GrantedAccess) {
        guard self.access == nil, let unstored = unstoredAccess,
            Self.fingerprint(ofAccess: access.token).hasSameBytes(as: unstored.fingerprint)
        else { return }
        var access = access
        (access.sentAt, access.lifetime) = (unstored.sentAt, unstored.lifetime)
        (self.access, unstoredAccess) = (access, nil)
    }

    /// Restores it from a token file, which has only its text.
    package mutating func recall(textOf token: Secret) {
        guard let unstored = unstoredAccess else { return }
        recall(GrantedAccess(token: token, sentAt: unstored.sentAt, lifetime: unstored.lifetime))
    }
}
