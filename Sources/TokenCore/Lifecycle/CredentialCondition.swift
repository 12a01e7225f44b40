/// A finer word than ``CredentialState``, whose words are released: equal to it but for the states
/// that hide something.
public enum CredentialCondition: String, Sendable, CaseIterable {
    case pending, fresh, refreshing, retrying, expired, misconfigured, quarantined
    case loginRequired = "login_required"
    /// The token is renewed, and a file cannot be written.
    case undelivered
    /// There was no token yet, and the first exchange fails.
    case failing

    init(_ state: CredentialState) {
        switch state {
        case .pending: self = .pending
        case .fresh: self = .fresh
        case .refreshing: self = .refreshing
        case .retrying: self = .retrying
        case .expired: self = .expired
        case .loginRequired: self = .loginRequired
        case .misconfigured: self = .misconfigured
        case .quarantined: self = .quarantined
        }
    }

    init(_ lifecycle: CredentialLifecycle) {
        let state = lifecycle.state
        self.init(state)
        switch state {
        case .retrying, .pending:
            if lifecycle.hasOutputProblem, lifecycle.failures == 0 {
                self = .undelivered
            } else if state == .pending, lifecycle.standingError != nil {
                self = .failing
            }
        case .expired, .misconfigured, .loginRequired:
            if lifecycle.isAttempting, !lifecycle.isSettling { self = .refreshing }
        case .fresh, .refreshing, .quarantined: break
        }
    }
}
