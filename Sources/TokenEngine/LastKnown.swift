internal import TokenCore

/// What this process knows of a credential's state; the disk may not fall behind it (I10).
struct LastKnown: Sendable {
    var grant: StoredGrant

    /// For slots that were removed or spoilt under the running daemon: what memory holds is all
    /// there is, and more than the token that the configuration began with.
    ///
    /// - Returns: `nil` where memory has no refresh token that was ever granted.
    func pair(at now: Moment) -> SlotPair? {
        guard grant.refreshToken != nil, grant.generation > 0 else { return nil }
        let record = SlotRecord(
            sequence: 1, state: .settled, attemptID: "memory", kind: .refresh, sentAt: now,
            grant: grant)
        return SlotPair(a: .valid(SlotContents(record: record)), b: .empty)
    }
}
