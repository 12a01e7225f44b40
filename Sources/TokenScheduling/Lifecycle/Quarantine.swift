package import TokenFormats
internal import TokenProviders
internal import TokenSlots

/// Why the stored state of a credential is not used. No request is sent until the operator accepts
/// it.
package enum Quarantine: Sendable, Equatable {
    /// Neither slot can be read.
    case unreadable
    /// It can be read, but is a copy, or older than what the provider knows (I10).
    case foreign(Cause)

    /// The form in the status.
    package var cause: Cause {
        switch self {
        case .unreadable: Cause(.stateUnreadable)
        case .foreign(let cause): cause
        }
    }
}

/// A quarantine with its time of beginning.
struct StandingQuarantine: Sendable, Equatable {
    let reason: Quarantine
    let error: StoredError

    /// - Parameter former: Equal trouble keeps its time of beginning.
    init(_ reason: Quarantine, at time: WallTime, after former: StandingQuarantine?) {
        self.reason = reason
        error = StoredError(.storage, reason.cause, at: time).following(former?.error)
    }
}
