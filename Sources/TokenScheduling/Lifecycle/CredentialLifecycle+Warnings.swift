internal import TokenConfiguration
package import TokenFormats
internal import TokenProviders
internal import TokenSlots

// A refresh token that expires needs a user to sign in: the journal, the status and the metrics
// announce it days before.
extension CredentialLifecycle {
    private static let thresholdsInDays = [14, 7, 3, 1]

    /// Whether each refresh restarts the refresh token's lifetime, by the profile's declaration or
    /// by the responses so far.
    var isRefreshTokenPostponed: Bool {
        switch rules.refreshTokenExpiry {
        case .sliding: true
        case .fixed, .inherited: false
        case nil: grant.isRefreshTokenEndFixed.map { !$0 } ?? isRotating
        }
    }

    /// The deadline for a new sign-in: the refresh token's expiry, if known.
    ///
    /// `nil` when the profile can acquire a grant without a user, and when refreshes postpone the
    /// expiry, unless they have failed until half of that lifetime is over: a token that is renewed
    /// every half hour always expires within the hour, and this needs no sign-in.
    package func signInDueAt(now: Moment) -> WallTime? {
        guard configuration.profile.acquire == nil, let end = grant.refreshTokenExpiresAt else {
            return nil
        }
        guard isRefreshTokenPostponed else { return end }
        let half = (grant.refreshTokenLifetime ?? .zero) / 2
        return failures > 0 && now.wall.duration(to: end) < half ? end : nil
    }

    /// The time left until then, if it is 14 days or less.
    package func endingSignIn(now: Moment) -> Duration? {
        guard let left = signInLeft(now: now), Self.threshold(left) != nil else { return nil }
        return left
    }

    private func signInLeft(now: Moment) -> Duration? {
        signInDueAt(now: now).map { now.wall.duration(to: $0) }
    }

    /// The smallest threshold that has been reached.
    private static func threshold(_ left: Duration) -> Int? {
        thresholdsInDays.filter { left <= .days(Int64($0)) }.min()
    }

    /// Reports each threshold once. A newer refresh token starts over.
    mutating func warnOfRefreshTokenEnd(now: Moment) -> [LifecycleAction] {
        let left = signInLeft(now: now)
        let reached = left.flatMap(Self.threshold) ?? .max
        defer { warnedDays = reached }
        guard reached < warnedDays, let left else { return [] }
        // Rounded up: a few seconds less than 14 days is still reported as 14 days.
        let days = (left.components.seconds + 86_399) / 86_400
        return [.report(.refreshTokenEnds(days: max(0, Int(days))))]
    }

    /// When the next threshold is reached.
    func warningAt(now: Moment) -> Uptime? {
        guard let left = signInLeft(now: now) else { return nil }
        let next = Self.thresholdsInDays.filter { $0 < warnedDays }.max()
        return next.map { now.uptime.advanced(by: max(.zero, left - .days(Int64($0)))) }
    }
}
