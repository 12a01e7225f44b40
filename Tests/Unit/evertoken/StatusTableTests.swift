import Testing

@testable import TokenControl
@testable import TokenFormats
@testable import evertoken

@Suite("The table of status") struct StatusTableTests {
    private typealias Example = StatusExamples

    @Test("the first line counts, and the worst stands first")
    func summary() {
        let lines = Example.table([
            Example.entry("a"), Example.entry("b", "refreshing"),
            Example.entry("c", "misconfigured"), Example.entry("d", "login_required"),
            Example.entry("e", "quarantined"), Example.entry("f", "retrying"),
            Example.entry("g", "expired", life: -120),
            Example.entry("h", "retrying", more: [("condition", "undelivered")]),
            Example.entry("i", "pending", life: nil, more: [("condition", "failing")]),
            Example.entry("j", "pending", life: nil),
        ]).lines
        #expect(
            lines[0] == "2 of 10 fresh, 2 need a person, 1 misconfigured, 1 expired, 1 failing, "
                + "1 undelivered, 1 pending, 1 retrying")
        #expect(
            lines.dropFirst(2).map { $0.prefix(1) }.joined() == "decgihjfab",
            "those without a token in vain first, those that are well last")
        #expect(lines[5] == "g           expired         expired 2 min ago  40 min")
        #expect(lines[6] == "i           failing         -                  40 min")
    }

    @Test("one needs a person; none at all is said so")
    func words() {
        #expect(
            Example.table([Example.entry("a", "login_required")]).lines[0]
                == "0 of 1 fresh, 1 needs a person")
        #expect(Example.table([Example.entry("a")]).lines[0] == "1 of 1 fresh")
        #expect(Example.table([]).lines == ["no credentials"])
    }

    @Test("of equally bad ones those whose token has ended stand first, then by name")
    func order() {
        let lines = Example.table([
            Example.entry("a", "login_required"), Example.entry("c", "login_required", life: -1),
            Example.entry("b", "login_required", life: nil),
        ]).lines
        #expect(lines.dropFirst(2).map { $0.prefix(1) }.joined() == "bca")
    }

    @Test("one with a warning or a failing program stands before those that are well")
    func warned() {
        let warning: [(String, JSONNode)] = [("warnings", ["the refresh token ends in 2 d"])]
        let hook: [(String, JSONNode)] = [
            ("failing_hooks", [["program": "/bin/x", "problem": "p", "failures": 2]])
        ]
        let lines = Example.table([
            Example.entry("a"), Example.entry("b", more: warning), Example.entry("c", more: hook),
        ]).lines
        #expect(lines.dropFirst(2).prefix(3).map { $0.prefix(1) }.joined() == "bca")
        #expect(lines[5] == "b: the refresh token ends in 2 d.")
        #expect(lines[6] == "c: the program /bin/x of on_change failed: p, 2 times in a row.")
    }

    @Test("an attempt that is due is now, after a failure a retry; there is no 0 s")
    func due() {
        let table = Example.table([
            Example.entry("a", life: 0, next: 0),
            Example.entry("b", "retrying", next: 0, error: Example.error("p")),
            Example.entry("c", "retrying", next: 12, error: Example.error("p")),
            Example.entry("d", more: [("expires_at", JSONNode(.null))]),
        ])
        let rows = Dictionary(
            uniqueKeysWithValues: table.lines.dropFirst().prefix(5).map {
                (String($0.prefix(1)), $0)
            })
        #expect(rows["a"]?.hasSuffix("expired just now  now") == true)
        #expect(rows["b"]?.hasSuffix("1 h               retry now") == true)
        #expect(rows["c"]?.hasSuffix("1 h               12 s") == true)
        #expect(rows["d"]?.contains("never") == true)
    }

    @Test("no word of a class is printed, in the table or the page")
    func classes() {
        let entry = Example.entry("a", "expired", error: Example.error("it is so"))
        let page = StatusPage(report: CredentialReport(json: entry), now: Example.noon).lines
        for lines in [Example.table([entry]).lines, page] {
            #expect(lines.contains("a: it is so."))
            #expect(!lines.joined().contains("reauth"))
        }
    }

    @Test("wide shows provider, last refresh and cause; only rows are only rows")
    func wide() {
        let error = Example.error("p", more: [("cause", "name_unresolved")])
        var table = Example.table([
            Example.entry(
                "a", "expired", error: error, more: [("last_refresh_at", Example.time(-7200))])
        ])
        table.isWide = true
        #expect(table.lines[1].split(separator: " ").first == "CREDENTIAL")
        #expect(table.lines[1].contains("PROVIDER"))
        table.hasOnlyRows = true
        #expect(table.lines == ["a  acme  expired  1 h  40 min  2 h ago  name_unresolved"])
    }
}

@Suite("Names in a column that is too narrow") struct NameCuttingTests {
    private let long = "adobe-ims-production-eu-west-1"

    @Test("nothing is cut where no terminal is")
    func whole() {
        let name = String(repeating: "n", count: 64)
        let lines = StatusExamples.table([StatusExamples.entry(name)]).lines
        #expect(lines[2].hasPrefix(name + "  fresh"))
        let style = TextStyle.plain
        let text = String(repeating: "word ", count: 60)
        #expect(style.wrapped(text, indent: "  ") == ["  " + text])
    }

    @Test("on a terminal the middle goes, so that heads and tails tell names apart")
    func middle() {
        let names = [long, "adobe-ims-production-us-east-2", "crm"]
        #expect(
            NameCutting.fitted(names, 15, "~") == ["adobe-i~-west-1", "adobe-i~-east-2", "crm"])
        #expect(NameCutting.fitted(names, 40, "~") == names)
    }

    @Test("names that differ only in their middle are cut elsewhere, or not at all")
    func collisions() {
        let names = ["aaaaXaaaaaaaaaa", "aaaaYaaaaaaaaaa"]
        let cut = NameCutting.fitted(names, 10, "~")
        #expect(Set(cut).count == 2)
        #expect(cut.allSatisfy { $0.count == 10 })
        let hopeless = ["aaaaaaaaaaXaaaaaaaaaa", "aaaaaaaaaaYaaaaaaaaaa"]
        #expect(NameCutting.fitted(hopeless, 8, "~") == hopeless)
    }

    @Test("every row and sentence fits 80 columns, and a problem shows which row it is of")
    func terminal() {
        let table = StatusExamples.table(
            [
                StatusExamples.entry(
                    "adobe-ims-production-eu-west-1-and-a-lot-of-other-places",
                    "login_required", life: -120,
                    error: StatusExamples.error(String(repeating: "so it is ", count: 30)))
            ], width: 80)
        #expect(table.lines.allSatisfy { $0.count <= 80 })
        #expect(table.lines[2].hasPrefix("adobe-ims"))
        #expect(table.lines[2].contains("other-places  login_required"))
    }
}
