import Synchronization
import Testing

@testable import TokenConfiguration
@testable import TokenControl
@testable import TokenEngine
@testable import TokenFormats
@testable import TokenProviders
@testable import TokenSlots

/// Failures of other programs that lost tokens, each repeated with this engine on an emulated disk
/// and network. The named reports are public.
@Suite("Incidents of other programs", .timeLimit(.minutes(20)))
struct IncidentTests {
    private let later = Duration.seconds(3000)

    private static func refusal(_ status: Int, _ body: String) -> WireResult {
        .answered(RawResponse(status: status, body: Array(body.utf8)))
    }

    /// A world in which a daemon has obtained its first token and has stopped.
    private func settledWorld() async throws -> RecordingWorld {
        let world = RecordingWorld()
        world.script([RecordingWorld.token(1)])
        try await world.run(try RecordingWorld.configuration()) { _ in
            try await world.wait("READY") { $0.contains(.ready) }
        }
        world.state.withLock { $0.deeds = [] }
        return world
    }

    /// Lets the token become due and waits for the result.
    private func refresh(
        _ world: RecordingWorld, _ engine: Engine, until condition: @Sendable ([Deed]) -> Bool
    ) async throws {
        world.state.withLock { $0.uptime += later }
        engine.inbox.yield(.woke)
        try await world.wait("a refresh", until: condition)
    }

    private func stored(_ world: RecordingWorld) throws -> CredentialRecord {
        let profile = try RecordingWorld.configuration().credentials[0].profile
        return try #require(world.pair("mail").winner?.contents.grant(profile: profile))
    }

    /// home-assistant/core#179502: a restart between rotation and persistence.
    @Test("a crash right after the answer was saved: the next life goes on with the new token")
    func crashAfterRotation() async throws {
        let world = try await settledWorld()
        // The third write of a refresh, the settled record, never succeeds.
        world.state.withLock {
            $0.writes = 0
            $0.failingWrites = [3, 4, 5, 6, 7, 8]
        }
        world.script([RecordingWorld.token(2)])
        try await world.run(try RecordingWorld.configuration()) { engine in
            try await refresh(world, engine) { $0.contains(.published("AT-2")) }
        }
        world.state.withLock { $0.failingWrites = [] }
        world.script([RecordingWorld.token(3)])
        try await world.run(try RecordingWorld.configuration()) { engine in
            try await refresh(world, engine) { $0.contains(.sent("RT-2")) }
        }
        #expect(world.deeds.filter { $0 == .sent("RT-1") }.count == 1)
    }

    /// chenyme/grok2api PR964; pizauth's reload race.
    @Test("a credential removed while its request is under way keeps what the answer brings")
    func removedInFlight() async throws {
        let world = try await settledWorld()
        world.script([RecordingWorld.token(2)])
        world.holdsAnswers.withLock { $0 = true }
        try await world.run(try RecordingWorld.configuration()) { engine in
            try await refresh(world, engine) { $0.contains(.sent("RT-1")) }
            world.holdsAnswers.withLock { $0 = false }
            world.loading.withLock { $0 = try? RecordingWorld.configuration(names: ["other"]) }
            engine.inbox.yield(.reload)
            try await world.wait("RELOADING") { $0.contains(.reloading) }
            world.letGo()
        }
        #expect(try stored(world).refreshToken == Secret("RT-2"))
    }

    /// mcp2cli#59, maximhq/bifrost#2557, gemini-cli#29048, claude-code#91571; neutree-ai PR28;
    /// node-quickbooks#171; buildkite/cli PR852.
    @Test(
        "no answer erases a refresh token, and one refusal is not the end",
        arguments: [
            (503, "busy"), (500, "<html>"), (404, ""), (403, "{}"), (429, ""),
            (400, #"{"error":"invalid_grant"}"#), (401, #"{"error":"invalid_client"}"#),
            (200, #"{"error":"invalid_request"}"#), (200, "<html>sign in</html>"), (200, ""),
        ])
    func answerErasesNothing(status: Int, body: String) async throws {
        let world = try await settledWorld()
        world.script([Self.refusal(status, body)])
        try await world.run(try RecordingWorld.configuration()) { engine in
            try await refresh(world, engine) { $0.contains(.sent("RT-1")) }
            let state = await ask(engine, .credential("mail")).body["state"]
            #expect(state != "login_required")
        }
        #expect(try stored(world).refreshToken == Secret("RT-1"))
        #expect(!world.deeds.contains(.published("")))
    }

    /// gemini-cli#21691.
    @Test("an answer without a refresh token leaves the one there is")
    func omitted() async throws {
        let world = try await settledWorld()
        world.script([Self.refusal(200, #"{"access_token":"AT-2","expires_in":3600}"#)])
        try await world.run(try RecordingWorld.configuration()) { engine in
            try await refresh(world, engine) { $0.contains(.published("AT-2")) }
        }
        #expect(try stored(world).refreshToken == Secret("RT-1"))
    }

    /// claude-code#25609, openai/codex#10332, n8n#12742, box-python-sdk#71, HQBase#41.
    @Test("a hundred wishes at once are one request")
    func concurrentWishes() async throws {
        let world = try await settledWorld()
        world.script([RecordingWorld.token(2), RecordingWorld.token(3)])
        try await world.run(try RecordingWorld.configuration()) { engine in
            try await world.wait("READY") { $0.contains(.ready) }
            world.state.withLock { $0.uptime += later }
            for _ in 0..<100 { _ = await ask(engine, .refresh("mail", wait: nil)) }
            try await world.wait("a token") { $0.contains(.published("AT-2")) }
        }
        #expect(world.state.withLock { $0.mostInFlight } == 1)
        #expect(world.deeds.filter { $0 == .sent("RT-1") }.count == 1)
    }

    /// airbyte#82783; rclone#3443 and #6372 (the copy itself: ForeignStateTests).
    @Test("a configuration with the first refresh token never replaces a newer one")
    func staleSeed() async throws {
        let world = try await settledWorld()
        world.script([RecordingWorld.token(2)])
        try await world.run(try RecordingWorld.configuration()) { engine in
            engine.inbox.yield(.reload)
            try await refresh(world, engine) { $0.contains(.published("AT-2")) }
        }
        #expect(!world.deeds.contains(.sent("RT-0-mail")))
        #expect(try stored(world).refreshToken == Secret("RT-2"))
    }

    /// deepchat PR2304.
    @Test("a slot cut short by a power loss: the other one has the token")
    func truncatedSlot() async throws {
        for slot in 0...1 {
            let world = try await settledWorld()
            world.state.withLock { $0.slots["mail"]?[slot].replaceSubrange(60..<200, with: []) }
            world.script([RecordingWorld.token(2)])
            try await world.run(try RecordingWorld.configuration()) { engine in
                try await refresh(world, engine) { $0.contains(.sent("RT-1")) }
            }
        }
    }

    /// librefang#5525, KAFKA-14623, MediaServiceCore#43, IdentityServer4#2492.
    @Test("no journal entry, status or problem holds a token")
    func nothingToldOfTokens() async throws {
        let world = try await settledWorld()
        world.script([
            Self.refusal(400, #"{"error":"RT-1","error_description":"RT-1 AT-1 RT-0-mail"}"#)
        ])
        try await world.run(try RecordingWorld.configuration()) { engine in
            try await refresh(world, engine) { $0.contains(.sent("RT-1")) }
            let status = String(
                decoding: await ask(engine, .status()).body.serialized(), as: UTF8.self)
            for secret in ["RT-", "AT-"] { #expect(!status.contains(secret), "\(status)") }
        }
        let told = world.state.withLock { state in
            state.journal.flatMap { [$0.message] + $0.fields.map(\.value) } + state.statuses
        }
        #expect(told.count > 3)
        #expect(!told.contains { $0.contains("RT-") || $0.contains("AT-") })
    }

    /// OctoPrint#3266, raspberrypi/linux#1751, cloud-init#2607: no clock, or one weeks off.
    @Test("a wall clock that is years off asks for nothing, and the files follow when it is right")
    func wrongClock() async throws {
        let world = try await settledWorld()
        try await world.run(try RecordingWorld.configuration()) { engine in
            try await world.wait("READY") { $0.contains(.ready) }
            for years in [-10, 10, 0] {
                world.state.withLock { $0.wallOffset = .seconds(Int64(years) * 31_536_000) }
                let count = world.deeds.filter { $0 == .published("AT-1") }.count
                engine.inbox.yield(.woke)
                try await world.wait("the file's times") { deeds in
                    deeds.filter { $0 == .published("AT-1") }.count > count
                }
                #expect(await ask(engine, .credential("mail")).body["state"] == "fresh")
            }
        }
        #expect(!world.deeds.contains { if case .sent = $0 { true } else { false } })
    }
}
