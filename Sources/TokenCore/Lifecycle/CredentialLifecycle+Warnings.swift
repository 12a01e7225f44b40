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
    /// off, as long as it works: a token that is renewed every half hour always ends within the
    /// hour, and nobody needs to come for that.
    public var signInDueAt: WallTime? {
        if configuration.profile.acquire != nil { return nil }
        return isRefreshTokenPostponed && failures == 0 ? nil : grant.refreshTokenExpiresAt
    }

    /// What is left until then, once that is 14 days or less.
    public func endingSignIn(now: Moment) -> Duration? {
        guard let left = signInLeft(now: now), Self.threshold(left) != nil else { return nil }
        return left
    }

    private func signInLeft(now: Moment) -> Duration? {
        signInDueAt.map { now.wall.duration(to: $0) }
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
        return [.report(.refreshTokenEnds(days: max(0, Int(left.components.seconds / 86_400))))]
    }

    /// When the next threshold is reached.
    func warningAt(now: Moment) -> Uptime? {
        guard let left = signInLeft(now: now) else { return nil }
        let next = Self.thresholdsInDays.filter { $0 < warnedDays }.max()
        return next.map { now.uptime.advanced(by: max(.zero, left - .days(Int64($0)))) }
    }
}
