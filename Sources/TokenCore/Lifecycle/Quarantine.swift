/// Why the stored state of a credential is not used. Nothing is sent until a person accepts it.
public enum Quarantine: Sendable, Equatable {
    /// Neither slot can be read.
    case unreadable
    /// It can be read, but is a copy, or older than what the provider knows (I10).
    case foreign(Cause)

    /// As status tells it.
    public var cause: Cause {
        switch self {
        case .unreadable: Cause(.stateUnreadable)
        case .foreign(let cause): cause
        }
    }
}

/// A quarantine, and since when it stands.
struct StandingQuarantine: Sendable, Equatable {
    let reason: Quarantine
    let error: StoredError

    /// - Parameter former: The same trouble is counted from its beginning.
    init(_ reason: Quarantine, at time: WallTime, after former: StandingQuarantine?) {
        self.reason = reason
        error = StoredError(.storage, reason.cause, at: time).following(former?.error)
    }
}
