/// What `status` calls a credential's condition (Contract 3.1).
package enum CredentialState: String, Sendable, CaseIterable {
    /// No token yet.
    case pending
    case fresh
    case refreshing
    /// The token is still valid; the last attempt failed.
    case retrying
    /// No valid token; the daemon retries.
    case expired
    /// A user must sign in.
    case loginRequired = "login_required"
    /// The provider refuses the request itself, and no token is valid; or it has done so for
    /// minutes.
    case misconfigured
    /// The state cannot be trusted.
    case quarantined

    /// Whether the start need not wait for it any longer (`READY=1`).
    package var mayReportReadiness: Bool {
        switch self {
        // A valid token is published already; its refresh may wait for the provider.
        case .fresh, .refreshing, .retrying: true
        case .loginRequired, .misconfigured, .quarantined: true
        case .pending, .expired: false
        }
    }

    /// Whether `status --check` accepts the state.
    package var isHealthy: Bool {
        switch self {
        case .fresh, .refreshing, .retrying: true
        case .pending, .expired, .loginRequired, .misconfigured, .quarantined: false
        }
    }
}
