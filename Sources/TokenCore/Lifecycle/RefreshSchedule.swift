/// When a token of a given life is due for its next refresh.
///
/// Due = sent + min(at·L, L − max(min(margin, L/2), 1 s + the time the request took)) − jitter,
/// where L is the lifetime from when the request was sent (contract section 2, `refresh`). The
/// second is there because servers cut times to whole seconds.
public struct RefreshSchedule: Sendable {
    let policy: RefreshPolicy
    let rules: LifecycleRules

    /// - Parameter rules: The provider's; where they narrow the policy, they win.
    public init(policy: RefreshPolicy, rules: LifecycleRules) {
        (self.policy, self.rules) = (policy, rules)
    }

    /// From when the request was sent. `nil` when the token never needs a refresh.
    ///
    /// - Parameter refreshTokenLife: What is left, at that moment, of a refresh token whose own end
    ///   a refresh would postpone.
    public func delay(
        lifetime: Duration?, roundTrip: Duration, refreshTokenLife: Duration? = nil,
        using random: inout RandomSource
    ) -> Duration? {
        var delay: Duration?
        if let lifetime {
            let margin = max(min(policy.margin, lifetime / 2), .seconds(1) + roundTrip)
            let jitter = random.part(of: lifetime * policy.jitter)
            delay = min(lifetime * policy.at, lifetime - margin) - jitter
        }
        if let longest = rules.maxInterval { delay = min(delay ?? longest, longest) }
        if let life = refreshTokenLife {
            let latest = life * policy.at
            delay = min(delay ?? latest, latest)
        }
        guard var delay else { return nil }
        if let lifetime {
            if let window = rules.refreshWindow { delay = max(delay, lifetime - window) }
            delay = min(delay, lifetime)
        }
        // Last: no life is so short that the floors do not hold.
        return max(delay, minimumInterval(lifetime: lifetime))
    }

    /// Floor between two refreshes: lowered to a quarter of a very short life, never below half a
    /// second; a profile's own floor stands, though not beyond the token's end.
    public func minimumInterval(lifetime: Duration?) -> Duration {
        var floor = policy.minInterval
        if let lifetime { floor = min(floor, lifetime / 4) }
        floor = max(floor, .milliseconds(500))
        let own = max(rules.minInterval ?? .zero, rules.minAge ?? .zero)
        return max(floor, lifetime.map { min(own, $0) } ?? own)
    }

    /// Floor after a restart, which knows of each credential only the last of the requests that a
    /// rate limit has counted: an even pace.
    public func restartInterval(lifetime: Duration?) -> Duration {
        let floor = minimumInterval(lifetime: lifetime)
        return rules.rateLimit.map { max(floor, $0.period / $0.count) } ?? floor
    }
}
