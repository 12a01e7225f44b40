import Testing

@testable import TokenControl
@testable import TokenFormats
@testable import evertoken

/// A daemon with credentials in these states; it can ignore limits as an earlier version did.
private struct StubDaemon {
    var states: [(name: String, state: CredentialState)]
    var knowsPages = true

    func answer(_ query: StatusQuery) -> ControlReply {
        var report = StatusReport(state: .ready, startedAt: WallTime(.zero), credentials: [])
        let all = states.sorted { $0.name < $1.name }.map {
            CredentialStatus(name: $0.name, provider: "p", state: $0.state)
        }
        guard knowsPages else {
            report.credentials = all
            return ControlReply(200, .status(report))
        }
        let wanted = all.filter { credential in
            (query.state == nil || credential.state.known == query.state)
                && (query.after.map { credential.name > $0 } ?? true)
        }
        report.credentials = Array(wanted.prefix(query.limit ?? .max))
        if report.credentials.count < wanted.count {
            report.next = report.credentials.last?.name
        }
        report.counts = Dictionary(states.map { ($0.state.rawValue, 1) }, uniquingKeysWith: +)
        return ControlReply(200, .status(report))
    }
}

@Suite("The status, page by page") struct StatusPagesTests {
    /// Some unhealthy ones among 2500.
    private static let many = StubDaemon(
        states: (0..<2500).map { number in
            let state: CredentialState =
                switch number {
                case 7, 1800: .expired
                case 2400: .loginRequired
                case 30: .retrying
                default: .fresh
                }
            return ("c-\(number)", state)
        })

    private func pages(
        _ daemon: StubDaemon, words: [String] = [], patterns: [String] = []
    ) -> StatusPages {
        StatusPages(
            ask: { query throws(ControlClient.Unanswered) in daemon.answer(query) },
            selection: StatusSelection(patterns: patterns, words: words))
    }

    private func report(_ reply: ControlReply) throws -> StatusReport {
        guard case .status(let report) = reply.content else {
            Issue.record("\(reply)")
            return StatusReport(state: .ready, startedAt: WallTime(.zero), credentials: [])
        }
        return report
    }

    @Test("all pages together are the whole document")
    func all() throws {
        let all = try report(try pages(Self.many).all())
        #expect(all.credentials.map(\.name) == Self.many.states.map(\.name).sorted())
        #expect(all.next == nil && all.counts == nil)
        let expired = try report(try pages(Self.many, words: ["expired"]).all())
        #expect(expired.credentials.map(\.name) == ["c-1800", "c-7"])
        // A condition, which only this program knows.
        let failing = try report(try pages(Self.many, words: ["failing"]).all())
        #expect(failing.credentials.count == 2500)
    }

    @Test("a daemon of an earlier version sends all at once")
    func earlier() throws {
        var daemon = Self.many
        daemon.knowsPages = false
        #expect(try report(try pages(daemon).all()).credentials.count == 2500)
        let worst = try report(try pages(daemon).worst(20))
        #expect(worst.credentials.count == 2500 && worst.counts == nil)
    }

    @Test("of many the worst come first, and as many as were asked for")
    func worst() throws {
        let some = try report(try pages(Self.many).worst(5))
        #expect(some.credentials.map(\.name) == ["c-2400", "c-1800", "c-7", "c-30", "c-0"])
        #expect(some.counts?["fresh"] == 2496)
        let two = try report(try pages(Self.many).worst(2))
        #expect(two.credentials.map(\.name) == ["c-2400", "c-1800"])
        let chosen = try report(try pages(Self.many, words: ["expired", "retrying"]).worst(9))
        #expect(chosen.credentials.map(\.name) == ["c-1800", "c-7", "c-30"])
        #expect(chosen.counts == ["expired": 2, "retrying": 1])
        // Patterns are matched here, so all credentials are needed.
        let named = try report(try pages(Self.many, patterns: ["c-2*"]).worst(9))
        #expect(named.credentials.count == 2500 && named.counts == nil)
    }

    @Test("the page of a window tells the counts of all, and how many it leaves out")
    func window() throws {
        let reply = try pages(Self.many).worst(10)
        let page = WatchedPage(reply, StatusView(), rows: 10)
        #expect(
            page.fixed.first
                == "2496 of 2500 fresh, 1 needs a person, 2 expired, 1 retrying")
        let lines = page.shown(WatchScroll(), room: 10 - page.fixed.count)
        #expect(lines.count == 10 && lines[2].hasPrefix("c-2400"))
        #expect(page.footer(WatchScroll(), 8).hasPrefix("2492 more credentials are not shown; "))
        let small = WatchedPage(
            try pages(StubDaemon(states: [("a", .fresh)])).worst(10), StatusView(), rows: 10)
        #expect(small.footer(WatchScroll(), 8) == "q quits")
    }
}
