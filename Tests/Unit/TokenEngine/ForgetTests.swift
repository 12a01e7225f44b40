import Synchronization
import Testing

@testable import TokenConfiguration
@testable import TokenControl
@testable import TokenEngine
@testable import TokenFormats
@testable import TokenProviders
@testable import TokenSlots

/// A world whose state holds the first grant, as a stopped daemon left it.
private func worldWithState(
    _ answers: [WireResult] = [RecordingWorld.token(1)]
) async throws -> RecordingWorld {
    let world = RecordingWorld()
    world.script(answers)
    try await world.run(try RecordingWorld.configuration()) { _ in
        try await world.wait("READY") { $0.contains(.ready) }
    }
    world.state.withLock { $0.deeds = [] }
    return world
}

private func sent(_ world: RecordingWorld) -> [Deed] {
    world.deeds.filter { if case .sent = $0 { true } else { false } }
}

/// An answer that repeats the refresh token: it does not rotate.
private func staticToken(_ number: Int) -> WireResult {
    let text = #"{"access_token":"AT-\#(number)","refresh_token":"RT-0-mail","expires_in":3600}"#
    return .answered(RawResponse(status: 200, body: Array(text.utf8)))
}

@Suite("State that a person erases", .timeLimit(.minutes(20))) struct ForgetTests {
    private func tokens(_ text: String, _ world: RecordingWorld) throws -> ImportedTokens {
        try ImportedTokens.read(
            Array(#"{"refresh_token":"\#(text)"}"#.utf8), now: world.now().wall)
    }

    @Test("a spent initial token is known before the slots go, and is not sent again")
    func spentSeed() async throws {
        let world = try await worldWithState()
        try await world.run(try RecordingWorld.configuration()) { engine in
            try await world.wait("READY") { $0.contains(.ready) }
            let stored = await ask(engine, .stored("mail")).body
            #expect(stored["stored"] == true && stored["refresh_token"] == true)
            #expect(stored["spent_tokens"] == 1 && stored["state"] == "fresh")
            #expect(world.deeds.contains(.erased("mail")) == false, "looking erases nothing")
            let reply = await ask(engine, .forget("mail"))
            #expect(reply.status == 200 && reply.body["stored"] == true)
            _ = await ask(engine, .refresh("mail", wait: .seconds(2)))
            let status = await ask(engine, .credential("mail")).body
            #expect(status["state"] == "login_required")
            #expect(status["last_error"]?["problem"]?.text?.contains("is spent") == true)
            #expect(status["last_error"]?["remedy"]?.text?.contains("evertoken import") == true)
        }
        #expect(sent(world) == [])
        let order = world.deeds.filter { $0 == .kept("mail", 1) || $0 == .erased("mail") }
        #expect(order == [.kept("mail", 1), .erased("mail")])
        // Nor after a restart, under a new name, or twice.
        world.state.withLock { $0.deeds = [] }
        world.script([RecordingWorld.token(5)])
        try await world.run(try RecordingWorld.configuration(names: ["mail", "other"])) { engine in
            try await world.wait("READY") { $0.contains(.ready) }
            _ = await ask(engine, .refresh("mail", wait: .seconds(2)))
            #expect(await ask(engine, .forget("mail")).body["stored"] == false)
            _ = await ask(engine, .refresh("mail", wait: .seconds(2)))
            #expect(await ask(engine, .credential("mail")).body["state"] == "login_required")
        }
        #expect(sent(world) == [.sent("RT-0-other")])
    }

    @Test("another credential that names the spent token does not send it either")
    func otherName() async throws {
        let world = try await worldWithState()
        var configuration = try RecordingWorld.configuration()
        try await world.run(configuration) { engine in
            try await world.wait("READY") { $0.contains(.ready) }
            #expect(await ask(engine, .forget("mail")).status == 200)
        }
        configuration = try RecordingWorld.configuration(names: ["renamed"])
        configuration.credentials[0].refreshToken = .inline(Secret("RT-0-mail"))
        world.state.withLock { $0.deeds = [] }
        try await world.run(configuration) { engine in
            try await world.wait("READY") { $0.contains(.ready) }
            #expect(await ask(engine, .credential("renamed")).body["state"] == "login_required")
        }
        #expect(sent(world) == [])
    }

    @Test("a token that did not rotate is adopted again, and so is one after --all-traces")
    func adoptedAgain() async throws {
        for isStatic in [true, false] {
            let first = isStatic ? staticToken(1) : RecordingWorld.token(1)
            let world = try await worldWithState([first])
            world.script([RecordingWorld.token(7)])
            try await world.run(try RecordingWorld.configuration()) { engine in
                try await world.wait("READY") { $0.contains(.ready) }
                #expect(await ask(engine, .forget("mail", allTraces: !isStatic)).status == 200)
                try await world.wait("the request") { $0.contains(.sent("RT-0-mail")) }
                try await world.wait("its token") { $0.contains(.published("AT-7")) }
            }
            #expect(world.state.withLock { $0.traces } == [:])
        }
    }

    @Test("after a new sign-in the spent one in the configuration is no candidate")
    func noCandidate() async throws {
        let world = try await worldWithState()
        world.script([RecordingWorld.token(8), RecordingWorld.token(9)])
        try await world.run(try RecordingWorld.configuration()) { engine in
            try await world.wait("READY") { $0.contains(.ready) }
            #expect(await ask(engine, .forget("mail")).status == 200)
            // The spent token is refused with the reason, as before the state was erased.
            let spent = try tokens("RT-0-mail", world)
            #expect(await ask(engine, .order("mail", .adopt(spent))).status == 409)
            let new = try tokens("RT-new", world)
            #expect(await ask(engine, .order("mail", .adopt(new))).status == 200)
            try await world.wait("the new one") { $0.contains(.published("AT-8")) }
            engine.inbox.yield(.reload)
            world.state.withLock { $0.uptime += .seconds(3000) }
            engine.inbox.yield(.woke)
            try await world.wait("a refresh") { $0.contains(.published("AT-9")) }
            #expect(
                await ask(engine, .credential("mail")).body["candidate"] == JSONNode(.null))
        }
        #expect(sent(world) == [.sent("RT-new"), .sent("RT-8")])
    }

    @Test("where the record of spent tokens cannot be read, no configured one is sent")
    func unreadable() async throws {
        let world = RecordingWorld()
        var lost = SpentTraces()
        lost.isUnreadable = true
        let traces = lost
        world.state.withLock { $0.traces = ["mail": traces] }
        world.script([RecordingWorld.token(1)])
        try await world.run(try RecordingWorld.configuration()) { engine in
            try await world.wait("READY") { $0.contains(.ready) }
            let status = await ask(engine, .credential("mail")).body
            #expect(status["state"] == "login_required")
            #expect(status["last_error"]?["problem"]?.text?.contains("cannot be read") == true)
            #expect(sent(world) == [])
            // The operator decides.
            #expect(await ask(engine, .forget("mail", allTraces: true)).status == 200)
            try await world.wait("the request") { $0.contains(.sent("RT-0-mail")) }
        }
    }
}

@Suite("An accepted state is tried at once", .timeLimit(.minutes(20))) struct AcceptTests {
    private func accepted(
        _ answer: WireResult, _ configuration: Configuration? = nil
    ) async throws -> (JSONNode, [Deed]) {
        let world = try await worldWithState()
        world.state.withLock { $0.foreign = ["mail"] }
        world.script([answer])
        let reply = Mutex<JSONNode>(JSONNode(.null))
        try await world.run(try configuration ?? RecordingWorld.configuration()) { engine in
            try await world.wait("READY") { $0.contains(.ready) }
            let told = await ask(engine, .accept("mail", wait: .seconds(20)))
            #expect(told.status == 200)
            reply.withLock { $0 = told.body }
        }
        return (reply.withLock { $0 }, sent(world))
    }

    @Test("a token that the provider takes is told as taken")
    func taken() async throws {
        let (reply, sent) = try await accepted(RecordingWorld.token(2))
        #expect(reply["result"] == "taken" && reply["state"] == "fresh")
        #expect(sent == [.sent("RT-1")])
    }

    @Test("a refusal is told with its code, and whether the provider or the network said no")
    func notTaken() async throws {
        let body = Array(#"{"error":"invalid_grant"}"#.utf8)
        let (refused, sent) = try await accepted(.answered(RawResponse(status: 400, body: body)))
        #expect(refused["result"] == "refused" && refused["error"] == "invalid_grant")
        #expect(sent == [.sent("RT-1")])
        let (failed, _) = try await accepted(
            .notSent(WireFault(Cause(.connectionRefused, CauseFacts(host: "id.example")))))
        #expect(
            failed["result"] == "failed" && failed["problem"]?.text?.contains("id.example") == true)
    }

    @Test("one that is not quarantined is not accepted, but by a caller of a former version")
    func healthy() async throws {
        let world = try await worldWithState()
        try await world.run(try RecordingWorld.configuration()) { engine in
            try await world.wait("READY") { $0.contains(.ready) }
            let reply = await ask(engine, .accept("mail", wait: .seconds(5)))
            #expect(reply.status == 409)
            #expect(reply.body["title"] == "mail is not quarantined; nothing to accept")
            #expect(await ask(engine, .accept("mail")).status == 200)
        }
        #expect(sent(world) == [])
    }

    @Test("which token an accepted state's first refresh sent last is told")
    func configured() async throws {
        var configuration = try RecordingWorld.configuration()
        configuration.credentials[0].refreshToken = .inline(Secret("RT-new"))
        let world = try await worldWithState()
        world.state.withLock { $0.foreign = ["mail"] }
        // The first request with the candidate, in the quarantine, gets no answer.
        world.script([.notSent(WireFault(Cause(.connectionRefused))), RecordingWorld.token(2)])
        try await world.run(configuration) { engine in
            try await world.wait("READY") { $0.contains(.ready) }
            world.state.withLock { $0.uptime += .seconds(100) }
            let reply = await ask(engine, .accept("mail", wait: .seconds(20))).body
            // A renewal that was already running is reported as itself; one that the request
            // started, without an answer, is followed by one with the stored token.
            let isOfConfigured = reply["sent_configured"] == true
            #expect(reply["result"] == "taken" || reply["result"] == "failed" && isOfConfigured)
            #expect(sent(world).last == .sent(isOfConfigured ? "RT-new" : "RT-1"))
        }
        #expect(sent(world).first == .sent("RT-new"))
    }
}

@Suite("A token that is asked to last longer", .timeLimit(.minutes(20)))
struct MinimumLifeRequestTests {
    @Test("what no token can last brings one refresh for each token, and says so")
    func beyondReach() async throws {
        let world = try await worldWithState([RecordingWorld.token(1, lifetime: 600)])
        world.script([
            RecordingWorld.token(2, lifetime: 600), RecordingWorld.token(3, lifetime: 600),
        ])
        try await world.run(try RecordingWorld.configuration()) { engine in
            try await world.wait("READY") { $0.contains(.ready) }
            world.state.withLock { $0.uptime += .seconds(200) }
            let asked = ControlRequest.token("mail", minimumLife: .seconds(660))
            let first = await ask(engine, asked).body
            #expect(first["access_token"] == "AT-2")
            #expect(first["min_ttl"]?["met"] == false && first["min_ttl"]?["asked"] == 660)
            #expect(first["min_ttl"]?["lifetime"] == 600)
            // The best possible token is returned, now and later.
            #expect(await ask(engine, asked).body["access_token"] == "AT-2")
            world.state.withLock { $0.uptime += .seconds(100) }
            #expect(await ask(engine, asked).body["access_token"] == "AT-2")
            // A request that can be satisfied gets no note.
            let short = ControlRequest.token("mail", minimumLife: .seconds(60))
            #expect(await ask(engine, short).body["min_ttl"] == nil)
            #expect(await ask(engine, short).body["access_token"] == "AT-2")
        }
        #expect(sent(world) == [.sent("RT-1")])
    }

    @Test("the floor between two refreshes holds: a token that is younger is given at once")
    func floor() async throws {
        let world = try await worldWithState([RecordingWorld.token(1, lifetime: 600)])
        world.script([RecordingWorld.token(2, lifetime: 600)])
        try await world.run(try RecordingWorld.configuration()) { engine in
            try await world.wait("READY") { $0.contains(.ready) }
            let asked = ControlRequest.token("mail", minimumLife: .seconds(660))
            let first = await ask(engine, asked).body
            #expect(first["access_token"] == "AT-1" && first["min_ttl"]?["met"] == false)
            #expect(sent(world) == [])
            let floor = await ask(engine, .credential("mail")).body["refresh_floor"]
            #expect(floor?["because"] == "min_interval" && floor?["whole"] == 10)
        }
    }

    @Test("a refresh that fails for it leaves the token that there is, after one try")
    func failed() async throws {
        let world = try await worldWithState([RecordingWorld.token(1, lifetime: 600)])
        world.script([])
        try await world.run(try RecordingWorld.configuration()) { engine in
            try await world.wait("READY") { $0.contains(.ready) }
            world.state.withLock { $0.uptime += .seconds(200) }
            let asked = ControlRequest.token("mail", minimumLife: .seconds(660))
            for _ in 0..<2 {
                let reply = await ask(engine, asked).body
                #expect(reply["access_token"] == "AT-1" && reply["min_ttl"]?["met"] == false)
            }
        }
        #expect(sent(world) == [.sent("RT-1")])
    }
}
