internal import TokenCore

// Responses, live and stored, are read by pure functions, and not on the loop's thread: how long it
// takes is for whoever wrote them to choose.
extension AttemptRunner {
    /// Step 5, a pure function of what is now on the disk; not on the loop's thread.
    func read(
        _ raw: RawAnswer, of attempt: Attempt, roundTrip: Duration,
        filter: PeerFilter = .closed, path: String? = nil
    ) async -> (StoredGrant, AttemptReport.End) {
        let (profile, record) = (attempt.credential.profile, attempt.record)
        return await world.responses.run(
            provider: profile.name, credential: attempt.credential.name
        ) {
            let reading = record.reading(
                of: raw, profile: profile, filter: filter, path: path)
            var grant = record.grant
            grant.apply(reading, to: record, roundTrip: roundTrip, profile: profile)
            switch reading.result {
            case .success: return (grant, .granted(reading.notes))
            case .failure(let refusal): return (grant, attempt.failed(refusal))
            }
        }
    }

    /// What the slots say, with the answer of an interrupted attempt read again.
    func stored(
        _ pair: SlotPair, _ credential: CredentialConfiguration
    ) async -> StoredGrant? {
        guard let contents = pair.winner?.contents else { return nil }
        return await world.grant(in: contents, of: credential)
    }
}

extension World {
    /// What a slot holds, with the answer of an interrupted attempt read again.
    func grant(
        in contents: SlotContents, of credential: CredentialConfiguration
    ) async -> StoredGrant {
        let profile = credential.profile
        return await responses.run(provider: profile.name, credential: credential.name) {
            contents.grant(profile: profile)
        }
    }
}
