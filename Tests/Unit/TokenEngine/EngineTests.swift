import Synchronization
import Testing

@testable import TokenConfiguration
@testable import TokenControl
@testable import TokenEngine
@testable import TokenFormats
@testable import TokenProviders
@testable import TokenSlots

@Suite("The engine, with an emulated disk and network", .timeLimit(.minutes(20)))
struct EngineTests {
    private let responseOffset = SlotLayout.responseOffset(slotSize: 65_536)

    @Test(
        "I1, I4, I35: intent, request, answer on disk, token published, hook, READY: in that order")
    func order() async throws {
        let world = RecordingWorld()
        world.script([RecordingWorld.token(1)])
        let extra = #", "on_change": [{"exec": ["/bin/true"]}]"#
        try await world.run(try RecordingWorld.configuration(extra)) { _ in
            try await world.wait("READY") { $0.contains(.ready) }
        }
        #expect(
            world.deeds.prefix(8) == [
                .opened("mail"), .wrote("mail", offset: 0), .sent("RT-0-mail"),
                .wrote("mail", offset: responseOffset), .wrote("mail", offset: 0),
                .published("AT-1"),
                .hooked, .ready,
            ])
    }

    @Test("I4: when the intent cannot be written nothing is sent")
    func noIntentNoRequest() async throws {
        let world = RecordingWorld()
        world.state.withLock { $0.failingWrites = [1] }
        world.script([RecordingWorld.token(1)])
        try await world.run(try RecordingWorld.configuration()) { engine in
            try await world.wait("an attempt") { $0.contains(.opened("mail")) }
            try await Task.sleep(for: .milliseconds(50))
            let reply = await ask(engine, .credential("mail"))
            #expect(reply.body["last_error"]?["class"] == "storage")
        }
        #expect(world.state.withLock { $0.requests.isEmpty })
    }

    @Test("I6: an answer that cannot be saved is written again, and published only after that")
    func unsaved() async throws {
        let world = RecordingWorld()
        world.state.withLock { $0.failingWrites = [2, 3] }
        world.state.withLock { $0.answers = [RecordingWorld.token(1)] }
        try await world.run(try RecordingWorld.configuration()) { engine in
            try await world.wait("the request") { $0.contains(.sent("RT-0-mail")) }
            try await world.wait("READY") { $0.contains(.ready) }
        }
        #expect(world.state.withLock { $0.requests.count } == 1, "the server was asked again")
        let saved = world.deeds.firstIndex(of: .wrote("mail", offset: responseOffset))
        #expect(saved != nil)
    }

    @Test("I13: one request for one attempt, whatever the answer")
    func oneRequest() async throws {
        let world = RecordingWorld()
        world.script([.unanswered(WireFault(Cause(.answerLost)))])
        try await world.run(try RecordingWorld.configuration()) { engine in
            try await world.wait("the request") { $0.contains(.sent("RT-0-mail")) }
            try await Task.sleep(for: .milliseconds(50))
            let reply = await ask(engine, .credential("mail"))
            #expect(reply.body["last_error"]?["class"] == "ambiguous")
        }
        #expect(world.state.withLock { $0.requests.count } == 1)
    }

    @Test("a daemon that stops before it was ready is not woken again and again until it has")
    func stopBeforeReady() async throws {
        let world = RecordingWorld()
        world.script([RecordingWorld.token(1)])
        world.holdsAnswers.withLock { $0 = true }
        try await world.run(try RecordingWorld.configuration()) { engine in
            try await world.wait("the request") { $0.contains(.sent("RT-0-mail")) }
            engine.inbox.yield(.stop)
            try await world.wait("STOPPING") { $0.contains(.stopping) }
            // After the time at which READY=1 would have been sent anyway.
            world.state.withLock { $0.uptime += .seconds(3600) }
            engine.inbox.yield(.woke)
            _ = await ask(engine, .status())
            let (armed, now) = world.state.withLock { ($0.armedAt, Uptime($0.uptime)) }
            #expect(armed.map { $0 > now } ?? true, "set to \(String(describing: armed))")
            world.letGo()
        }
        #expect(!world.deeds.contains(.ready))
    }

    @Test("I7: SIGTERM during a request lets it end on the disk first")
    func stopDuringRequest() async throws {
        let world = RecordingWorld()
        world.script([RecordingWorld.token(1)])
        world.holdsAnswers.withLock { $0 = true }
        try await world.run(try RecordingWorld.configuration()) { engine in
            try await world.wait("the request") { $0.contains(.sent("RT-0-mail")) }
            engine.inbox.yield(.stop)
            try await world.wait("STOPPING") { $0.contains(.stopping) }
            world.letGo()
        }
        #expect(world.deeds.contains(.wrote("mail", offset: responseOffset)))
        let grant = world.pair("mail").winner?.contents.grant(
            profile: try RecordingWorld.configuration().credentials[0].profile)
        #expect(grant?.refreshToken == Secret("RT-1"))
    }

    @Test("I11: the same refresh token in two credentials is sent by one of them only")
    func sameToken() async throws {
        let world = RecordingWorld()
        world.script([
            .answered(
                RawResponse(status: 200, body: Array(#"{"access_token":"A","expires_in":60}"#.utf8))
            )
        ])
        var configuration = try RecordingWorld.configuration(names: ["a", "b"])
        configuration.credentials[1].refreshToken = configuration.credentials[0].refreshToken
        try await world.run(configuration) { engine in
            try await world.wait("READY") { $0.contains(.ready) }
            let status = await ask(engine, .status())
            let states = (status.body["credentials"]?.elements ?? []).compactMap {
                $0["state"]?.text
            }
            #expect(states.sorted() == ["fresh", "misconfigured"])
        }
        #expect(world.state.withLock { $0.requests.count } == 1)
    }

    @Test("a reload of the same configuration sends nothing and changes nothing")
    func reload() async throws {
        let world = RecordingWorld()
        world.script([RecordingWorld.token(1)])
        try await world.run(try RecordingWorld.configuration()) { engine in
            try await world.wait("READY") { $0.contains(.ready) }
            let before = await ask(engine, .status())
            engine.inbox.yield(.reload)
            try await world.wait("RELOADING") { $0.contains(.reloading) }
            let after = await ask(engine, .status())
            #expect(before.body["credentials"] == after.body["credentials"])
        }
        #expect(world.state.withLock { $0.requests.count } == 1)
    }

    @Test("a token that lasts is handed out at once; one that does not is refreshed first")
    func token() async throws {
        let world = RecordingWorld()
        world.script([RecordingWorld.token(1), RecordingWorld.token(2)])
        try await world.run(try RecordingWorld.configuration()) { engine in
            try await world.wait("READY") { $0.contains(.ready) }
            let first = await ask(engine, .token("mail", minimumLife: .seconds(1000)))
            #expect(first.body["access_token"] == "AT-1")
            // Half an hour later its remaining life is too short.
            world.state.withLock { $0.uptime += .seconds(2000) }
            let second = await ask(engine, .token("mail", minimumLife: .seconds(1700)))
            #expect(second.body["access_token"] == "AT-2")
        }
    }

    @Test("an import becomes the next refresh token, and its client gets a reply")
    func importing() async throws {
        let world = RecordingWorld()
        world.script([RecordingWorld.token(1), RecordingWorld.token(2)])
        try await world.run(try RecordingWorld.configuration()) { engine in
            try await world.wait("READY") { $0.contains(.ready) }
            let tokens = try ImportedTokens.read(
                Array(#"{"refresh_token":"RT-imported"}"#.utf8), now: world.now().wall)
            let reply = await ask(engine, .order("mail", .adopt(tokens)))
            #expect(reply.status == 200)
            try await world.wait("its use") { $0.contains(.sent("RT-imported")) }
        }
    }
}
