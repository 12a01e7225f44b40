internal import TokenCore

// What the loop tells the tally, and what it gathers for a scrape.
extension EngineLoop {
    /// After every change of the configuration: what is gone loses its series.
    mutating func noteConfigured() {
        let providers = configuration.credentials.map { ($0.name, $0.profile.name) }
        tally.configure(Dictionary(uniqueKeysWithValues: providers), at: now.wall)
    }

    mutating func noteRenewal(_ order: AttemptOrder, _ ticket: Ticket, _ name: String) {
        if order.isRenewal { tally.began(name, ticket, at: now.uptime) }
    }

    /// Before the lifecycle hears of it: then the successes there were are still known.
    mutating func noteEnded(_ event: LifecycleEvent, _ name: String, now: Moment) {
        guard case .attemptEnded(let ticket, let report) = event else { return }
        let before = fleet[name]?.grant.attempts.successes ?? 0
        tally.ended(name, ticket, report.outcome(after: before), at: now.uptime)
    }

    func metricsReport(now: Moment) -> MetricsReport {
        var report = fleet.metricsReport(
            isReady: isReady, startedAt: startedAt.wall, now: now, mistakes: mistakes.count,
            tally: tally)
        report.steps = world.steps.durations()
        return report
    }

    /// 503 unless every credential is served, saved and written.
    func health(now: Moment) -> ControlReply {
        let health = fleet.healthReport(isReady: isReady, now: now)
        return ControlReply(health.isHealthy ? 200 : 503, health.json)
    }
}
