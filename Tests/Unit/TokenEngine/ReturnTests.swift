import Synchronization
import Testing

@testable import TokenControl
@testable import TokenEngine
@testable import TokenSlots

@Suite("A credential that returns while its attempt runs", .timeLimit(.minutes(20)))
struct ReturnTests {
    private let responseOffset = SlotLayout.responseOffset(slotSize: 65_536)

    /// A daemon that holds RT-1 and AT-1 and has sent RT-1 again; the response is held back.
    private func asking(
        _ body: @escaping @Sendable (RecordingWorld, Engine) async throws -> Void
    ) async throws {
        let world = RecordingWorld()
        world.script([RecordingWorld.token(1)])
        try await world.run(try RecordingWorld.configuration()) { engine in
            try await world.wait("READY") { $0.contains(.ready) }
            world.script((2...5).map { RecordingWorld.token($0) })
            world.holdsAnswers.withLock { $0 = true }
            // The published token ends within seconds.
            world.state.withLock { $0.uptime += .seconds(3599) }
            engine.inbox.yield(.woke)
            try await world.wait("the request") { $0.contains(.sent("RT-1")) }
            world.holdsAnswers.withLock { $0 = false }
            try await body(world, engine)
        }
    }

    private func reload(
        _ world: RecordingWorld, _ engine: Engine, _ names: [String], extra: String = ""
    ) async throws {
        let new = try RecordingWorld.configuration(extra, names: names)
        world.loading.withLock { $0 = new }
        #expect(await ask(engine, .reload).status == 200)
    }

    @Test(
        "I11: its new life reads the state when the response is stored, and goes on with that",
        arguments: [1, 2])
    func storedFirst(reloads: Int) async throws {
        try await asking { world, engine in
            if reloads == 2 { try await reload(world, engine, ["other"]) }
            try await reload(
                world, engine, ["mail"], extra: #", "refresh": {"retry": {"max": "2s"}}"#)
            #expect(await ask(engine, .credential("mail")).status == 200)
            world.letGo()
            try await world.wait("the token") { $0.contains(.published("AT-2")) }
            world.state.withLock { $0.uptime += .seconds(60) }
            #expect(await ask(engine, .refresh("mail", wait: .seconds(20))).status == 200)
            let sent = world.deeds.filter { if case .sent = $0 { true } else { false } }
            #expect(sent.filter { $0 == .sent("RT-1") }.count == 1)
            #expect(sent.filter { $0 == .sent("RT-0-mail") }.count == 1)
        }
    }

    @Test("what its former life could not save yet is not published as a token of the new life")
    func unsavedOfFormerLife() async throws {
        try await asking { world, engine in
            try await reload(world, engine, ["other"])
            try await world.wait("the other token") { $0.contains(.published("AT-3")) }
            try await reload(world, engine, ["mail"])
            let writes = world.state.withLock { $0.writes }
            world.state.withLock { $0.failingWrites = [writes + 1, writes + 2] }
            world.letGo()
            try await world.wait("the token") { $0.contains(.published("AT-2")) }
            let told = world.state.withLock { $0.journal }
            #expect(told.contains { $0.message.hasPrefix("An answer could not be saved yet") })
            let deeds = world.deeds
            let published = try #require(deeds.firstIndex(of: .published("AT-2")))
            let saved = Deed.wrote("mail", offset: responseOffset)
            // The first one belongs to AT-1.
            #expect(deeds[..<published].count { $0 == saved } == 2)
        }
    }
}
