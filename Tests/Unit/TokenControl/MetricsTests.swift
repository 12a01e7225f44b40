import Testing

@testable import TokenControl
@testable import TokenFormats
@testable import TokenProviders
@testable import TokenScheduling
@testable import TokenSlots

@Suite("The tally of renewals") struct MetricsTallyTests {
    private let noon = Uptime(.seconds(1000))
    private let created = WallTime(epochSeconds: 1_795_000_000)

    private func tally(_ providers: [String: String] = ["crm": "acme"]) -> MetricsTally {
        var tally = MetricsTally()
        tally.configure(providers, at: created)
        return tally
    }

    private func ended(
        _ tally: inout MetricsTally, _ outcome: MetricsTally.Outcome?, after: Duration = .zero
    ) {
        tally.began("crm", Ticket(1), at: noon)
        tally.ended("crm", Ticket(1), outcome, at: noon.advanced(by: after))
    }

    @Test("successes, failures by class and durations are counted")
    func counts() {
        var tally = tally()
        #expect(tally.attempts["crm"] == .init(provider: "acme"))
        ended(&tally, .success, after: .milliseconds(300))
        ended(&tally, .failure(.transient), after: .seconds(61))
        ended(&tally, .failure(.transient), after: .milliseconds(50))
        ended(&tally, .failure(.rateLimited))
        #expect(tally.attempts["crm"]?.successes == 1)
        #expect(tally.attempts["crm"]?.failures == [.transient: 2, .rateLimited: 1])
        #expect(tally.durations["acme"]?.counts == [2, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1])
        #expect(tally.durations["acme"]?.sum == .milliseconds(61_350))
        #expect(tally.durations["acme"]?.createdAt == created)
    }

    @Test("an attempt that had nothing to ask for is none")
    func nothing() {
        var tally = tally()
        ended(&tally, nil)
        #expect(tally == self.tally())
    }

    @Test("what is configured no longer is forgotten, whatever still ends")
    func bounds() {
        var tally = tally(["crm": "acme", "drive": "acme"])
        ended(&tally, .success)
        tally.began("crm", Ticket(2), at: noon)
        tally.configure(["drive": "acme"], at: created)
        tally.ended("crm", Ticket(2), .success, at: noon)
        #expect(tally.attempts.keys.sorted() == ["drive"])
        #expect(tally.durations["acme"]?.counts.reduce(0, +) == 1, "another one uses it still")
        tally.began("crm", Ticket(3), at: noon)
        tally.configure([:], at: created)
        #expect(tally == MetricsTally())
    }

    @Test("an answer of a former life of the same name is dropped, and a new provider begins anew")
    func formerLife() {
        var tally = tally()
        ended(&tally, .success)
        tally.began("crm", Ticket(2), at: noon)
        tally.configure(["crm": "other"], at: created)
        tally.ended("crm", Ticket(2), .success, at: noon)
        #expect(tally == self.tally(["crm": "other"]))
        tally.began("crm", Ticket(4), at: noon)
        tally.ended("crm", Ticket(3), .success, at: noon)
        #expect(tally.attempts["crm"]?.successes == 0)
    }

    @Test("only a new token is a success; a failure has the class that status shows")
    func outcomes() {
        var grant = CredentialRecord()
        grant.attempts.successes = 3
        func outcome(_ end: AttemptReport.End, grant: CredentialRecord?) -> MetricsTally.Outcome? {
            AttemptReport(grant: grant, end: end, attemptID: "x").outcome(after: 2)
        }
        #expect(outcome(.granted([]), grant: grant) == .success)
        grant.attempts.successes = 2
        #expect(outcome(.granted([]), grant: grant) == nil, "a seed was adopted")
        let refusal = Refusal(.transient, problem: "p")
        #expect(outcome(.refused(refusal), grant: nil) == .failure(.transient))
        grant.attempts.lastError = StoredError(
            failureClass: .reauth, problem: "p", at: created)
        #expect(outcome(.refused(refusal), grant: grant) == .failure(.reauth))
        let storage = Refusal(.storage, problem: "p")
        #expect(outcome(.refused(storage), grant: grant) == .failure(.storage))
        for end: AttemptReport.End in [
            .needsLogin, .unreadable, .foreign(Cause(.stateCopied, CauseFacts(detail: "p"))),
            .signInFailed(refusal),
        ] {
            #expect(outcome(end, grant: grant) == nil)
        }
    }

    @Test("a bucket holds its bound; a clock that went back is no negative duration")
    func buckets() {
        var histogram = DurationHistogram(createdAt: created)
        for bound in DurationHistogram.refreshBounds {
            histogram.observe(.milliseconds(Int(bound * 1000)))
        }
        #expect(histogram.counts == [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0])
        histogram.observe(.seconds(60) + .nanoseconds(1))
        histogram.observe(.seconds(-5))
        #expect(histogram.counts.first == 2 && histogram.counts.last == 1)
        #expect(histogram.sum > .seconds(100))
    }
}

@Suite("OpenMetrics text") struct MetricsTextTests {
    @Test("backslash, quote and line feed are escaped, in labels and in help")
    func escaping() {
        #expect(MetricsText.label("a", "b\\c\"d\ne") == #"a="b\\c\"d\ne""#)
        #expect(MetricsText.label("a", "crm-main.1_x") == #"a="crm-main.1_x""#)
        var text = MetricsText()
        text.family("x_seconds", .gauge, unit: "seconds", "A \"b\"\nc \\ d.")
        #expect(
            text.written == """
                # TYPE x_seconds gauge
                # UNIT x_seconds seconds
                # HELP x_seconds A \\"b\\"\\nc \\\\ d.

                """)
    }

    @Test(
        "durations are written as seconds, never with an exponent",
        arguments: [
            (Duration.zero, "0"), (.seconds(61), "61"), (.milliseconds(1250), "1.250000"),
            (.microseconds(7), "0.000007"), (.milliseconds(-500), "-0.500000"),
            (.milliseconds(-1500), "-1.500000"), (.nanoseconds(1), "0"),
        ])
    func durations(_ duration: Duration, _ written: String) {
        var text = MetricsText()
        text.sample("", "", duration)
        #expect(text.written == " \(written)\n")
    }

    @Test("a report without any credential is whole: every family, and one EOF at the end")
    func empty() {
        let noon = WallTime(epochSeconds: 1_795_000_000)
        let report = MetricsReport(
            startedAt: noon, now: noon.advanced(by: .seconds(7)), isReady: true, mistakes: 2)
        let text = report.openMetrics
        #expect(text.hasSuffix("\n# EOF\n"))
        #expect(text.split(separator: "\n").filter { $0 == "# EOF" }.count == 1)
        #expect(text.contains("\nevertoken_start_timestamp_seconds 1795000000\n"))
        #expect(text.contains("\nevertoken_clock_timestamp_seconds 1795000007\n"))
        #expect(text.contains("\nevertoken_ready 1\n"))
        #expect(text.contains("\nevertoken_configuration_mistakes 2\n"))
        #expect(text.contains(#"evertoken_build_info{version="\#(evertokenVersion)"} 1"#))
        #expect(!text.contains("credential=\""))
    }

    @Test("a histogram's buckets add up to its count, and say when they began")
    func histogram() {
        let noon = WallTime(epochSeconds: 1_795_000_000)
        var report = MetricsReport(startedAt: noon, now: noon, isReady: false, mistakes: 0)
        var histogram = DurationHistogram(createdAt: noon)
        for milliseconds in [20, 80, 700, 90_000] { histogram.observe(.milliseconds(milliseconds)) }
        report.durations = ["acme": histogram]
        let lines = report.openMetrics.split(separator: "\n").filter {
            $0.hasPrefix("evertoken_refresh_duration_seconds_")
        }
        let counts = [1, 2, 2, 2, 3, 3, 3, 3, 3, 3]
        let bounds = ["0.05", "0.1", "0.25", "0.5", "1.0", "2.5", "5.0", "10.0", "30.0", "60.0"]
        let name = "evertoken_refresh_duration_seconds"
        #expect(
            lines == zip(bounds, counts).map {
                "\(name)_bucket{provider=\"acme\",le=\"\($0)\"} \($1)"
            } + [
                "\(name)_bucket{provider=\"acme\",le=\"+Inf\"} 4",
                "\(name)_count{provider=\"acme\"} 4", "\(name)_sum{provider=\"acme\"} 90.800000",
                "\(name)_created{provider=\"acme\"} 1795000000",
            ])
    }
}

@Suite("Prometheus text") struct PrometheusTextTests {
    private func family(_ kind: MetricsText.Kind, _ help: String = "A.") -> [Substring] {
        var text = MetricsText(format: .prometheus)
        text.family("x_seconds", kind, unit: "seconds", help)
        return text.written.split(separator: "\n")
    }

    @Test(
        "a family has its samples' name and a kind of the older format",
        arguments: [
            (MetricsText.Kind.gauge, "x_seconds", "gauge"),
            (.counter, "x_seconds_total", "counter"),
            (.histogram, "x_seconds", "histogram"), (.stateset, "x_seconds", "gauge"),
            (.info, "x_seconds_info", "gauge"),
        ])
    func kinds(_ kind: MetricsText.Kind, _ name: String, _ word: String) {
        #expect(family(kind) == ["# HELP \(name) A.", "# TYPE \(name) \(word)"])
    }

    @Test("in a help only the backslash and the line feed are escaped")
    func help() {
        #expect(family(.gauge, "a \"b\"\nc \\ d")[0] == #"# HELP x_seconds a "b"\nc \\ d"#)
    }

    @Test("it has neither units, nor an end, nor times of creation; the rest is the same")
    func report() {
        let noon = WallTime(epochSeconds: 1_795_000_000)
        var report = MetricsReport(startedAt: noon, now: noon, isReady: true, mistakes: 0)
        report.durations = ["acme": DurationHistogram(createdAt: noon)]
        let samples = { (text: String) in
            text.split(separator: "\n").filter { !$0.hasPrefix("#") && !$0.contains("_created") }
        }
        let text = report.text(.prometheus)
        #expect(samples(text) == samples(report.openMetrics))
        for word in ["# UNIT", "# EOF", "_created", " info\n", " stateset\n"] {
            #expect(!text.contains(word))
        }
        #expect(report.openMetrics.contains("_created{"))
        #expect(text.contains("evertoken_refresh_duration_seconds_bucket{provider=\"acme\",le="))
    }
}

extension MetricsText {
    fileprivate var written: String { String(decoding: bytes, as: UTF8.self) }
}
