internal import TokenFormats
internal import TokenProviders

extension MetricsReport {
    /// The metrics that alerts use (config/evertoken.alerts.yml), in OpenMetrics 1.0.
    package var openMetrics: String { text(.openMetrics) }

    /// The metrics in either format.
    package func text(_ format: MetricsFormat) -> String {
        let named = credentials.sorted { $0.name < $1.name }.map {
            Labelled(metrics: $0, label: MetricsText.label("credential", $0.name))
        }
        var text = MetricsText(capacity: 4096 + 1600 * named.count, format: format)
        text.daemon(self)
        text.times(named)
        text.states(named)
        text.attempts(named)
        text.durations(durations)
        if let steps { text.steps(steps) }
        text.end()
        return text.text
    }
}

/// A credential with its label, which about twenty samples share.
private struct Labelled {
    var metrics: CredentialMetrics
    var label: String
}

extension MetricsText {
    fileprivate mutating func daemon(_ report: MetricsReport) {
        family("evertoken_build", .info, "The version that is running.")
        sample("_info", Self.label("version", evertokenVersion), 1)
        family(
            "evertoken_start_timestamp_seconds", .gauge, unit: "seconds", "When the daemon started."
        )
        sample("", "", report.startedAt.epochSeconds)
        family(
            "evertoken_clock_timestamp_seconds", .gauge, unit: "seconds",
            "The wall clock of the daemon's host.")
        sample("", "", report.now.epochSeconds)
        family("evertoken_ready", .gauge, "Whether every credential has been settled once.")
        sample("", "", report.isReady ? 1 : 0)
        family(
            "evertoken_configuration_mistakes", .gauge,
            "Mistakes for which the last reload was refused; 0 when it was not.")
        sample("", "", Int64(report.mistakes))
    }

    fileprivate mutating func times(_ credentials: [Labelled]) {
        family("evertoken_credential", .info, "The provider of each credential.")
        for one in credentials {
            sample("_info", one.label + "," + Self.label("provider", one.metrics.provider), 1)
        }
        time(
            credentials, "evertoken_access_token_expiry_timestamp_seconds",
            "When the newest access token ends; absent when it never does.", \.expiresAt)
        time(
            credentials, "evertoken_refresh_token_expiry_timestamp_seconds",
            "When the refresh token ends, where that is known.", \.refreshTokenExpiresAt)
        time(
            credentials, "evertoken_sign_in_due_timestamp_seconds",
            "When a person must sign in: the end of a refresh token that no refresh postpones, "
                + "where that is known.", \.signInDueAt)
        time(
            credentials, "evertoken_last_refresh_timestamp_seconds",
            "When the last successful refresh was sent.", \.lastRefreshAt)
        time(
            credentials, "evertoken_next_refresh_timestamp_seconds",
            "When the next attempt is planned; absent while one is under way, and while a person "
                + "is needed.", \.nextRefreshAt)
        family(
            "evertoken_refresh_lateness_seconds", .gauge, unit: "seconds",
            "How long the renewal that is due now is overdue; if none is, how late the last one "
                + "was started.")
        for one in credentials { sample("", one.label, one.metrics.lateness) }
    }

    private mutating func time(
        _ credentials: [Labelled], _ name: String, _ help: String,
        _ time: KeyPath<CredentialMetrics, WallTime?>
    ) {
        family(name, .gauge, unit: "seconds", help)
        for one in credentials {
            guard let time = one.metrics[keyPath: time] else { continue }
            sample("", one.label, time.epochSeconds)
        }
    }

    fileprivate mutating func states(_ credentials: [Labelled]) {
        family("evertoken_credential_state", .stateset, "The state of each credential.")
        let states = CredentialState.allCases.map {
            ($0, "," + Self.label("evertoken_credential_state", $0.rawValue))
        }
        for one in credentials {
            for (state, label) in states {
                sample("", one.label + label, one.metrics.state == state ? 1 : 0)
            }
        }
        family(
            "evertoken_consecutive_failures", .gauge, "Failed attempts since the last success.")
        for one in credentials { sample("", one.label, Int64(one.metrics.failures)) }
        family(
            "evertoken_output_problem", .gauge, "Whether the newest token is not in every file.")
        for one in credentials { sample("", one.label, one.metrics.hasOutputProblem ? 1 : 0) }
        family(
            "evertoken_storage_problem", .gauge,
            "Whether the file system of the state does not take what must be saved.")
        for one in credentials { sample("", one.label, one.metrics.hasStorageProblem ? 1 : 0) }
        family(
            "evertoken_hook_failures", .gauge,
            "Failures in a row of a program of on_change; 0 when all have worked for the newest "
                + "token.")
        for one in credentials { sample("", one.label, Int64(one.metrics.hookFailures)) }
    }

    fileprivate mutating func attempts(_ credentials: [Labelled]) {
        family(
            "evertoken_refreshes", .counter,
            "Successful refreshes of all time; a restart does not end the count.")
        for one in credentials { sample("_total", one.label, one.metrics.refreshes) }
        family(
            "evertoken_refresh_attempts", .counter,
            "Ended attempts to refresh since the start; \"class\" is that of last_error in status.")
        for one in credentials {
            let attempts = one.metrics.attempts
            let labels = one.label + "," + Self.label("provider", attempts.provider)
            sample("_total", labels + ",result=\"success\",class=\"none\"", attempts.successes)
            for failure in FailureClass.allCases {
                guard let count = attempts.failures[failure] else { continue }
                let label = Self.label("class", failure.rawValue)
                sample("_total", "\(labels),result=\"failure\",\(label)", count)
            }
        }
    }

    fileprivate mutating func durations(_ providers: [String: DurationHistogram]) {
        family(
            "evertoken_refresh_duration_seconds", .histogram, unit: "seconds",
            "From an attempt's start until its end was on the disk.")
        for (provider, histogram) in providers.sorted(by: { $0.key < $1.key }) {
            samples(of: histogram, Self.label("provider", provider))
        }
    }

    fileprivate mutating func steps(_ steps: LoopStepDurations) {
        family(
            "evertoken_loop_step_seconds", .histogram, unit: "seconds",
            "How long each step of the daemon's loop took; nothing else begins meanwhile.")
        samples(of: steps.wall)
        family(
            "evertoken_loop_step_cpu_seconds", .histogram, unit: "seconds",
            "How much processor time of the loop's thread each of its steps took.")
        samples(of: steps.cpu)
    }

    private mutating func samples(of histogram: DurationHistogram, _ label: String = "") {
        let before = label.isEmpty ? "" : label + ","
        var sum: Int64 = 0
        for (index, count) in histogram.counts.enumerated() {
            let bounds = histogram.bounds
            let bound = index < bounds.count ? String(bounds[index]) : "+Inf"
            sum += count
            sample("_bucket", "\(before)le=\"\(bound)\"", sum)
        }
        sample("_count", label, sum)
        sample("_sum", label, histogram.sum)
        created(label, histogram.createdAt)
    }
}
