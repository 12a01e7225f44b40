import Testing

@testable import TokenControl
@testable import TokenFormats

@Suite("Pages of the status") struct StatusQueryTests {
    private func request(_ query: [String: String]) throws(ControlProblem) -> ControlRequest {
        let call = ControlCall("GET", "/v1/status", query: query)
        return try ControlRequest(call, now: WallTime(.zero))
    }

    @Test("without parameters it is the whole document, with any it is a page")
    func pages() throws {
        #expect(try request([:]) == .status(StatusQuery()))
        #expect(!StatusQuery().isPage)
        #expect(try request(["limit": "7"]) == .status(StatusQuery(limit: 7)))
        #expect(
            try request(["state": "login_required", "limit": "1000", "after": "a.b-c"])
                == .status(StatusQuery(state: .loginRequired, limit: 1000, after: "a.b-c")))
        #expect(try request(["after": "a"]) == .status(StatusQuery(limit: 100, after: "a")))
        #expect(try request(["state": "fresh"]) == .status(StatusQuery(state: .fresh, limit: 100)))
    }

    @Test(
        "an unknown parameter, state, limit or name is refused with a sentence",
        arguments: [
            ["limits": "7"], ["State": "fresh"], ["state": ""], ["state": "Fresh"],
            ["state": "undelivered"], ["limit": "0"], ["limit": "1001"], ["limit": "-1"],
            ["limit": "ten"], ["limit": ""], ["after": ""], ["after": "A"], ["after": "a%20b"],
            ["state": "fresh", "page": "2"],
        ])
    func refused(_ query: [String: String]) {
        do throws(ControlProblem) {
            let request = try request(query)
            Issue.record("\(query) is \(request)")
        } catch {
            #expect(error.status == 400 && !error.title.isEmpty && error.detail != nil)
        }
    }

    @Test("a page names the counts of all states and the name that the next one begins behind")
    func json() {
        var report = StatusReport(
            state: .ready, startedAt: WallTime(epochSeconds: 1), credentials: [])
        #expect(report.json["counts"] == nil && report.json["next"] == nil)
        report.counts = ["expired": 2, "fresh": 99_998, "a_later_word": 1]
        report.next = "tenant-7"
        #expect(report.json["next"] == "tenant-7")
        let counts = report.json["counts"]?.members ?? []
        #expect(counts.map(\.key) == ["fresh", "expired", "a_later_word"])
        #expect(StatusReport(json: report.json) == report)
    }
}
