internal import TokenConfiguration
internal import TokenFormats
internal import TokenProviders
internal import TokenSlots

// Responses, live and stored, are read by pure functions, and not on the loop's thread: the server
// controls how long the reading takes.
extension AttemptRunner {
    /// A pure function of what is now on the disk; not on the loop's thread.
    func read(
        _ raw: RawResponse, to record: SlotRecord, of credential: CredentialConfiguration,
        roundTrip: Duration, filter: PeerFilter = .closed, path: String? = nil
    ) async -> (CredentialRecord, AttemptReport.End) {
        let profile = credential.profile
        return await world.responses.run(provider: profile.name, credential: credential.name) {
            let reading = record.reading(
                of: raw, profile: profile, filter: filter, path: path)
            var grant = record.grant
            grant.apply(reading, to: record, roundTrip: roundTrip, profile: profile)
            switch reading.result {
            case .success: return (grant, .granted(reading.notes))
            case .failure(let refusal): return (grant, record.end(for: refusal))
            }
        }
    }
}

extension AttemptPorts {
    /// The stored grant, after reading the response of an interrupted attempt.
    ///
    /// - Returns: `nil` without a readable record.
    func grant(
        in evidence: AttemptEvidence, of credential: CredentialConfiguration
    ) async -> CredentialRecord? {
        guard evidence.latest != nil else { return nil }
        let profile = credential.profile
        return await responses.run(provider: profile.name, credential: credential.name) {
            evidence.grant(profile: profile)
        }
    }
}
