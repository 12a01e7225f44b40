package import TokenConfiguration
internal import TokenFormats
package import TokenProviders
internal import TokenSlots

/// How long to wait after a failed attempt.
package struct RetryPolicy: Sendable {
    /// While the published token is valid, never wait longer than this between tries: an endpoint
    /// that works for a minute before the token's end must be found (I25).
    static let longestWaitWhileValid: Duration = .seconds(45)
    /// Wait between retries once the same refusal has occurred often enough and no valid token
    /// depends on it.
    package static let slowWait = AttemptHistory.slowRetryWait
    /// Maximum wait while a secret cannot be read, because it may appear at any moment.
    static let longestWaitForSecret: Duration = .seconds(8)
    /// This many retries use the short wait.
    static let looksUntilSlow = 40
    /// Minimum wait after a request that was answered with an error.
    static let shortestWait: Duration = .seconds(1)
    /// How often the configured initial token is read while a sign-in is required.
    static let initialTokenCheckInterval: Duration = .seconds(60)

    let policy: RefreshPolicy
    let rules: LifecycleRules

    /// The remaining life of the published token, and its full lifetime.
    package struct Remaining: Sendable, Equatable {
        /// Time until the published token expires.
        package var life: Duration
        /// From its grant to its expiry.
        package var lifetime: Duration
    }

    /// - Parameters:
    ///   - policy: The settings of the credential.
    ///   - rules: The provider's rules; they win where they narrow the policy.
    package init(policy: RefreshPolicy, rules: LifecycleRules) {
        (self.policy, self.rules) = (policy, rules)
    }

    /// Counted from the end of the attempt.
    ///
    /// - Parameter remaining: `nil` when no valid token with an expiry is published.
    func delay(
        after failureClass: FailureClass, history: AttemptHistory, remaining: Remaining?,
        isRotating: Bool, using random: inout RandomSource
    ) -> Duration {
        let backoff = self.backoff(failures: history.failures, remaining: remaining, &random)
        let wait = self.wait(after: failureClass, history, remaining, isRotating, backoff)
        // A response of another class says nothing about the refresh token whose response was lost.
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
            // A server that counts a cached token down to zero issues a new one after its expiry.
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

    /// A refused request may be caused by a deployment or a maintenance page: it is retried like
    /// any other failure while a token is about to expire, and slowly after many repetitions.
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

    /// A third of the time until a sign-in is requested, at most a minute.
    private func beforeLogin(_ history: AttemptHistory, _ backoff: Duration) -> Duration {
        guard let span = history.reauthSpan else { return backoff }
        return max(Self.shortestWait, min(span / 3, .seconds(60)))
    }

    /// Exponential with full jitter: uniform between zero and initial·2^(failures−1), capped.
    /// Source: "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
    private func backoff(
        failures: Int, remaining: Remaining?, _ random: inout RandomSource
    ) -> Duration {
        let doublings = min(max(0, failures - 1), 20)
        var ceiling = min(policy.retryInitial * (1 << doublings), policy.retryMaximum)
        if remaining != nil { ceiling = min(ceiling, Self.longestWaitWhileValid) }
        return max(.milliseconds(50), random.part(of: ceiling))
    }

    /// The same refresh token again after a lost answer (Durability, "After a lost answer").
    ///
    /// With a known grace period: after 1, 2, 4 and 8 s, the first within half of it. Without: one
    /// prompt retry, which wins if the first request was not processed; then none while the
    /// published token has more than a little life left, because if the request was processed a
    /// retry can only shorten that life; then ordinary backoff. Where a refresh invalidates the
    /// published token anyway, the wait is limited to the overlap that the provider allows.
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
