// A refresh token that ends takes a person: they hear of it days before, in the journal, in status
// and in the metrics alike.
extension CredentialLifecycle {
    private static let thresholdsInDays = [14, 7, 3, 1]

    /// Whether each refresh begins the refresh token's life anew, as the profile says, or else as
    /// answers showed.
    var isRefreshTokenPostponed: Bool {
        switch rules.refreshTokenExpiry {
        case .sliding: true
        case .fixed, .inherited: false
        case nil: grant.isRefreshTokenEndFixed.map { !$0 } ?? isRotating
        }
    }

    /// When a person must have signed in: the refresh token's end, where that is known.
    ///
    /// `nil` where the profile can start over without a person, and where refreshing puts the end
    /// off, unless it has failed for so long that half of that life is over: a token that is
    /// renewed every half hour always ends within the hour, and nobody needs to come for that.
    public func signInDueAt(now: Moment) -> WallTime? {
        guard configuration.profile.acquire == nil, let end = grant.refreshTokenExpiresAt else {
            return nil
        }
        guard isRefreshTokenPostponed else { return end }
        let half = (grant.refreshTokenLifetime ?? .zero) / 2
        return failures > 0 && now.wall.duration(to: end) < half ? end : nil
    }

    /// What is left until then, once that is 14 days or less.
    public func endingSignIn(now: Moment) -> Duration? {
        guard let left = signInLeft(now: now), Self.threshold(left) != nil else { return nil }
        return left
    }

    private func signInLeft(now: Moment) -> Duration? {
        signInDueAt(now: now).map { now.wall.duration(to: $0) }
    }

    /// The smallest one that has been reached.
    private static func threshold(_ left: Duration) -> Int? {
        thresholdsInDays.filter { left <= .days(Int64($0)) }.min()
    }

    /// Told once a threshold. A newer refresh token begins anew.
    mutating func warnOfRefreshTokenEnd(now: Moment) -> [LifecycleAction] {
        let left = signInLeft(now: now)
        let reached = left.flatMap(Self.threshold) ?? .max
        defer { warnedDays = reached }
        guard reached < warnedDays, let left else { return [] }
        // Begun days: of two weeks to the minute nobody says thirteen days.
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
