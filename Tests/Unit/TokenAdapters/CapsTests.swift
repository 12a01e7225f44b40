import Dispatch
import Synchronization
import Testing

@testable import TokenAdapters

@Suite("Who has room on a socket") struct ConnectionCapsTests {
    private let limits = ConnectionCaps.Limits(
        receiving: 6, receivingByUser: 3, held: 4, heldByUser: 2, bytes: 100, bytesByUser: 60)

    @Test("a user with too many requests that never come whole loses its own oldest")
    func ownShare() {
        var caps = ConnectionCaps(limits)
        for _ in 0..<3 { #expect(caps.beginReceiving(1000) == nil) }
        #expect(caps.beginReceiving(1000) == 1000)
        #expect(caps.beginReceiving(1001) == nil)
    }

    @Test("when all places are taken, the user who has most loses one")
    func whole() {
        var caps = ConnectionCaps(limits)
        for user: UInt32 in [1, 1, 1, 2, 2, 3] { #expect(caps.beginReceiving(user) == nil) }
        #expect(caps.beginReceiving(4) == 1)
        caps.endReceiving(1)
        caps.endReceiving(1)
        #expect(caps.beginReceiving(5) == nil)
    }

    @Test(
        "answers are counted by user and for all; a user's only one always has room for its bytes")
    func answers() {
        var caps = ConnectionCaps(limits)
        #expect(caps.beginHolding(1) == true)
        #expect(caps.beginHolding(1) == true)
        #expect(caps.beginHolding(1) == false)
        #expect(caps.beginHolding(2) == true)
        #expect(caps.beginHolding(3) == true)
        #expect(caps.beginHolding(4) == false, "four are held")
        caps.endHolding(1)
        #expect(caps.beginHolding(4) == true)
        #expect(caps.add(50, 1) == true)
        #expect(caps.add(20, 1) == false, "60 bytes a user")
        #expect(caps.add(500, 2) == true, "its only answer")
        #expect(caps.add(1, 1) == false, "100 bytes for all")
        caps.remove(500, 2)
        #expect(caps.add(10, 1) == true)
    }
}

@Suite("Look-ups of names", .timeLimit(.minutes(20))) struct NameResolverTests {
    @Test("callers of one name share one look-up; two strays of a name are all it gets")
    func strays() {
        var book = ResolverBook()
        #expect(book.ask("a") == .begin(1))
        #expect(book.ask("a") == .join(1))
        book.giveUp(1)
        #expect(book.ask("a") == .join(1), "a caller still waits")
        book.giveUp(1)
        book.giveUp(1)
        #expect(book.ask("a") == .begin(2))
        book.giveUp(2)
        #expect(book.ask("a") == .refuse)
        #expect(book.ask("b") == .begin(3))
        book.ended(1)
        #expect(book.ask("a") == .begin(4))
    }

    @Test("64 threads in all, of which names with strays leave some to names without")
    func limits() {
        var book = ResolverBook()
        func hang(_ name: String) -> Bool {
            guard case .begin(let number) = book.ask(name) else { return false }
            book.giveUp(number)
            return true
        }
        for index in 0..<24 {
            #expect(hang("mute\(index)"))
            #expect(hang("mute\(index)"))
        }
        #expect(book.count == 48)
        #expect(hang("new"))
        #expect(!hang("new"), "it has a stray of its own by now")
        for index in 0..<15 { #expect(hang("other\(index)")) }
        #expect(book.count == 64)
        #expect(!hang("one more"))
    }

    @Test("a caller waits as long as it wants for a look-up that hangs; others find theirs")
    func hanging() async {
        let gate = DispatchSemaphore(value: 0)
        let asked = Mutex<[String]>([])
        let resolver = NameResolver { name in
            asked.withLock { $0.append(name) }
            if name == "mute" { gate.wait() }
            return .addresses(["192.0.2.1"])
        }
        func resolve(_ name: String, _ limit: DispatchTimeInterval) async -> NameResolver.Outcome {
            await withCheckedContinuation { continuation in
                resolver.resolve(name, within: limit) { continuation.resume(returning: $0) }
            }
        }
        #expect(await resolve("mute", .milliseconds(50)) == .late)
        #expect(await resolve("mute", .milliseconds(50)) == .late)
        #expect(await resolve("mute", .seconds(60)) == .refused)
        #expect(await resolve("fine", .seconds(60)) == .addresses(["192.0.2.1"]))
        #expect(resolver.threadCount == 2)
        #expect(asked.withLock { $0 } == ["mute", "mute", "fine"])
        gate.signal()
        gate.signal()
        while resolver.threadCount > 0 { await Task.yield() }
        gate.signal()
        #expect(await resolve("mute", .seconds(60)) == .addresses(["192.0.2.1"]))
    }
}
