internal import TokenCore

// Where refresh tokens go: the token URL's origin and the client, as the configuration has them.
extension AttemptRunner {
    /// - Returns: `nil` where it decides nothing, or cannot be told.
    func place(
        of credential: CredentialConfiguration, for grant: StoredGrant?, _ seed: InitialToken?
    ) async throws(AttemptStop) -> GrantPlace? {
        guard let grant, grant.asksForPlace(seed) else { return nil }
        return try await place(of: credential)
    }

    func place(
        of credential: CredentialConfiguration
    ) async throws(AttemptStop) -> GrantPlace? {
        let profile = credential.profile
        guard profile.usesRefreshToken else { return nil }
        let values = try await values(of: credential, only: profile.placeVariables)
        let now = world.clock.now()
        let record = SlotRecord(
            sequence: 0, state: .settled, attemptID: "", kind: .refresh, sentAt: now,
            grant: StoredGrant())
        let nonce = RequestNonce(uuid: "", random: "", now: now.wall)
        return profile.place(
            in: TemplateContext(values, profile: profile, record: record, nonce: nonce))
    }
}
