internal import TokenControl
internal import TokenFormats
internal import TokenScheduling

// How severe the status of a credential is, and in which order several are shown.
extension CredentialStatus {
    /// Whether it has a token that is valid now.
    func isServed(now: WallTime) -> Bool { issuedAt != nil && expiresAt.map { $0 > now } ?? true }

    /// Severity, the worst first.
    enum Severity: Int, Comparable {
        case needsPerson, misconfigured, expired, failing, undelivered, pending, retrying
        case warned, fine

        static func < (left: Severity, right: Severity) -> Bool { left.rawValue < right.rawValue }
    }

    var severity: Severity {
        switch condition.known {
        case .undelivered: return .undelivered
        case .failing: return .failing
        default: break
        }
        switch state.known {
        case .loginRequired, .quarantined: return .needsPerson
        case .misconfigured: return .misconfigured
        case .expired: return .expired
        case .pending: return .pending
        case .retrying: return .retrying
        case .fresh, .refreshing: return warnings.isEmpty && failingHooks.isEmpty ? .fine : .warned
        // A newer daemon's word.
        case nil: return .expired
        }
    }
}

extension [CredentialStatus] {
    /// The most severe first; at equal severity those whose token has expired, then by name.
    func worstFirst(now: WallTime) -> [CredentialStatus] {
        sorted { left, right in
            if left.severity != right.severity { return left.severity < right.severity }
            let (isLeft, isRight) = (left.isServed(now: now), right.isServed(now: now))
            return isLeft == isRight ? left.name < right.name : isRight
        }
    }
}
