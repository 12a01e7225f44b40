import Dispatch
import Glibc
import Testing

@testable import TokenAdapters

@Suite("When a job of a lane is given up") struct PatienceBookTests {
    private let start = SuspendingClock.now
    private func at(_ seconds: Int) -> PatienceBook.Instant {
        start.advanced(by: .seconds(seconds))
    }

    private func add(_ book: inout PatienceBook, _ number: UInt64, _ key: String, at seconds: Int) {
        book.add(number, key: key, holder: "/run", limit: .seconds(10), now: at(seconds))
    }

    @Test("a job that waits in a long queue of a holder that works is not given up")
    func longQueue() {
        var book = PatienceBook()
        for number in 0..<100 { add(&book, UInt64(number), "k\(number)", at: 0) }
        // Each takes five seconds: the last one waits for eight minutes.
        for number in 0..<100 {
            let key = "k\(number)"
            book.began(UInt64(number), key: key, holder: "/run", now: at(5 * number))
            #expect(book.due(now: at(5 * number + 4)).given.isEmpty)
            book.ended(UInt64(number), key: key, holder: "/run", now: at(5 * number + 5))
        }
        #expect(book.isEmpty)
    }

    @Test("behind a holder that hangs a job is given up when its limit is over, not before")
    func hanging() {
        var book = PatienceBook()
        add(&book, 1, "a", at: 0)
        add(&book, 2, "b", at: 3)
        book.began(1, key: "a", holder: "/run", now: at(0))
        #expect(book.due(now: at(9)).next == at(10))
        let (first, next) = book.due(now: at(10))
        #expect(first == [1] && next == at(13))
        #expect(book.due(now: at(12)).given.isEmpty)
        #expect(book.due(now: at(13)).given == [2])
    }

    @Test("a running job has its whole limit from its beginning")
    func running() {
        var book = PatienceBook()
        add(&book, 1, "a", at: 0)
        book.began(1, key: "a", holder: "/run", now: at(9))
        #expect(book.due(now: at(18)).given.isEmpty)
        #expect(book.due(now: at(19)).given == [1])
    }

    @Test("a job behind its own key that hangs is given up, although its holder works on")
    func hangingKey() {
        var book = PatienceBook()
        add(&book, 1, "a", at: 0)
        book.began(1, key: "a", holder: "/run", now: at(0))
        #expect(book.due(now: at(10)).given == [1])
        add(&book, 2, "a", at: 10)
        for second in 11..<20 {
            add(&book, 3, "b", at: second)
            book.began(3, key: "b", holder: "/run", now: at(second))
            book.ended(3, key: "b", holder: "/run", now: at(second))
            #expect(book.due(now: at(second)).given.isEmpty)
        }
        #expect(book.due(now: at(20)).given == [2])
    }

    @Test("another holder's progress is none of its own")
    func otherHolder() {
        var book = PatienceBook()
        add(&book, 1, "a", at: 0)
        book.add(2, key: "b", holder: "/srv", limit: .seconds(10), now: at(0))
        book.began(2, key: "b", holder: "/srv", now: at(9))
        #expect(book.due(now: at(10)).given == [1])
    }
}

@Suite("Lanes with a time limit", .timeLimit(.minutes(20))) struct PatienceTests {
    @Test("a job that is dropped for a newer one of its key is answered at once")
    func dropped() async {
        let lanes = Lanes("test", count: 4)
        let gate = DispatchSemaphore(value: 0)
        lanes.start(key: "a", holder: "/run") { gate.wait() }
        async let older = lanes.run(
            key: "a", holder: "/run", within: .seconds(600), mostWaiting: 1
        ) { 1 }
        async let newer = lanes.run(
            key: "a", holder: "/run", within: .seconds(600), mostWaiting: 1
        ) { 2 }
        // One of the two was dropped, whichever came first; the other one runs.
        let freed = Task {
            try? await Task.sleep(for: .seconds(1))
            gate.signal()
        }
        let answers = await [older, newer]
        #expect(answers.compactMap { $0 }.count == 1)
        await freed.value
    }

    @Test("a queue that takes longer than the limit is no reason while it moves")
    func movingQueue() async {
        let lanes = Lanes("test", count: 4)
        let answers = await withTaskGroup(of: Int?.self) { group in
            for job in 0..<40 {
                group.addTask {
                    await lanes.run(
                        key: "k\(job)", holder: "/run", within: .milliseconds(1500)
                    ) {
                        usleep(100_000)
                        return job
                    }
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(answers.compactMap { $0 }.count == 40)
    }
}
