// A refresh token that ends takes a person: they hear of it days before, in the journal, in status
// and in the metrics alike.
extension CredentialLifecycle {
    private static let thresholdsInDays = [14, 7, 3, 1]

    /// Which of 14, 7, 3 and 1 days the refresh token's remaining life has fallen to; `nil` while
    /// there is more, and where refreshing puts its end off.
    public func refreshTokenWarning(now: Moment) -> Int? {
        guard let left = refreshTokenLife(now: now) else { return nil }
        return thresholds.filter { left <= .days(Int64($0)) }.min()
    }

    /// Of the refresh token, by the wall clock.
    public func refreshTokenLife(now: Moment) -> Duration? {
        grant.refreshTokenExpiresAt.map { now.wall.duration(to: $0) }
    }

    /// None where each refresh puts the end off, as long as refreshing works: a token that is
    /// renewed every half hour always ends within the hour, and nobody needs to come for that.
    private var thresholds: [Int] {
        let isPutOff: Bool
        switch rules.refreshTokenExpiry {
        case .sliding: isPutOff = true
        case .fixed, .inherited: isPutOff = false
        case nil:
            let isShort = grant.refreshTokenLifetime.map { $0 <= .days(14) } ?? false
            isPutOff = grant.isRefreshTokenEndFixed.map { !$0 } ?? (isRotating && isShort)
        }
        return isPutOff && failures == 0 ? [] : Self.thresholdsInDays
    }

    /// Told once a threshold. A newer refresh token begins anew.
    mutating func warnOfRefreshTokenEnd(now: Moment) -> [LifecycleAction] {
        let reached = refreshTokenWarning(now: now) ?? .max
        defer { warnedDays = reached }
        guard reached < warnedDays, let left = refreshTokenLife(now: now) else { return [] }
        return [.report(.refreshTokenEnds(days: max(0, Int(left.components.seconds / 86_400))))]
    }

    /// When the next threshold is reached.
    func warningAt(now: Moment) -> Uptime? {
        guard let left = refreshTokenLife(now: now) else { return nil }
        let next = thresholds.filter { $0 < warnedDays }.max()
        return next.map { now.uptime.advanced(by: max(.zero, left - .days(Int64($0)))) }
    }
}
