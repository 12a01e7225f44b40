internal import TokenConfiguration
internal import TokenControl
internal import TokenFormats
internal import TokenProviders
internal import TokenScheduling
internal import TokenSlots

// What the loop reports to the tally, and what it collects for a scrape.
extension EngineLoop {
    /// Called at a reload: removed credentials lose their series.
    mutating func noteConfigured(_ update: ConfigurationUpdate) {
        let touched = update.touched.map { ($0.name, $0.profile.name) }
        tally.configure(
            Dictionary(uniqueKeysWithValues: touched), without: update.changes.removed,
            among: update.providers, at: now.wall)
    }

    /// Called at the start.
    mutating func noteConfigured() {
        let providers = configuration.credentials.map { ($0.name, $0.profile.name) }
        tally.configure(Dictionary(uniqueKeysWithValues: providers), at: now.wall)
    }

    mutating func noteRenewal(_ order: AttemptOrder, _ ticket: Ticket, _ name: String) {
        if order.isRenewal { tally.began(name, ticket, at: now.uptime) }
    }

    /// Called before the lifecycle handles the event, while the former number of successes is
    /// known.
    mutating func noteEnded(_ event: LifecycleEvent, _ name: String) {
        guard case .attemptEnded(let ticket, let report) = event else { return }
        let before = credentials[name]?.grant.attempts.successes ?? 0
        tally.ended(name, ticket, report.outcome(after: before), at: now.uptime)
    }

    func metricsReport(after name: String?) -> MetricsReport {
        var report = credentials.metricsReport(
            isReady: isReady, startedAt: startedAt.wall, now: now, mistakes: mistakes.count,
            tally: tally, after: name)
        report.steps = world.steps.durations()
        return report
    }

    /// 503 unless every credential of the slice is served, saved and written.
    func health(after name: String? = nil) -> ControlReply {
        let health = credentials.healthReport(isReady: isReady, now: now, after: name)
        return ControlReply(health.isHealthy ? 200 : 503, .health(health))
    }
}
