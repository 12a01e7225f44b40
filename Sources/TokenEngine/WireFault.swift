public import TokenCore

/// Why a request was not sent, or has no response.
public struct WireFault: Sendable, Equatable {
    /// The cause, by facts of this host.
    public var cause: Cause
    /// The common name of the untrusted certificate: text that its creator chose.
    public var subject: PeerText?

    /// A fault with this cause, and the common name of a certificate where that is at fault.
    public init(_ cause: Cause, subject: PeerText? = nil) {
        (self.cause, self.subject) = (cause, subject)
    }

    /// The cause, with those of the peer's words that pass the filter.
    func cause(_ filter: PeerFilter) -> Cause {
        var told = cause
        told.facts.subject = filter.passed(subject)
        return told
    }
}
