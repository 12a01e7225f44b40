internal import TokenCore

// Responses, live and stored, are read by pure functions, and not on the loop's thread: the server
// controls how long the reading takes.
extension AttemptRunner {
    /// A pure function of what is now on the disk; not on the loop's thread.
    func read(
        _ raw: RawAnswer, to record: SlotRecord, of credential: CredentialConfiguration,
        roundTrip: Duration, filter: PeerFilter = .closed, path: String? = nil
    ) async -> (StoredGrant, AttemptReport.End) {
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
    /// The grant in one slot, after reading the response of an interrupted attempt.
    func grant(
        in contents: SlotContents, of credential: CredentialConfiguration
    ) async -> StoredGrant {
        let profile = credential.profile
        return await responses.run(provider: profile.name, credential: credential.name) {
            contents.grant(profile: profile)
        }
    }
}
