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

        /// Of a credential of which only its state is known.
        init(_ state: CredentialState) {
            self =
                switch state {
                case .loginRequired, .quarantined: .needsPerson
                case .misconfigured: .misconfigured
                case .expired: .expired
                case .pending: .pending
                case .retrying: .retrying
                case .fresh, .refreshing: .fine
                }
        }

        static func < (left: Severity, right: Severity) -> Bool { left.rawValue < right.rawValue }
    }

    var severity: Severity {
        switch condition.known {
        case .undelivered: return .undelivered
        case .failing: return .failing
        default: break
        }
        // A newer daemon's word.
        guard let state = state.known else { return .expired }
        let severity = Severity(state)
        let isWarned = severity == .fine && !(warnings.isEmpty && failingHooks.isEmpty)
        return isWarned ? .warned : severity
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
