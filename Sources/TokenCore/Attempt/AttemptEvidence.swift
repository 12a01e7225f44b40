/// What the storage of a credential says at the begin of an attempt.
public struct AttemptEvidence: Sendable, Equatable {
    /// The newest record that can be read, and the response to it; `nil` where there is none.
    public var latest: SlotContents?
    /// What it comes to: a response is read again, an intent without one counts as sent.
    public var grant: StoredGrant?
    /// There was a state, and none of it can be read.
    public var isUnreadable: Bool

    public init(latest: SlotContents?, grant: StoredGrant?, isUnreadable: Bool) {
        (self.latest, self.grant, self.isUnreadable) = (latest, grant, isUnreadable)
    }

    /// Reads a stored response: its cost is for the provider to choose, so not on a loop's thread.
    public init(_ slots: SlotPair, profile: ProviderProfile) {
        let latest = slots.winner?.contents
        self.init(
            latest: latest, grant: latest?.grant(profile: profile),
            isUnreadable: slots.isUnreadable)
    }
}

/// A configured refresh token that must not be adopted, because it is spent (``SpentTraces``).
public struct WithheldToken: Sendable, Equatable {
    public var token: InitialToken
    /// That it is spent is known; otherwise the list of spent tokens cannot be read.
    public var isKnown: Bool

    public init(_ token: InitialToken, isKnown: Bool) {
        (self.token, self.isKnown) = (token, isKnown)
    }
}
