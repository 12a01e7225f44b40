internal import TokenCore

/// What this process knows of a credential's state; the disk may not fall behind it (I10).
struct LastKnown: Sendable {
    var grant: StoredGrant

    /// Replaces slots that were removed or damaged while the daemon ran: the grant in memory is
    /// newer than the configured token.
    ///
    /// - Returns: `nil` when memory has no refresh token that was ever granted.
    func pair(at now: Moment) -> SlotPair? {
        guard grant.refreshToken != nil, grant.generation > 0 else { return nil }
        let record = SlotRecord(
            sequence: 1, state: .settled, attemptID: "memory", kind: .refresh, sentAt: now,
            grant: grant)
        return SlotPair(a: .valid(SlotContents(record: record)), b: .empty)
    }
}
