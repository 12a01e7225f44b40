import Synchronization
import Testing

@testable import TokenControl
@testable import TokenEngine
@testable import TokenFormats
@testable import TokenProviders
@testable import TokenSlots

@Suite("Device codes go through the slots like any other attempt", .timeLimit(.minutes(20)))
struct DeviceTests {
    private let responseOffset = SlotLayout.responseOffset(slotSize: 65_536)

    private static func error(_ code: String, status: Int = 400) -> WireResult {
        .answered(RawResponse(status: status, body: Array(#"{"error":"\#(code)"}"#.utf8)))
    }

    private func poll(_ engine: Engine) async -> ControlReply {
        await ask(engine, .order("mail", .device(code: Secret("device-code"))))
    }

    @Test("pending and slow_down are no failures; then the answer is on the disk before it is used")
    func polls() async throws {
        let world = RecordingWorld()
        world.script([
            RecordingWorld.token(1), Self.error("authorization_pending"), Self.error("slow_down"),
            .unanswered(WireFault(Cause(.answerLost))), RecordingWorld.token(2),
        ])
        try await world.run(try RecordingWorld.configuration()) { engine in
            try await world.wait("READY") { $0.contains(.ready) }
            let lines = world.state.withLock { $0.journal.count }
            for isSlow in [false, true, true] {
                let reply = await poll(engine)
                #expect(reply.status == 202 && reply.body["pending"]?.flag == true)
                #expect(reply.body["slow_down"]?.flag == isSlow)
                let status = await ask(engine, .credential("mail")).body
                #expect(status["state"] == "fresh" && status["consecutive_failures"] == 0)
            }
            #expect(world.state.withLock { $0.journal.count } == lines, "the journal was bothered")
            let before = world.deeds.count
            #expect(await poll(engine).status == 200)
            try await world.wait("the new token") { $0.contains(.published("AT-2")) }
            #expect(
                world.deeds.dropFirst(before).prefix(6) == [
                    .opened("mail"), .wrote("mail", offset: 0), .sent(""),
                    .wrote("mail", offset: responseOffset), .wrote("mail", offset: 0),
                    .published("AT-2"),
                ])
        }
        let grant = world.pair("mail").winner?.contents.record.grant
        #expect(grant?.refreshToken == Secret("RT-2"))
    }

    @Test("access_denied and expired_token end it, and leave the tokens there are alone")
    func refusals() async throws {
        let world = RecordingWorld()
        world.script([
            RecordingWorld.token(1), Self.error("access_denied"), Self.error("expired_token"),
        ])
        try await world.run(try RecordingWorld.configuration()) { engine in
            try await world.wait("READY") { $0.contains(.ready) }
            for (code, cause) in [
                ("access_denied", "sign_in_denied"), ("expired_token", "sign_in_code_refused"),
            ] {
                let reply = await poll(engine)
                #expect(reply.status == 502 && reply.body["error"]?.text == code)
                #expect(reply.body["cause"]?.text == cause)
            }
            #expect(await ask(engine, .credential("mail")).body["state"] == "fresh")
        }
        #expect(world.pair("mail").winner?.contents.record.grant.refreshToken == Secret("RT-1"))
    }
}
