import Synchronization
import Testing

@testable import TokenControl
@testable import TokenEngine
@testable import TokenFormats
@testable import TokenScheduling

@Suite("Outputs are looked at, and programs that failed run again") struct OutputCheckTests {
    private let deleted = AlteredOutput(credential: "mail", path: "mail/token", isMissing: true)

    private func ask(_ engine: Engine, _ request: ControlRequest) async -> ControlReply {
        await withCheckedContinuation { continuation in
            engine.inbox.yield(.request(request, reply: { continuation.resume(returning: $0) }))
        }
    }

    private func running(
        _ world: RecordingWorld, _ extra: String = "",
        _ body: @escaping @Sendable (Engine) async throws -> Void
    ) async throws {
        world.script([RecordingWorld.token(1), RecordingWorld.token(2)])
        try await world.run(try RecordingWorld.configuration(extra)) { engine in
            try await world.wait("READY") { $0.contains(.ready) }
            try await body(engine)
        }
    }

    private func publications(_ deeds: [Deed]) -> Int {
        deeds.filter { $0 == .published("AT-1") }.count
    }

    @Test("within a minute, by the one timer, a deleted file is noticed and written again")
    func noticed() async throws {
        let world = RecordingWorld()
        try await running(world) { engine in
            _ = await ask(engine, .status())
            let (armed, now) = world.state.withLock { ($0.armedAt, Uptime($0.uptime)) }
            #expect(armed.map { now.duration(to: $0) <= .seconds(55) } ?? false)
            world.state.withLock { $0.altered = [deleted] }
            engine.inbox.yield(.woke)
            #expect(publications(world.deeds) == 1, "it looks at every wake")
            world.state.withLock { $0.uptime += .seconds(55) }
            engine.inbox.yield(.woke)
            try await world.wait("the file") { publications($0) == 2 }
        }
        let entries = world.state.withLock { $0.journal.map(\.message) }
        #expect(entries.contains("A token file was deleted or changed; it is written again"))
    }

    @Test("a question for health looks first: 503 with its name, then 200 when it is there again")
    func health() async throws {
        let world = RecordingWorld()
        try await running(world) { engine in
            world.state.withLock {
                $0.uptime += .seconds(2)
                $0.altered = [deleted]
            }
            let reply = await ask(engine, .health())
            #expect(reply.status == 503 && reply.body["output"] == ["mail"])
            try await world.wait("the file") { publications($0) == 2 }
            world.state.withLock { $0.uptime += .seconds(2) }
            #expect(await ask(engine, .health()).status == 200)
        }
    }

    @Test("a reload is answered when the file is there again")
    func reload() async throws {
        let world = RecordingWorld()
        try await running(world) { engine in
            world.state.withLock { $0.altered = [deleted] }
            let reply = await ask(engine, .reload)
            #expect(reply.status == 200 && reply.body["problems"] == [])
            #expect(publications(world.deeds) == 2)
        }
    }

    @Test("a program that fails runs again a second later, without a request, until it works")
    func hooks() async throws {
        let world = RecordingWorld()
        world.state.withLock { $0.hookProblems = ["it ended with status 1", nil] }
        try await running(world, #", "on_change": [{"exec": ["/a"]}]"#) { engine in
            let failing = await ask(engine, .credential("mail")).body["failing_hooks"]?.elements
            #expect(failing?.count == 1 && failing?[0]["failures"] == 1)
            #expect(failing?[0]["problem"] == "it ended with status 1")
            let health = await ask(engine, .health())
            #expect(health.status == 200 && health.body["attention"] == ["mail"])
            world.state.withLock { $0.uptime += .seconds(1) }
            engine.inbox.yield(.woke)
            try await world.wait("its second run") { $0.filter { $0 == .hooked }.count == 2 }
            let after = await ask(engine, .credential("mail")).body["failing_hooks"]
            #expect(after == [])
        }
        #expect(world.state.withLock { $0.requests.count } == 1)
    }
}
