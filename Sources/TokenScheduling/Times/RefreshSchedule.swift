package import TokenConfiguration
package import TokenFormats
package import TokenProviders

/// When a token of a given lifetime is due for its next refresh.
///
/// Due = sent + min(at·L, L − max(min(margin, L/2), 1 s + the time the request took)) − jitter,
/// where L is the lifetime from when the request was sent (Contract 2.6). The second is there
/// because servers cut times to whole seconds.
package struct RefreshSchedule: Sendable {
    let policy: RefreshPolicy
    let rules: LifecycleRules

    /// - Parameters:
    ///   - policy: The settings of the credential.
    ///   - rules: The provider's rules; they win where they narrow the policy.
    package init(policy: RefreshPolicy, rules: LifecycleRules) {
        (self.policy, self.rules) = (policy, rules)
    }

    /// Counted from when the request was sent. `nil` when the token never needs a refresh.
    ///
    /// - Parameters:
    ///   - lifetime: The life of the access token; `nil` when it never ends.
    ///   - roundTrip: From the request to the last byte of the response.
    ///   - refreshTokenLife: The remaining life, at that moment, of a refresh token whose expiry a
    ///     refresh would postpone.
    ///   - random: The source of the jitter.
    package func delay(
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
        // Applied last: the minimum interval holds for any lifetime.
        return max(delay, minimumInterval(lifetime: lifetime))
    }

    /// Minimum interval between two refreshes: lowered to a quarter of a very short lifetime, never
    /// below half a second. A profile's own minimum also applies, but not beyond the token's
    /// expiry.
    package func minimumInterval(lifetime: Duration?) -> Duration {
        var floor = policy.minInterval
        if let lifetime { floor = min(floor, lifetime / 4) }
        floor = max(floor, .milliseconds(500))
        let own = max(rules.minInterval ?? .zero, rules.minAge ?? .zero)
        return max(floor, lifetime.map { min(own, $0) } ?? own)
    }

    /// Minimum interval after a restart. Each credential then remembers only the last of the
    /// requests that a rate limit has counted, so the allowance is spread evenly.
    package func restartInterval(lifetime: Duration?) -> Duration {
        let floor = minimumInterval(lifetime: lifetime)
        return rules.rateLimit.map { max(floor, $0.period / $0.count) } ?? floor
    }
}
