internal import TokenFormats

extension MetricsReport {
    /// The metrics that alerts use (config/evertoken.alerts.yml), in OpenMetrics 1.0.
    package var openMetrics: String { text(.openMetrics) }

    /// The metrics in either format.
    package func text(_ format: MetricsFormat) -> String {
        var writer = MetricsWriter(self, format)
        return String(decoding: writer.next(atLeast: .max).bytes, as: UTF8.self)
    }
}

/// Writes the text of a scrape in pieces: at 100 000 credentials it has more than 100 MB.
package struct MetricsWriter: Sendable {
    private let report: MetricsReport
    private var text: MetricsText
    /// The family that is written, and how many of its samples are.
    private var (family, position) = (0, 0)

    /// A writer that has written nothing.
    package init(_ report: MetricsReport, _ format: MetricsFormat) {
        (self.report, text) = (report, MetricsText(format: format))
    }

    /// The next piece of the text, in UTF-8.
    ///
    /// - Parameter count: Bytes of the piece, if as many are left; it is little longer.
    package mutating func next(atLeast count: Int) -> (bytes: [UInt8], isLast: Bool) {
        if family == 0, position == 0 { text.daemon(report) }
        let families = CredentialFamily.all
        while family < families.count {
            let current = families[family]
            if position == 0 { current.begin(&text) }
            while position < report.credentials.count {
                current.sample(&text, report.credentials[position])
                position += 1
                // A position of 0 begins a family.
                if text.bytes.count >= count { return (text.take(), false) }
            }
            (family, position) = (family + 1, 0)
        }
        text.durations(report.durations)
        if let steps = report.steps { text.steps(steps) }
        text.end()
        return (text.take(), true)
    }
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
