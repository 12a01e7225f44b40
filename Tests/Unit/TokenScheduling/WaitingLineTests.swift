import Testing

@testable import TokenConfiguration
@testable import TokenControl
@testable import TokenFormats
@testable import TokenScheduling
@testable import TokenSlots

@Suite("Credentials that wait for the limit") struct WaitingLineTests {
    @Test("they leave in order of arrival, those of a provider without room excepted")
    func order() {
        var line = WaitingLine()
        for index in 0..<6 { line.add(index, provider: index % 2 == 0 ? "slow" : "other") }
        line.add(3, provider: "other")
        #expect(line.popFirst { $0 == "other" } == 1)
        #expect(line.popFirst { _ in true } == 0)
        line.remove(2)
        #expect(line.popFirst { _ in true } == 3)
        #expect(line.popFirst { _ in false } == nil)
        #expect(line.count == 2)
        #expect(line.popFirst { _ in true } == 4)
        #expect(line.popFirst { _ in true } == 5)
        #expect(line.popFirst { _ in true } == nil)
    }

    @Test("one that is added again after it left or was removed is last")
    func again() {
        var line = WaitingLine()
        for index in 0..<3 { line.add(index, provider: "as") }
        line.remove(0)
        line.add(0, provider: "as")
        var order: [Int] = []
        while let index = line.popFirst({ _ in true }) { order.append(index) }
        #expect(order == [1, 2, 0])
    }

    @Test("a changed provider keeps its place among all")
    func changedProvider() {
        var line = WaitingLine()
        for index in 0..<4 { line.add(index, provider: index < 2 ? "old" : "new") }
        line.update(1, provider: "new")
        #expect(line.popFirst { $0 == "new" } == 1)
        #expect(line.popFirst { $0 == "new" } == 2)
        #expect(line.popFirst { $0 == "old" } == 0)
    }

    @Test("ten thousand behind a provider without room cost one question, not ten thousand")
    func passedOver() {
        var line = WaitingLine()
        for index in 0..<10_000 { line.add(index, provider: "slow") }
        line.add(10_000, provider: "other")
        var questions = 0
        let first = line.popFirst { provider in
            questions += 1
            return provider == "other"
        }
        #expect(first == 10_000 && questions == 2)
    }

    @Test("in any order of events it gives what a list that is searched gives")
    func likeAList() {
        for seed in 0..<100 {
            var random = RandomSource(seed: UInt64(seed))
            func roll(_ count: Int) -> Int { Int(random.next(upperBound: UInt64(count))) }
            var (line, list): (WaitingLine, [(index: Int, provider: Int)]) = (WaitingLine(), [])
            for _ in 0..<300 {
                let (index, provider) = (roll(20), roll(3))
                switch roll(5) {
                case 0, 1:
                    line.add(index, provider: "p\(provider)")
                    if !list.contains(where: { $0.index == index }) {
                        list.append((index, provider))
                    }
                case 2:
                    line.remove(index)
                    list.removeAll { $0.index == index }
                case 3:
                    line.update(index, provider: "p\(provider)")
                    if let place = list.firstIndex(where: { $0.index == index }) {
                        list[place].provider = provider
                    }
                default:
                    let place = list.firstIndex { $0.provider != provider }
                    #expect(
                        line.popFirst { $0 != "p\(provider)" } == place.map { list[$0].index },
                        "seed \(seed)")
                    if let place { list.remove(at: place) }
                }
                #expect(line.count == list.count, "seed \(seed)")
            }
        }
    }
}

@Suite("What the status line needs") struct CredentialSummaryTests {
    private func at(_ seconds: Int) -> Uptime { Uptime(.seconds(seconds)) }

    @Test("counts, the next attempt and the named ones follow every change")
    func difference() {
        var summary = CredentialSummary()
        for index in 0..<4 { summary.note(index, .pending, nextAttemptAt: nil) }
        #expect(summary.indices(of: .pending) == [0, 1, 2, 3])
        summary.note(2, .fresh, nextAttemptAt: at(9))
        summary.note(1, .retrying, nextAttemptAt: at(9))
        #expect(summary.nextAttempt?.index == 1)
        summary.note(1, .refreshing, nextAttemptAt: nil)
        #expect(summary.nextAttempt?.index == 2)
        summary.note(0, nil, nextAttemptAt: nil)
        #expect(summary.count == 3 && summary.count(of: .pending) == 1)
        #expect(summary.indices(of: .pending) == [3])
        #expect(summary.indices(of: .fresh).isEmpty && summary.indices(of: .retrying).isEmpty)
    }

    @Test("an event that changes nothing of it is no change")
    func unchanged() {
        var summary = CredentialSummary()
        summary.note(0, .fresh, nextAttemptAt: at(1))
        let before = summary.changes
        summary.note(0, .fresh, nextAttemptAt: at(1))
        #expect(summary.changes == before)
        summary.note(0, .fresh, nextAttemptAt: at(2))
        #expect(summary.changes == before + 1)
    }

    @Test("the line names the first five in order, with the number of all")
    func names() throws {
        var credentials = CredentialSet(maxInFlight: 64, seed: 1)
        let configuration = try Examples.configuration(of: (10..<17).map { "c\($0)" })
        for order in credentials.configure(configuration, now: Examples.noon).orders {
            guard case .recover(let ticket, _) = order.action, order.credential != "c13" else {
                continue
            }
            _ = credentials.handle(
                .recovered(ticket, .unreadable), for: order.credential, now: Examples.noon)
        }
        #expect(
            credentials.statusLine(now: Examples.noon)
                == "0 of 7 fresh; 6 quarantined: c10, c11, c12, c14, c15; 1 pending: c13")
    }
}
