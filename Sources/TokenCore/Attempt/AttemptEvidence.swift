/// The stored state of a credential at the beginning of an attempt.
public struct AttemptEvidence: Sendable, Equatable {
    /// The newest readable record, and the response to it; `nil` without one.
    public var latest: SlotContents?
    /// The resulting grant: a stored response is read again, an intent without one counts as sent.
    public var grant: StoredGrant?
    /// There was a state, but nothing of it is readable.
    public var isUnreadable: Bool

    public init(latest: SlotContents?, grant: StoredGrant?, isUnreadable: Bool) {
        (self.latest, self.grant, self.isUnreadable) = (latest, grant, isUnreadable)
    }
}

/// A configured refresh token that must not be adopted, because it is spent (``SpentTraces``).
public struct WithheldToken: Sendable, Equatable {
    public var token: InitialToken
    /// Whether it is known to be spent; otherwise the list of spent tokens is unreadable.
    public var isKnown: Bool

    public init(_ token: InitialToken, isKnown: Bool) {
        (self.token, self.isKnown) = (token, isKnown)
    }
}
