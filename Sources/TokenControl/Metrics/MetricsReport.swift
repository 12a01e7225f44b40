internal import TokenConfiguration
package import TokenFormats
internal import TokenProviders
internal import TokenScheduling
internal import TokenSlots

/// The values of one scrape: collected quickly in the loop, and rendered as text elsewhere.
package struct MetricsReport: Sendable, Equatable {
    /// When the daemon started.
    package var startedAt: WallTime
    /// The daemon's wall clock.
    package var now: WallTime
    /// Whether every credential has been settled once, and no stop has begun.
    package var isReady: Bool
    /// Mistakes of the last reload, if it was refused.
    package var mistakes: Int
    /// How many credentials one slice of a report covers.
    static let slice = 512

    /// In name order.
    package var credentials: [CredentialMetrics] = []
    /// The name after which the next slice of the report begins; `nil` in the last one, and in a
    /// whole report.
    package var next: String?
    /// By provider.
    package var durations: [String: DurationHistogram] = [:]
    /// `nil` where the loop's steps are not measured.
    package var steps: LoopStepDurations?

    /// A report without credentials.
    package init(startedAt: WallTime, now: WallTime, isReady: Bool, mistakes: Int) {
        (self.startedAt, self.now) = (startedAt, now)
        (self.isReady, self.mistakes) = (isReady, mistakes)
    }

    /// Adds the credentials of the slice that follows this one.
    package mutating func append(_ slice: MetricsReport) {
        credentials += slice.credentials
        next = slice.next
    }
}

/// The values of one credential in a scrape.
package struct CredentialMetrics: Sendable, Equatable {
    var name: String
    var provider: String
    var state: CredentialState
    var expiresAt: WallTime?
    var nextRefreshAt: WallTime?
    var refreshTokenExpiresAt: WallTime?
    var signInDueAt: WallTime?
    var lastRefreshAt: WallTime?
    var failures: Int
    /// Successful refreshes over all restarts.
    var refreshes: Int64
    var lateness: Duration
    var hasOutputProblem: Bool
    var hasStorageProblem: Bool
    /// The most consecutive failures of any program of `on_change`; 0 when all work.
    var hookFailures: Int
    /// Counted since the start.
    var attempts: MetricsTally.Attempts

    init(
        _ lifecycle: borrowing CredentialLifecycle, _ attempts: MetricsTally.Attempts?, now: Moment
    ) {
        name = lifecycle.name
        provider = lifecycle.configuration.profile.name
        state = lifecycle.state
        expiresAt = lifecycle.grant.access?.told(by: now).expiresAt
        nextRefreshAt = lifecycle.nextAttemptAt.map { now.wall(at: $0) }
        refreshTokenExpiresAt = lifecycle.grant.refreshTokenExpiresAt
        signInDueAt = lifecycle.signInDueAt(now: now)
        lastRefreshAt = lifecycle.grant.attempts.lastSuccessAt?.wall
        failures = lifecycle.failures
        refreshes = lifecycle.grant.attempts.successes
        lateness = lifecycle.lateness(now: now.uptime)
        hasOutputProblem = lifecycle.hasOutputProblem
        hasStorageProblem = lifecycle.hasStorageProblem
        hookFailures = lifecycle.failingHooks.map(\.failures).max() ?? 0
        self.attempts = attempts ?? MetricsTally.Attempts(provider: provider)
    }
}

extension CredentialSet {
    /// Collects the values of one slice of a scrape. It renders nothing.
    ///
    /// - Parameters:
    ///   - isReady: Whether READY=1 was sent.
    ///   - startedAt: When the daemon started.
    ///   - now: The present time.
    ///   - mistakes: Mistakes of the last reload; 0 if it succeeded.
    ///   - tally: The counters.
    ///   - name: Where the last slice ended; `nil` for the first one.
    package func metricsReport(
        isReady: Bool, startedAt: WallTime, now: Moment, mistakes: Int, tally: MetricsTally,
        after name: String? = nil
    ) -> MetricsReport {
        var report = MetricsReport(
            startedAt: startedAt, now: now.wall, isReady: isReady && !isStopping,
            mistakes: mistakes)
        report.next = visit(after: name, limit: MetricsReport.slice) {
            report.credentials.append(CredentialMetrics($0, tally.attempts[$0.name], now: now))
        }
        report.durations = tally.durations
        return report
    }
}
