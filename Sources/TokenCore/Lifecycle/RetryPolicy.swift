/// How long to wait after a failed attempt.
public struct RetryPolicy: Sendable {
    /// While the published token is valid, never wait longer than this between tries: an endpoint
    /// that works for a minute before the token's end must be found (I25).
    static let longestWaitWhileValid: Duration = .seconds(45)
    /// Between looks at a misconfigured credential.
    static let misconfiguredWait: Duration = .seconds(1800)
    /// Between looks for a new seed while a person must sign in.
    static let seedCheckInterval: Duration = .seconds(60)

    let policy: RefreshPolicy
    let rules: LifecycleRules

    /// What is left of the token that is published, and how long it lived in all.
    public struct Remaining: Sendable, Equatable {
        public var life: Duration
        public var lifetime: Duration
    }

    public init(policy: RefreshPolicy, rules: LifecycleRules) {
        (self.policy, self.rules) = (policy, rules)
    }

    /// From the end of the attempt.
    ///
    /// - Parameter remaining: `nil` when no valid token with an end is published.
    func delay(
        after failureClass: FailureClass, history: AttemptHistory, remaining: Remaining?,
        isRotating: Bool, using random: inout RandomSource
    ) -> Duration {
        let backoff = self.backoff(failures: history.failures, remaining: remaining, &random)
        let asked = history.lastError?.retryAfter ?? .zero
        switch failureClass {
        case .transient, .storage, .output, .reauth: return max(backoff, asked)
        case .reacquire: return .zero
        case .config: return Self.misconfiguredWait
        case .rateLimited:
            if asked > .zero { return asked }
            return max(backoff, min(.seconds(30), (remaining?.life ?? .seconds(60)) / 2))
        case .tooEarly:
            guard let remaining else { return max(backoff, asked) }
            let window = rules.refreshWindow.map { max(.zero, remaining.life - $0) }
            return max(backoff, asked, window ?? remaining.life / 2)
        case .ambiguous:
            return isRotating
                ? afterAmbiguity(history, remaining: remaining, backoff: backoff) : backoff
        }
    }

    /// Exponential with full jitter: uniformly from nothing to initial·2^(failures−1), capped.
    /// Source: "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
    private func backoff(
        failures: Int, remaining: Remaining?, _ random: inout RandomSource
    ) -> Duration {
        let doublings = min(max(0, failures - 1), 20)
        var ceiling = min(policy.retryInitial * (1 << doublings), policy.retryMaximum)
        if remaining != nil { ceiling = min(ceiling, Self.longestWaitWhileValid) }
        return max(.milliseconds(50), random.part(of: ceiling))
    }

    /// The same refresh token again after a lost answer (durability.md section 3).
    ///
    /// With a grace known: at +1, 2, 4, 8 s, the first inside half of it. Without: one prompt
    /// retry, for if the first request was not processed it wins; then none while the published
    /// token has more than a little life left, for if it was processed a retry can only shorten
    /// that life; then ordinary backoff. Where a refresh ends the published token anyway, its life
    /// is no reason to wait beyond the overlap that the provider gives.
    private func afterAmbiguity(
        _ history: AttemptHistory, remaining: Remaining?, backoff: Duration
    ) -> Duration {
        let attempt = max(1, history.ambiguousAttempts)
        if let grace = rules.reuseGrace, attempt <= 4 {
            return min(.seconds(1 << (attempt - 1)), attempt == 1 ? grace / 2 : grace)
        }
        if attempt == 1 { return .seconds(1) }
        guard let remaining else { return backoff }
        if rules.revokesPreviousAccessToken {
            return max(backoff, min(rules.overlap ?? .zero, remaining.life) / 2)
        }
        let little = max(
            remaining.lifetime * 0.1, min(.seconds(300), remaining.lifetime / 2))
        return max(backoff, remaining.life - little)
    }
}
