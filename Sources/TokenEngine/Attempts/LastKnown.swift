internal import TokenFormats
internal import TokenProviders
internal import TokenSlots

/// What this process knows of a credential's state; the disk may not fall behind it (I10).
struct LastKnown: Sendable {
    var grant: CredentialRecord

    /// The stored evidence, with what only memory knows. Replaces a state that was removed or
    /// damaged while the daemon ran, if a refresh token was ever granted: the grant in memory is
    /// newer than the configured token.
    func completing(_ stored: AttemptEvidence, now: () -> Moment) -> AttemptEvidence {
        var evidence = stored
        if stored.latest == nil, let kept = record(at: now()) {
            evidence = AttemptEvidence(records: [kept])
        }
        return evidence.recalling(grant.access)
    }

    private func record(at now: Moment) -> SlotRecord? {
        guard grant.refreshToken != nil, grant.generation > 0 else { return nil }
        return SlotRecord(
            sequence: 1, state: .settled, attemptID: "memory", kind: .refresh, sentAt: now,
            grant: grant)
    }
}
