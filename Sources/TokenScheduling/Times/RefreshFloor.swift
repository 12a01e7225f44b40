internal import TokenConfiguration
package import TokenFormats
internal import TokenProviders
internal import TokenSlots

/// Why a requested refresh does not start now.
package struct RefreshFloor: Sendable, Equatable {
    /// The reason of the pause; the word in JSON.
    package enum Cause: String, Sendable, CaseIterable {
        case minimumInterval = "min_interval"
        /// The provider asked to wait.
        case retryAfter = "retry_after"
    }
    /// The rest of the pause.
    package var wait: Duration
    /// The reason of the pause.
    package var cause: Cause
    /// The whole pause, counted from the last refresh or response.
    package var whole: Duration

    /// - Parameters:
    ///   - wait: The rest of the pause.
    ///   - cause: The reason of the pause.
    ///   - whole: The whole pause.
    package init(wait: Duration, cause: Cause, whole: Duration) {
        (self.wait, self.cause, self.whole) = (wait, cause, whole)
    }

    /// Whole seconds, rounded up.
    package var json: JSONNode {
        .object([
            ("seconds", .integer(Self.roundedUp(wait))), ("because", .string(cause.rawValue)),
            ("whole", .integer(Self.roundedUp(whole))),
        ])
    }

    /// Takes what it can use; a reason that this version does not know counts as the interval.
    ///
    /// - Returns: `nil` for a value without a duration.
    package init?(json: JSONNode) {
        guard let seconds = json["seconds"]?.integer else { return nil }
        wait = .seconds(seconds)
        cause = json["because"]?.text.flatMap { Cause(spelled: $0) } ?? .minimumInterval
        whole = .seconds(json["whole"]?.integer ?? seconds)
    }

    /// Rounded up, so that the wait is over when the client returns after it.
    private static func roundedUp(_ duration: Duration) -> Int64 {
        let (seconds, rest) = duration.components
        return rest > 0 ? seconds + 1 : seconds
    }
}

extension CredentialLifecycle {
    /// `nil` when a refresh may start at once.
    package func refreshFloor(now: Moment) -> RefreshFloor? {
        let wait = now.uptime.duration(to: earliestAttempt(now: now))
        guard wait > .zero, quarantine == nil, !grant.attempts.isLoginRequired else { return nil }
        if let asked = grant.attempts.lastError?.retryAfter {
            return RefreshFloor(wait: wait, cause: .retryAfter, whole: asked)
        }
        let schedule = RefreshSchedule(policy: configuration.refresh, rules: rules)
        return RefreshFloor(
            wait: wait, cause: .minimumInterval,
            whole: schedule.minimumInterval(lifetime: grant.access?.lifetime))
    }
}
