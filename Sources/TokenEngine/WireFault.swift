public import TokenCore

/// Why a request was not sent, or not answered.
public struct WireFault: Sendable, Equatable {
    /// What this host knows of it.
    public var cause: Cause
    /// The common name of the certificate that is not trusted: whoever made it chose that.
    public var subject: PeerText?

    /// A fault with this cause, and the common name of a certificate where that is at fault.
    public init(_ cause: Cause, subject: PeerText? = nil) {
        (self.cause, self.subject) = (cause, subject)
    }

    /// With what of the peer's own words may be told.
    func cause(_ filter: PeerFilter) -> Cause {
        var told = cause
        told.facts.subject = filter.passed(subject)
        return told
    }
}
