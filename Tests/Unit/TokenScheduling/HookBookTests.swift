import Testing

@testable import TokenConfiguration
@testable import TokenFormats
@testable import TokenScheduling

@Suite("Programs of on_change that fail run again") struct HookBookTests {
    private var random = RandomSource(seed: 1)
    private let noon = Examples.noon
    private let hooks = ["/a", "/b"].map { HookSpecification(arguments: [$0]) }
    private var number: UInt64 = 0

    private mutating func ticket() -> Ticket {
        number += 1
        return Ticket(number)
    }

    private func at(_ seconds: Int64) -> Moment { noon.advanced(by: .seconds(seconds)) }

    private mutating func end(
        _ run: HookRun, _ problem: String?, in book: inout HookBook, at moment: Moment
    ) -> LifecycleNotice? {
        book.ended(run.ticket, problem, now: moment, using: &random)
    }

    private mutating func runAll(_ book: inout HookBook) -> [HookRun] {
        book.runAll { ticket() }
    }

    private mutating func runDue(_ book: inout HookBook, _ now: Uptime) -> [HookRun] {
        book.runDue(now) { ticket() }
    }

    @Test("one that fails runs again after pauses that double from a second to five minutes")
    mutating func pauses() throws {
        var book = HookBook(hooks)
        var run = runAll(&book)[0]
        var now = noon
        for expected in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300] as [Int64] {
            _ = end(run, "p", in: &book, at: now)
            let due = try #require(book.wakeAt)
            let pause = now.uptime.duration(to: due)
            #expect(pause <= .seconds(expected) && pause >= .seconds(expected) * 3 / 4)
            let before = Uptime(due.sinceBoot - .nanoseconds(1))
            #expect(runDue(&book, before).isEmpty)
            now = now.advanced(by: pause)
            let again = runDue(&book, now.uptime)
            #expect(again.map(\.hook) == [hooks[0]], "the other one has nothing to repeat")
            run = again[0]
            #expect(book.wakeAt == nil, "it runs")
        }
        #expect(book.failures.map(\.failures) == [12])
    }

    @Test("one that works at last is forgotten, and that is said once")
    mutating func works() throws {
        var book = HookBook(hooks)
        let runs = runAll(&book)
        #expect(end(runs[1], nil, in: &book, at: noon) == nil)
        let failed = try #require(end(runs[0], "it ended with status 1", in: &book, at: noon))
        let pause = noon.uptime.duration(to: try #require(book.wakeAt))
        #expect(
            failed
                == .hookFailed(
                    program: "/a", problem: "it ended with status 1", failures: 1, nextTryIn: pause)
        )
        #expect(book.failures.map(\.program) == ["/a"])
        let again = runDue(&book, at(1).uptime)
        #expect(
            end(again[0], nil, in: &book, at: at(1)) == .hookWorks(program: "/a", failures: 1))
        #expect(book.failures.isEmpty && book.wakeAt == nil)
    }

    @Test("a newer token runs all of them at once and begins the pauses anew")
    mutating func newer() throws {
        var book = HookBook(hooks)
        for run in runAll(&book) { _ = end(run, "p", in: &book, at: noon) }
        for _ in 0..<5 {
            for run in runDue(&book, at(10_000).uptime) { _ = end(run, "p", in: &book, at: noon) }
        }
        let runs = runAll(&book)
        #expect(runs.map(\.hook) == hooks && book.wakeAt == nil)
        _ = end(runs[0], "p", in: &book, at: noon)
        #expect(noon.uptime.duration(to: try #require(book.wakeAt)) <= .seconds(1))
        #expect(book.failures.map(\.failures) == [7, 6], "in a row, over all tokens")
    }

    @Test("the end of an older run neither plans another nor clears what the newest has to show")
    mutating func older() throws {
        var book = HookBook([hooks[0]])
        let first = runAll(&book)[0]
        let second = runAll(&book)[0]
        let notice = end(first, "p", in: &book, at: noon)
        #expect(
            notice == .hookFailed(program: "/a", problem: "p", failures: 1, nextTryIn: nil))
        #expect(book.wakeAt == nil && book.failures.count == 1)
        #expect(end(first, nil, in: &book, at: noon) == nil, "told twice")
        #expect(book.failures.count == 1)
        #expect(end(second, nil, in: &book, at: noon) != nil)
        #expect(book.failures.isEmpty)
    }

    @Test("one that was given up for a newer run is not waited for")
    mutating func givenUp() throws {
        var book = HookBook([hooks[0]])
        _ = runAll(&book)
        let newest = runAll(&book)[0]
        _ = end(newest, "p", in: &book, at: noon)
        #expect(book.wakeAt != nil)
    }

    @Test("a reload tries at once what failed, and what replaces a program that failed")
    mutating func reload() throws {
        var book = HookBook(hooks)
        let runs = runAll(&book)
        _ = end(runs[0], "p", in: &book, at: noon)
        _ = end(runs[1], nil, in: &book, at: noon)
        book.configure(hooks, now: noon.uptime)
        #expect(book.wakeAt == noon.uptime && book.failures.count == 1)
        let mended = [HookSpecification(arguments: ["/c"]), hooks[1]]
        book.configure(mended, now: at(1).uptime)
        #expect(book.failures.isEmpty)
        #expect(runDue(&book, at(1).uptime).map(\.hook) == [mended[0]])
        book.configure([hooks[1]], now: at(2).uptime)
        book.configure(hooks, now: at(2).uptime)
        #expect(book.wakeAt == nil, "a program that is only new waits for a new token")
    }
}
