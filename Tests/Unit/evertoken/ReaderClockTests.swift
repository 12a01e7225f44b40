import Testing

@testable import TokenControl
@testable import TokenFormats
@testable import TokenProviders
@testable import TokenSlots
@testable import evertoken

@Suite("Times for people") struct ReaderClockTests {
    private let noon = StatusExamples.noon
    private let berlin = ReaderClock(secondsEast: { _ in 3600 }, isUTC: false)

    @Test("local time has its offset, and UTC says so")
    func dated() {
        #expect(ReaderClock.utc.dated(noon) == "2026-11-30 10:00:00 UTC")
        #expect(berlin.dated(noon) == "2026-11-30 11:00:00 +0100")
        let newfoundland = ReaderClock(secondsEast: { _ in -12_600 }, isUTC: false)
        #expect(newfoundland.dated(noon) == "2026-11-30 06:30:00 -0330")
        let greenwich = ReaderClock(secondsEast: { _ in 0 }, isUTC: false)
        #expect(greenwich.dated(noon) == "2026-11-30 10:00:00 +0000")
    }

    @Test("another day of the reader has its date")
    func short() {
        #expect(berlin.short(noon, now: noon) == "11:00")
        #expect(berlin.short(noon, now: noon, hasSeconds: true) == "11:00:00")
        // At 00:30 in Berlin the date in UTC is the previous day.
        let night = noon.advanced(by: .seconds(-37_800))
        #expect(ReaderClock.utc.short(night, now: noon) == "Nov 29 23:30 UTC")
        #expect(berlin.short(night, now: noon) == "00:30")
    }

    @Test("the zone's offset at that time counts, not today's")
    func summerTime() {
        let clock = ReaderClock(
            secondsEast: { $0 < 1_796_000_000 ? 7200 : 3600 }, isUTC: false)
        #expect(clock.dated(WallTime(epochSeconds: 1_795_999_999)).hasSuffix("+0200"))
        #expect(clock.dated(noon).hasSuffix("+0100"))
    }

    @Test(
        "what something took",
        arguments: [
            (Duration.milliseconds(350), "350 ms"), (.milliseconds(999), "999 ms"),
            (.milliseconds(6004), "6.0 s"), (.milliseconds(6050), "6.1 s"),
            (.milliseconds(59_940), "59.9 s"), (.milliseconds(59_960), "1 min"),
            (.seconds(125), "2 min"), (.milliseconds(-5), "0 ms"),
        ])
    func took(_ duration: Duration, _ words: String) { #expect(TimeWords.took(duration) == words) }

    @Test("there is no 0 s, before or after")
    func now() {
        let words = TimeWords(now: noon)
        #expect(words.left(until: noon) == nil)
        #expect(words.left(until: noon.advanced(by: .milliseconds(999))) == nil)
        #expect(words.left(until: noon.advanced(by: .seconds(1))) == "1 s")
        #expect(words.ago(noon) == "just now")
        #expect(words.ago(noon.advanced(by: .seconds(-120))) == "2 min ago")
    }
}

@Suite("What the history says of attempts") struct AttemptWordsTests {
    private func attempt(
        _ failureClass: FailureClass?, _ status: Int?, _ code: String? = nil
    ) -> PastAttempt {
        var attempt = PastAttempt(.refresh, at: StatusExamples.noon)
        (attempt.failureClass, attempt.httpStatus) = (failureClass, status)
        attempt.errorCode = code
        // Words that no result is made of.
        attempt.problem = "the provider answered \(status ?? 0) some_other_code"
        return attempt
    }

    @Test(
        "a result is told without the daemon's classes",
        arguments: [
            (nil, 200, nil, "ok"), (nil, nil, nil, "ok"),
            (.reauth, 400, "invalid_grant", "refused (400 invalid_grant)"),
            (.config, 401, "invalid_client", "refused (401 invalid_client)"),
            (.config, 404, nil, "refused (404)"),
            (.config, nil, nil, "not sent"), (.storage, nil, nil, "not sent"),
            (.transient, nil, nil, "not sent"),
            (.transient, 503, nil, "failed (503)"),
            (.transient, 200, nil, "not understood (200)"),
            (.ambiguous, nil, nil, "no answer"),
            (.rateLimited, 429, nil, "put off (429)"),
            (.tooEarly, 400, nil, "too early (400)"),
        ] as [(FailureClass?, Int?, String?, String)])
    func results(
        _ failureClass: FailureClass?, _ status: Int?, _ code: String?, _ words: String
    ) { #expect(attempt(failureClass, status, code).result == words) }

    @Test("no result is a word of a class", arguments: FailureClass.allCases)
    func noClass(_ failureClass: FailureClass) {
        for status in [nil, 200, 400, 503] {
            let result = attempt(failureClass, status).result
            #expect(!FailureClass.allCases.contains { result.contains($0.rawValue) })
        }
    }

    @Test("a sign-in is written as people write it")
    func kinds() {
        let words = PastAttempt.Kind.allCases.map { PastAttempt($0, at: StatusExamples.noon).what }
        #expect(words == ["refresh", "acquire", "sign-in", "import"])
    }

    @Test("the page tells the newest first, and the same problem once")
    func history() {
        let recent = [-1, -1, -60].map { seconds -> JSONNode in
            [
                "at": StatusExamples.time(seconds), "kind": "refresh", "result": "failure",
                "class": "transient", "http_status": 503, "problem": "answered 503",
                "milliseconds": 6004,
            ]
        }
        let entry = StatusExamples.entry("a", "retrying", more: [("recent", .array(recent))])
        let lines = StatusPage(report: CredentialReport(json: entry), now: StatusExamples.noon)
            .lines.suffix(5)
        #expect(
            Array(lines)
                == [
                    "  WHEN                          WHAT     RESULT        TOOK",
                    "  09:59:59 UTC  1 s ago    refresh  failed (503)  6.0 s", "    answered 503",
                    "  09:59:59 UTC  1 s ago    refresh  failed (503)  6.0 s",
                    "  09:59:00 UTC  1 min ago  refresh  failed (503)  6.0 s",
                ].map {
                    $0.hasPrefix("  WHEN")
                        ? "  WHEN                     WHAT     RESULT        TOOK" : $0
                })
    }
}
