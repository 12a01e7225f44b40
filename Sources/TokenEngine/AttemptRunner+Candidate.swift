internal import TokenCore

// The configured refresh token beside the one that works (durability.md section 3): it is sent
// once, and takes the other's place when a grant has proved it.
extension AttemptRunner {
    /// Another credential holds the candidate, or it has been spent: it is refused without asking.
    ///
    /// - Returns: The grant that says so, durable, and why; `nil` where nothing is against it.
    func refusedByOwners(
        _ attempt: Attempt
    ) async throws(AttemptStop) -> (grant: StoredGrant, cause: Cause)? {
        guard let token = attempt.record.grant.candidate?.token,
            let objection = owners.objection(
                to: token, at: attempt.credential.profile, by: attempt.credential.name)
        else { return nil }
        var record = attempt.record
        record.state = .settled
        record.grant.refuseCandidate(objection, of: record)
        try await write(record, to: attempt.index, of: attempt.slots, attempt.credential.name)
        return (record.grant, objection)
    }

    /// Before a candidate is sent for the first time both slots know of it: a version that does not
    /// know candidates finds no slot that it can read, and touches neither.
    func open(_ attempt: inout Attempt, in pair: SlotPair) async throws(AttemptStop) {
        let known = pair.winner?.contents.record.grant.candidate
        guard known?.token != attempt.record.grant.candidate?.token || known?.state != .untried
        else { return }
        var opening = attempt.record
        (opening.state, opening.sendsCandidate) = (.settled, false)
        try await write(opening, to: attempt.index, of: attempt.slots, attempt.credential.name)
        attempt.index = attempt.index.other
        attempt.record.sequence += 1
    }
}

extension AttemptPlan {
    var sendsCandidate: Bool {
        if case .send(let record, _) = self { record.sendsCandidate } else { false }
    }
}
