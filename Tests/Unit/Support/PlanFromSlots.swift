@testable import TokenFormats
@testable import TokenProviders
@testable import TokenSlots

extension AttemptPlan {
    /// From slots, read as an attempt reads them.
    static func make(
        order: AttemptOrder, slots: SlotPair, initialToken: InitialToken?,
        withheld: InitialToken? = nil,
        place: GrantBinding? = nil, profile: ProviderProfile, attemptID: String, now: Moment
    ) -> AttemptPlan {
        make(
            order: order, evidence: slots.evidence, stored: slots.evidence.grant(profile: profile),
            initialToken: initialToken, withheld: withheld, place: place, profile: profile,
            attemptID: attemptID,
            now: now)
    }
}

extension SlotPair {
    /// The slot that the next record overwrites: never the newest one.
    var oldest: Index { winner?.index.other ?? .a }
}
