import Testing

@testable import TokenConfiguration
@testable import TokenControl
@testable import TokenFormats
@testable import TokenScheduling

@Suite("Slices of all credentials") struct CredentialSliceTests {
    private func credentials(_ names: [String]) throws -> CredentialSet {
        var credentials = CredentialSet(maxInFlight: 4, seed: 1)
        _ = credentials.configure(try Examples.configuration(of: names), now: Examples.noon)
        return credentials
    }

    private func visited(
        _ credentials: CredentialSet, state: CredentialState? = nil, limit: Int,
        after name: String? = nil
    ) -> (names: [String], next: String?) {
        var names: [String] = []
        let next = credentials.visit(after: name, state: state, limit: limit) {
            names.append($0.name)
        }
        return (names, next)
    }

    @Test("slice by slice each credential is visited once, in name order")
    func all() throws {
        let names = (0..<25).map { "c-\($0)" }
        let credentials = try credentials(names)
        for limit in [1, 5, 7, 24, 25, 26] {
            var (seen, next): ([String], String?) = ([], nil)
            repeat {
                let slice = visited(credentials, limit: limit, after: next)
                #expect(slice.names.count <= limit)
                seen += slice.names
                next = slice.next
            } while next != nil
            #expect(seen == names.sorted(), "\(limit) at a time")
        }
    }

    @Test("a reload between two slices neither repeats nor hides what stays")
    func reload() throws {
        var credentials = try credentials(["a", "b", "c", "d"])
        let first = visited(credentials, limit: 2)
        #expect(first.names == ["a", "b"] && first.next == "b")
        let new = try Examples.configuration(of: ["a", "aa", "bb", "c", "d"])
        _ = credentials.configure(new, now: Examples.noon)
        #expect(credentials.names == ["a", "aa", "bb", "c", "d"])
        let second = visited(credentials, limit: 9, after: "b")
        #expect(second.names == ["bb", "c", "d"] && second.next == nil)
    }

    @Test("only the credentials of a state are visited; a long walk without any ends early")
    func states() throws {
        let names = (0..<5000).map { "c-\($0)" }
        var credentials = CredentialSet(maxInFlight: 4, seed: 1)
        let orders = credentials.configure(
            try Examples.configuration(of: names), now: Examples.noon
        ).orders
        for order in orders where ["c-1", "c-4999"].contains(order.credential) {
            guard case .recover(let ticket, _) = order.action else { continue }
            _ = credentials.handle(
                .recovered(ticket, .unreadable), for: order.credential, now: Examples.noon)
            #expect(credentials[order.credential]?.state == .quarantined)
        }
        let first = visited(credentials, state: .quarantined, limit: 1)
        #expect(first.names == ["c-1"] && first.next == "c-1")
        let second = visited(credentials, state: .quarantined, limit: 2, after: "c-1")
        #expect(second.names.isEmpty, "the walk is bounded")
        let third = visited(credentials, state: .quarantined, limit: 2, after: second.next)
        #expect(third.names == ["c-4999"] && third.next == nil)
        #expect(visited(credentials, state: .fresh, limit: 2, after: third.names[0]).next == nil)
    }

    @Test("a status in pieces is the same document, byte for byte")
    func pieces() throws {
        let credentials = try credentials((0..<600).map { "c-\($0)" })
        var writer = StatusWriter()
        var (bytes, slices): ([UInt8], Int) = ([], 0)
        var query = StatusQuery()
        var whole: StatusReport?
        repeat {
            let slice = credentials.statusSlice(
                query, isReady: true, startedAt: Examples.noon.wall, now: Examples.noon,
                mistakes: ["m"])
            bytes += writer.write(slice)
            whole?.credentials += slice.credentials
            if whole == nil { whole = slice.report }
            (query.after, slices) = (slice.next, slices + 1)
        } while query.after != nil
        whole?.next = nil
        #expect(slices == 3)
        #expect(bytes == (whole?.json.serialized() ?? []) + [0x0A])
    }

    @Test("a status without credentials is a whole document too")
    func empty() throws {
        let slice = try credentials([]).statusSlice(
            StatusQuery(), isReady: true, startedAt: Examples.noon.wall, now: Examples.noon,
            mistakes: [])
        var writer = StatusWriter()
        let text = try JSONReader.read(writer.write(slice))
        #expect(text["credentials"] == [] && text["state"] == "ready" && text["counts"] == nil)
    }

    @Test("health and metrics of slices together are those of all")
    func reports() throws {
        let credentials = try credentials((0..<1100).map { "c-\($0)" })
        let now = Examples.noon
        var health = credentials.healthReport(isReady: true, now: now)
        #expect(health.next != nil)
        health.append(credentials.healthReport(isReady: true, now: now, after: health.next))
        #expect(health.next == nil && health.unhealthy[.pending]?.count == 1100)
        var metrics: MetricsReport?
        repeat {
            let slice = credentials.metricsReport(
                isReady: true, startedAt: now.wall, now: now, mistakes: 0, tally: MetricsTally(),
                after: metrics?.next)
            if metrics == nil { metrics = slice } else { metrics?.append(slice) }
        } while metrics?.next != nil
        #expect(metrics?.credentials.map(\.name) == credentials.names)
        let report = try #require(metrics)
        var writer = MetricsWriter(report, .openMetrics)
        var (bytes, count, isLast): ([UInt8], Int, Bool) = ([], 0, false)
        while !isLast {
            let piece = writer.next(atLeast: 10_000)
            #expect(piece.isLast || piece.bytes.count < 20_000)
            bytes += piece.bytes
            (count, isLast) = (count + 1, piece.isLast)
        }
        #expect(count > 100)
        #expect(bytes == Array(report.openMetrics.utf8))
    }
}
