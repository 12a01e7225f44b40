import Synchronization
import Testing

@testable import TokenConfiguration
@testable import TokenControl
@testable import TokenEngine
@testable import TokenFormats
@testable import TokenSlots

/// I10: an old copy of the state holds a refresh token that may be spent.
@Suite("A state that went back in time", .timeLimit(.minutes(20)))
struct ForeignStateTests {
    /// A world whose state holds the second grant, as a stopped daemon left it.
    private func worldWithState(lifetime: Int = 3600) async throws -> RecordingWorld {
        let world = RecordingWorld()
        world.script([RecordingWorld.token(1, lifetime: lifetime)])
        try await world.run(try RecordingWorld.configuration()) { _ in
            try await world.wait("READY") { $0.contains(.ready) }
        }
        world.state.withLock { $0.deeds = [] }
        return world
    }

    private func sent(_ world: RecordingWorld) -> [Deed] {
        world.deeds.filter { if case .sent = $0 { true } else { false } }
    }

    @Test("a copy: its living token is published, nothing is sent, and a person is asked")
    func copy() async throws {
        let world = try await worldWithState()
        world.state.withLock { $0.foreign = ["mail"] }
        world.script([RecordingWorld.token(2)])
        try await world.run(try RecordingWorld.configuration()) { engine in
            try await world.wait("READY") { $0.contains(.ready) }
            let status = await ask(engine, .credential("mail"))
            #expect(status.body["state"] == "quarantined")
            #expect(status.body["last_error"]?["problem"]?.text?.contains("copy") == true)
            #expect(
                status.body["last_error"]?["remedy"]?.text?.contains("evertoken accept mail")
                    == true)
            // Not by a manual order, not when it is due, and not after a reload.
            _ = await ask(engine, .refresh("mail", wait: .seconds(1)))
            world.state.withLock { $0.uptime += .seconds(3000) }
            engine.inbox.yield(.reload)
            engine.inbox.yield(.woke)
            #expect(await ask(engine, .credential("mail")).body["state"] == "quarantined")
            #expect(world.deeds.contains(.published("AT-1")))
            #expect(sent(world) == [])
            #expect(await ask(engine, .accept("mail")).status == 200)
            try await world.wait("the refresh") { $0.contains(.sent("RT-1")) }
        }
        let entries = world.state.withLock { $0.journal }.filter { $0.message.contains("trusted") }
        #expect(entries.count == 1, "said once: \(entries)")
    }

    @Test("an import, and a seed that was never seen, end it")
    func newTokens() async throws {
        for isSeed in [true, false] {
            let world = try await worldWithState()
            world.state.withLock { $0.foreign = ["mail"] }
            world.script([RecordingWorld.token(2)])
            var configuration = try RecordingWorld.configuration()
            if isSeed { configuration.credentials[0].refreshToken = .inline(Secret("RT-new")) }
            try await world.run(configuration) { engine in
                try await world.wait("READY") { $0.contains(.ready) }
                if isSeed {
                    _ = await ask(engine, .refresh("mail", wait: nil))
                } else {
                    let tokens = try ImportedTokens.read(
                        Array(#"{"refresh_token":"RT-new"}"#.utf8), now: world.now().wall)
                    #expect(await ask(engine, .order("mail", .adopt(tokens))).status == 200)
                }
                try await world.wait("the new one") { $0.contains(.sent("RT-new")) }
                try await world.wait("its token") { $0.contains(.published("AT-2")) }
            }
            #expect(world.state.withLock { $0.foreign } == [])
            #expect(sent(world) == [.sent("RT-new")])
        }
    }

    /// The slots' files contain the first grant again, after the second; their marks stay.
    private func worldThatWentBack() async throws -> RecordingWorld {
        let world = try await worldWithState()
        let old = world.state.withLock { $0.slots }
        world.script([RecordingWorld.token(2)])
        try await world.run(try RecordingWorld.configuration()) { engine in
            try await world.wait("READY") { $0.contains(.ready) }
            world.state.withLock { $0.uptime += .seconds(3000) }
            engine.inbox.yield(.woke)
            try await world.wait("a refresh") { $0.contains(.published("AT-2")) }
        }
        world.state.withLock {
            $0.slots = old
            $0.deeds = []
        }
        return world
    }

    @Test("a state that went back is not sent, and a newer token in the files stays")
    func wentBack() async throws {
        let world = try await worldThatWentBack()
        world.state.withLock { $0.files = [Secret("AT-2")] }
        world.script([RecordingWorld.token(3)])
        try await world.run(try RecordingWorld.configuration()) { engine in
            try await world.wait("READY") { $0.contains(.ready) }
            let status = await ask(engine, .credential("mail"))
            #expect(status.body["state"] == "quarantined")
            let problem = status.body["last_error"]?["problem"]?.text ?? ""
            #expect(problem.contains("went back from record 4 to 2"), "\(problem)")
            #expect(problem.contains("copied or restored from a backup"))
            #expect(!world.deeds.contains(.published("AT-1")))
            #expect(await ask(engine, .accept("mail")).status == 200)
            // Published tokens do not go back: a newer one is obtained instead.
            world.state.withLock { $0.uptime += .seconds(3000) }
            engine.inbox.yield(.woke)
            try await world.wait("a new one") { $0.contains(.published("AT-3")) }
            #expect(!world.deeds.contains(.published("AT-1")))
        }
        #expect(sent(world) == [.sent("RT-1")])
    }

    @Test("that it went back is remembered when the mark that told it is gone")
    func wentBackOnce() async throws {
        let world = try await worldThatWentBack()
        world.script([RecordingWorld.token(3)])
        for _ in 0..<2 {
            try await world.run(try RecordingWorld.configuration()) { engine in
                try await world.wait("READY") { $0.contains(.ready) }
                engine.inbox.yield(.woke)
                #expect(await ask(engine, .credential("mail")).body["state"] == "quarantined")
                // No file holds a newer token.
                try await world.wait("its token") { $0.contains(.published("AT-1")) }
            }
            #expect(sent(world) == [])
            world.state.withLock { ($0.marks, $0.deeds) = ([:], []) }
        }
    }

    @Test("no token file can quarantine a state, whatever it holds")
    func filesOfOthers() async throws {
        let world = try await worldWithState()
        world.state.withLock { $0.files = [Secret("AT-9")] }
        world.script([RecordingWorld.token(2)])
        try await world.run(try RecordingWorld.configuration()) { engine in
            try await world.wait("READY") { $0.contains(.ready) }
            try await world.wait("its token") { $0.contains(.published("AT-1")) }
            #expect(await ask(engine, .credential("mail")).body["state"] == "fresh")
            world.state.withLock { $0.uptime += .seconds(3000) }
            engine.inbox.yield(.woke)
            try await world.wait("a refresh") { $0.contains(.published("AT-2")) }
        }
        #expect(sent(world) == [.sent("RT-1")])
    }

    @Test("slots that go back under a running daemon are noticed before the next request")
    func behindMemory() async throws {
        let world = try await worldWithState()
        let old = world.state.withLock { $0.slots }
        world.script([RecordingWorld.token(2), RecordingWorld.token(3)])
        try await world.run(try RecordingWorld.configuration()) { engine in
            try await world.wait("READY") { $0.contains(.ready) }
            world.state.withLock { $0.uptime += .seconds(3000) }
            engine.inbox.yield(.woke)
            try await world.wait("a refresh") { $0.contains(.published("AT-2")) }
            world.state.withLock {
                $0.slots = old
                $0.uptime += .seconds(3000)
            }
            let reply = await ask(engine, .refresh("mail", wait: .seconds(5)))
            #expect(reply.status == 503)
            #expect(await ask(engine, .credential("mail")).body["state"] == "quarantined")
        }
        #expect(sent(world) == [.sent("RT-1")])
    }
}

func ask(_ engine: Engine, _ request: ControlRequest) async -> ControlReply {
    await withCheckedContinuation { continuation in
        engine.inbox.yield(.request(request, reply: { continuation.resume(returning: $0) }))
    }
}
