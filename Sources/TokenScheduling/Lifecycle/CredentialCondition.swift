package import TokenFormats

/// More precise than `CredentialState`, whose words are a released interface: the same words,
/// plus others where a state has several meanings.
package enum CredentialCondition: String, Sendable, CaseIterable {
    case pending, fresh, refreshing, retrying, expired, misconfigured, quarantined
    case loginRequired = "login_required"
    /// The token is renewed, and a file could not be written.
    case undelivered
    /// There has been no token, and the first exchange fails.
    case failing

    package init(_ state: CredentialState) {
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

    package init(_ lifecycle: CredentialLifecycle) {
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
            if lifecycle.isAttempting, !lifecycle.isResaving { self = .refreshing }
        case .fresh, .refreshing, .quarantined: break
        }
    }
}
