package import TokenFormats

/// Why a request was not sent, or has no response.
package struct WireFault: Sendable, Equatable {
    /// The cause, by facts of this host.
    package var cause: Cause
    /// The common name of the untrusted certificate: text that its creator chose.
    package var subject: PeerText?

    /// A fault with this cause, and the common name of a certificate where that is at fault.
    package init(_ cause: Cause, subject: PeerText? = nil) {
        (self.cause, self.subject) = (cause, subject)
    }

    /// The cause, with those of the peer's words that pass the filter.
    func cause(_ filter: PeerFilter) -> Cause {
        var told = cause
        told.facts.subject = filter.passed(subject)
        return told
    }
}
