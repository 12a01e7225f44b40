internal import TokenCore

/// What is stored of a credential.
struct StoredSurvey: Sendable {
    /// The slots hold something, readable or not.
    var isStored: Bool
    var hasRefreshToken: Bool
    /// What is kept when the state is erased.
    var traces: SpentTraces

    /// - Parameter state: `nil` where no daemon knows one.
    func json(_ name: String, isConfigured: Bool, state: CredentialState?) -> JSONNode {
        .object([
            ("credential", .string(name)), ("configured", .bool(isConfigured)),
            ("stored", .bool(isStored)),
            ("refresh_token", .bool(hasRefreshToken)),
            ("spent_tokens", .integer(Int64(traces.count))),
            ("state", state.map { .string($0.rawValue) } ?? JSONNode(.null)),
        ])
    }
}

// What a person erases. The configuration may still name a refresh token that was spent long ago:
// its fingerprint is on the disk before the slots go, so that at no moment it looks like a new one.
extension AttemptRunner {
    /// - Parameters:
    ///   - profile: `nil` for one that is not configured: answers are not read again then.
    ///   - memory: The grant as a running daemon knows it.
    func survey(
        _ name: String, profile: ProviderProfile?, memory: StoredGrant?
    ) async throws(StorageFailure) -> StoredSurvey {
        let pair = try await world.slots.read(name)
        let grant = pair.winner.map { winner in
            profile.map { winner.contents.grant(profile: $0) } ?? winner.contents.record.grant
        }
        var traces = owners.traces(of: name)
        for known in [grant, memory].compactMap({ $0 }) { traces.add(SpentTraces(known)) }
        return StoredSurvey(
            isStored: pair.a != .empty || pair.b != .empty,
            hasRefreshToken: grant?.refreshToken != nil, traces: traces)
    }

    /// The gate of the credential must be held.
    ///
    /// - Returns: What there was.
    func forget(
        _ name: String, profile: ProviderProfile?, memory: StoredGrant?, allTraces: Bool
    ) async throws(StorageFailure) -> StoredSurvey {
        var survey = try await survey(name, profile: profile, memory: memory)
        // A record that cannot be read is not replaced by one that knows less.
        if !survey.traces.isUnreadable, survey.traces != owners.traces(of: name) {
            try await world.slots.keep(survey.traces, of: name)
        }
        try await world.slots.erase(name)
        if allTraces {
            try await world.slots.keep(SpentTraces(), of: name)
            survey.traces = SpentTraces()
        }
        owners.forget(name, leaving: survey.traces)
        return survey
    }
}
