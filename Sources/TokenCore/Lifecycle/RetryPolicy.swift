/// How long to wait after a failed attempt.
public struct RetryPolicy: Sendable {
    /// While the published token is valid, never wait longer than this between tries: an endpoint
    /// that works for a minute before the token's end must be found (I25).
    static let longestWaitWhileValid: Duration = .seconds(45)
    /// Between tries once the same refusal has come often enough, and no token is at stake.
    public static let slowWait: Duration = .seconds(1800)
    /// A secret that cannot be read is not there yet: never longer between looks than this.
    static let longestWaitForSecret: Duration = .seconds(8)
    /// So many looks come that quickly.
    static let looksUntilSlow = 40
    /// Between two requests that are answered, and refused.
    static let shortestWait: Duration = .seconds(1)
    /// Between looks for a new seed while a person must sign in.
    static let seedCheckInterval: Duration = .seconds(60)

    let policy: RefreshPolicy
    let rules: LifecycleRules

    /// What is left of the token that is published, and how long it lived in all.
    public struct Remaining: Sendable, Equatable {
        /// Until the published token ends.
        public var life: Duration
        /// From its grant to its end.
        public var lifetime: Duration
    }

    /// - Parameter rules: The provider's; where they narrow the policy, they win.
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
        let wait = self.wait(after: failureClass, history, remaining, isRotating, backoff)
        // An answer of another class says nothing of the refresh token whose answer was lost.
        let isUnsaid = [.transient, .config, .tooEarly, .storage].contains(failureClass)
        guard isRotating, isUnsaid, history.ambiguousAttempts > 0,
            history.lastError?.httpStatus.map({ $0 / 100 == 5 }) != true
        else { return wait }
        return max(wait, afterAmbiguity(history, remaining: remaining, backoff: backoff))
    }

    private func wait(
        after failureClass: FailureClass, _ history: AttemptHistory, _ remaining: Remaining?,
        _ isRotating: Bool, _ backoff: Duration
    ) -> Duration {
        let asked = history.lastError?.retryAfter ?? .zero
        switch failureClass {
        case .transient where history.lastError?.isOfSuccessStatus == true:
            let schedule = RefreshSchedule(policy: policy, rules: rules)
            let floor =
                remaining.map { schedule.minimumInterval(lifetime: $0.lifetime) }
                ?? max(rules.minInterval ?? .zero, rules.minAge ?? .zero)
            // A token that was counted down to zero is a new one after its end.
            let end = history.isCountedDown ? remaining.map { $0.life + .seconds(1) } : nil
            return max(end ?? backoff, asked, floor, Self.shortestWait)
        case .transient, .storage, .output: return max(backoff, asked)
        case .reauth: return max(beforeLogin(history, backoff), asked)
        case .reacquire: return .zero
        case .config: return max(afterConfiguration(history, remaining, backoff), asked)
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

    /// A refusal of the request may be a deploy, or a page of maintenance: it is tried like any
    /// other failure while a token is dying, and slowly once it has come again and again.
    private func afterConfiguration(
        _ history: AttemptHistory, _ remaining: Remaining?, _ backoff: Duration
    ) -> Duration {
        if history.lastError?.awaitsSecret == true {
            let isNew = history.failures < Self.looksUntilSlow
            let longest = isNew ? Self.longestWaitForSecret : Self.longestWaitWhileValid
            return max(Self.shortestWait, min(backoff, longest))
        }
        let soon = min(backoff, Self.longestWaitWhileValid)
        guard history.isMisconfigured else {
            return max(Self.shortestWait, remaining.map { min(soon, $0.life / 2) } ?? soon)
        }
        guard let remaining else { return Self.slowWait }
        return max(Self.longestWaitWhileValid, remaining.life / 10)
    }

    /// A third of the time after which a person is asked for, at most a minute.
    private func beforeLogin(_ history: AttemptHistory, _ backoff: Duration) -> Duration {
        guard let span = history.reauthSpan else { return backoff }
        return max(Self.shortestWait, min(span / 3, .seconds(60)))
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
