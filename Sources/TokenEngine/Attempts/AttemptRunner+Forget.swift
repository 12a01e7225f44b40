internal import TokenControl
internal import TokenFormats
internal import TokenProviders
internal import TokenSlots

/// The stored state of a credential, as `forget` sees it.
struct StoredSurvey: Sendable {
    /// The store has contents, readable or not.
    var isStored: Bool
    var hasRefreshToken: Bool
    /// What remains after the state is erased.
    var traces: SpentTraces

    /// - Parameter state: `nil` when no daemon knows the credential.
    func report(_ name: String, isConfigured: Bool, state: CredentialState?) -> StoredReport {
        StoredReport(
            credential: name, isConfigured: isConfigured, isStored: isStored,
            hasRefreshToken: hasRefreshToken, spentTokens: traces.count, state: state)
    }
}

// Erasing a credential's state. The configuration may still name a refresh token that was spent
// long ago: its fingerprint is on disk before the slots are removed, so that it never looks like a
// new one.
extension AttemptRunner {
    /// - Parameters:
    ///   - profile: `nil` for a credential that is not configured: its stored response is not read.
    ///   - memory: The grant in the running daemon's memory.
    func survey(
        _ name: String, profile: ProviderProfile?, memory: CredentialRecord?
    ) async throws(StorageFailure) -> StoredSurvey {
        let evidence = try await world.store.evidence(of: name)
        let grant = profile.flatMap { evidence.grant(profile: $0) } ?? evidence.latest?.grant
        var traces = owners.traces(of: name)
        for known in [grant, memory].compactMap({ $0 }) { traces.add(SpentTraces(known)) }
        return StoredSurvey(
            isStored: evidence.isStored,
            hasRefreshToken: grant?.refreshToken != nil, traces: traces)
    }

    /// The caller must hold the credential's gate.
    ///
    /// - Returns: What was stored.
    func forget(
        _ name: String, profile: ProviderProfile?, memory: CredentialRecord?, allTraces: Bool
    ) async throws(StorageFailure) -> StoredSurvey {
        var survey = try await survey(name, profile: profile, memory: memory)
        // An unreadable record of spent tokens must not be replaced by an incomplete one.
        if !survey.traces.isUnreadable, survey.traces != owners.traces(of: name) {
            try await world.store.keep(survey.traces, of: name)
        }
        try await world.store.erase(name)
        if allTraces {
            try await world.store.keep(SpentTraces(), of: name)
            survey.traces = SpentTraces()
        }
        owners.forget(name, leaving: survey.traces)
        return survey
    }
}
