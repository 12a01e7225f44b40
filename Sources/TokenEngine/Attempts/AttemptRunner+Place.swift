internal import TokenConfiguration
internal import TokenFormats
internal import TokenProviders
internal import TokenSlots

// The server and client that refresh tokens go to: the token URL's origin and the client, by the
// configuration.
extension AttemptRunner {
    /// - Returns: `nil` if no refresh token is sent, or the place is unknown.
    func place(
        of credential: CredentialConfiguration
    ) async throws(Refusal) -> GrantBinding? {
        let profile = credential.profile
        guard profile.usesRefreshToken else { return nil }
        let values = try await values(of: credential, only: profile.placeVariables)
        let now = world.clock.now()
        let nonce = RequestNonce(uuid: "", random: "", now: now.wall)
        return profile.place(
            in: TemplateContext(
                values, profile: profile, grant: GrantValues(kind: .refresh), nonce: nonce))
    }
}
