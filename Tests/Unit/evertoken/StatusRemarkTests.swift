import Testing

@testable import TokenFormats
@testable import evertoken

@Suite("What is wrong, below the table") struct StatusRemarkTests {
    private typealias Example = StatusExamples

    @Test("equal problems are said once, with one remedy; only the name may differ")
    func equal() {
        let troubled = ["docusign-legal", "quickbooks", "xero"].map { name in
            Example.entry(
                name, "login_required",
                error: Example.error(
                    "\"car\" holds the same refresh token",
                    remedy: "Run: evertoken login \(name)"))
        }
        let other = Example.entry("crm", "expired", error: Example.error("another"))
        let lines = Example.table(troubled + [other]).lines.dropFirst(6)
        #expect(
            Array(lines) == [
                "3 credentials: \"car\" holds the same refresh token: docusign-legal, "
                    + "quickbooks, xero.",
                "  Run: evertoken login NAME", "crm: another.", "  Do this.",
            ])
    }

    @Test("a name is replaced where it stands alone, not inside another one")
    func words() {
        #expect("login login.".replacingWord("login", with: "X") == "X X.")
        #expect(
            "relogin login-a login.b".replacingWord("login", with: "X") == "relogin login-a login.b"
        )
        #expect("\"a\": a, (a)".replacingWord("a", with: "NAME") == "\"NAME\": NAME, (NAME)")
        #expect("none".replacingWord("a", with: "X") == "none")
    }

    @Test("a sentence has one full stop, however the daemon sends it")
    func fullStops() {
        let error = Example.error("It is so.", remedy: "Do this, then wait.")
        let lines = Example.table([Example.entry("a", "expired", error: error)]).lines
        #expect(lines.suffix(2) == ["a: It is so.", "  Do this, then wait."])
    }

    @Test("a command at the end has no full stop, which could be part of a name")
    func commands() {
        #expect(ended("Run: evertoken login crm.") == "Run: evertoken login crm")
        #expect(
            ended("Sign in: evertoken login crm; or wait")
                == "Sign in: evertoken login crm; or wait")
        #expect(ended("Wait: it is tried again") == "Wait: it is tried again.")
        #expect(ended("evertoken does it") == "evertoken does it.")
    }

    @Test("different remedies are not joined")
    func different() {
        let entries = ["a", "b"].map { name in
            Example.entry(
                name, "expired",
                error: Example.error("p", remedy: name == "a" ? "Wait" : "Go"))
        }
        #expect(Example.table(entries).lines.suffix(4) == ["a: p.", "  Wait.", "b: p.", "  Go."])
    }

    @Test("since when, how often and until when, in the reader's time")
    func times() {
        let error = Example.error(
            "p",
            more: [
                ("since", Example.time(-3600)), ("tries", 4), ("until", Example.time(240)),
            ])
        let lines = Example.table([Example.entry("a", "retrying", error: error)]).lines
        #expect(
            lines.suffix(3) == [
                "a: p.", "  Since 09:00 UTC, 4 tries; a person is called at 10:04 UTC.",
                "  Do this.",
            ])
    }

    @Test("a single try, a time that is past and none at all are not told")
    func fewTimes() {
        let clock = ReaderClock.utc
        let now = Example.noon
        #expect(RemarkTimes().sentence(clock, now: now) == nil)
        #expect(RemarkTimes(tries: 1, until: now).sentence(clock, now: now) == nil)
        #expect(
            RemarkTimes(until: now.advanced(by: .seconds(60))).sentence(clock, now: now)
                == "A person is called at 10:01 UTC.")
    }

    @Test("of several the earliest times are told, and a number that is the same")
    func merged() {
        let (early, late) = (Example.noon, Example.noon.advanced(by: .seconds(9)))
        let one = RemarkTimes(since: late, tries: 3, until: nil)
        #expect(
            one.merged(with: RemarkTimes(since: early, tries: 3, until: late))
                == RemarkTimes(since: early, tries: 3, until: late))
        #expect(one.merged(with: RemarkTimes(tries: 2)).tries == nil)
    }

    @Test("a problem of before the reload is marked, wherever the daemon says it")
    func reload() {
        let told: [JSONNode] = [
            Example.entry(
                "a", "refreshing", error: Example.error("p", more: [("before_reload", true)])),
            Example.entry(
                "a", "refreshing", error: Example.error("p"), more: [("before_reload", true)]),
        ]
        for entry in told {
            #expect(Example.table([entry]).lines[3] == "a: p (before the reload).")
        }
    }

    @Test("on a terminal a long list of names ends; elsewhere it is whole")
    func many() {
        let entries = (10..<50).map { number in
            Example.entry("c\(number)", "expired", error: Example.error("p"))
        }
        let short = Example.table(entries, width: 80).lines.joined(separator: " ")
        #expect(short.split(separator: " ").joined(separator: " ").contains("c21 and 28 more."))
        #expect(Example.table(entries).lines.joined().contains("c48, c49."))
    }
}

@Suite("A reload that was refused") struct RefusedReloadTests {
    private func lines(_ texts: [String]) -> [String] { RefusedReload(texts).lines(.plain) }

    @Test("one head, the mistakes in the order of the file, and what to run")
    func oneHead() {
        let file = "/etc/evertoken/evertoken.json"
        let texts = [(5, 19), (9, 3), (9, 1), (10, 7), (6, 2)].map { line, column in
            "\(file):\(line):\(column): credentials.crm: is wrong: so; write it"
        }
        #expect(
            lines(texts) == [
                "the last reload was refused for \(file): 5 mistakes; the former one is in force",
                "  5:19 credentials.crm: is wrong: so; write it",
                "  6:2 credentials.crm: is wrong: so; write it",
                "  9:1 credentials.crm: is wrong: so; write it",
                "  9:3 credentials.crm: is wrong: so; write it",
                "  10:7 credentials.crm: is wrong: so; write it",
                "  Run: evertoken check; then evertoken reload",
            ])
    }

    @Test("of several files each line names its own; a text without a place stays whole")
    func severalFiles() {
        let told = lines(["/b:2:1: x: y", "cannot be read: no", "/a:1:1: x: y", "/b:1:1: x: y"])
        #expect(told[0].contains("4 mistakes"))
        #expect(
            told.dropFirst().dropLast() == [
                "  /b:1:1 x: y", "  /b:2:1 x: y", "  cannot be read: no", "  /a:1:1 x: y",
            ])
    }

    @Test("none is none")
    func none() { #expect(lines([]).isEmpty) }

    @Test("the summary says it too")
    func summary() {
        let lines = StatusExamples.table(
            [StatusExamples.entry("a")], more: [("configuration_mistakes", ["/a:1:1: x: y"])]
        ).lines
        #expect(lines[0] == "1 of 1 fresh; reload refused")
        #expect(lines.last == "  Run: evertoken check; then evertoken reload")
    }
}
