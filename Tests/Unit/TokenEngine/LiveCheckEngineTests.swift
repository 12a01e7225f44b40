import Synchronization
import Testing

@testable import TokenConfiguration
@testable import TokenControl
@testable import TokenEngine
@testable import TokenFormats
@testable import TokenProviders

@Suite("A look at a provider spends nothing") struct LiveCheckEngineTests {
    private static func configuration(_ lifecycle: String) throws -> Configuration {
        let text = """
            {"providers": {"as": {"request": {"url": "https://id.example/token"},
               "lifecycle": \(lifecycle)}},
             "credentials": {"mail": {"provider": "as", "client_id": "id", "client_secret": "s",
               "refresh_token": "RT-0"}}}
            """
        return try Configuration.read(
            main: ConfigurationFile(path: "test.json", bytes: Array(text.utf8), mode: 0o600))
    }

    private static let refused = WireResult.answered(
        RawResponse(status: 400, body: Array(#"{"error": "invalid_grant"}"#.utf8)))

    private func steps(
        _ lifecycle: String, _ prepare: @escaping @Sendable (RecordingWorld) -> Void = { _ in },
        times: Int = 1
    ) async throws -> (steps: [[String: String]], world: RecordingWorld) {
        let world = RecordingWorld()
        world.script([RecordingWorld.token(1)] + Array(repeating: Self.refused, count: 3))
        let found = Found()
        try await world.run(try Self.configuration(lifecycle)) { engine in
            try await world.wait("a token") { $0.contains(.published("AT-1")) }
            prepare(world)
            for _ in 0..<times {
                let reply = await withCheckedContinuation { continuation in
                    engine.inbox.yield(
                        .request(.check("mail"), reply: { continuation.resume(returning: $0) }))
                }
                #expect(reply.status == 200)
                await found.note(reply.body["steps"]?.elements ?? [])
            }
        }
        return (await found.steps, world)
    }

    private actor Found {
        var steps: [[String: String]] = []
        func note(_ nodes: [JSONNode]) {
            steps = nodes.map { node in
                var step: [String: String] = [:]
                for key in ["step", "outcome", "text"] { step[key] = node[key]?.text }
                return step
            }
        }
    }

    @Test("the client is tried with a token that is made up, and no slot is written for it")
    func client() async throws {
        let (steps, world) = try await steps(#"{"probe": "made_up_refresh_token"}"#)
        #expect(
            steps.compactMap { $0["step"] }
                == ["settings", "name", "connection", "tls", "clock", "client"])
        #expect(steps.last?["outcome"] == "ok")
        let state = world.state.withLock { ($0.requests, $0.connections) }
        #expect(state.1.map(\.url) == ["https://id.example/token"])
        #expect(state.1.allSatisfy { $0.body == nil && $0.headers.isEmpty })
        let sent = state.0.map { String(decoding: $0.body ?? [], as: UTF8.self) }
        #expect(sent.count == 2)
        #expect(sent[0].contains("refresh_token=RT-0"))
        #expect(sent[1].contains("refresh_token=evertoken-check-") && !sent[1].contains("RT-"))
        let opened = world.deeds.filter { $0 == .opened("mail") }
        #expect(opened.count == 1, "the refresh alone opens the slots")
    }

    @Test(
        "without the profile's word only the connection is made",
        arguments: [
            "{}", #"{"probe": "made_up_refresh_token", "burned_on_failure": true}"#,
        ])
    func silent(lifecycle: String) async throws {
        let (steps, world) = try await steps(lifecycle)
        #expect(steps.last?["step"] == "client" && steps.last?["outcome"] == "not_tried")
        let bodies = world.state.withLock { $0.requests.compactMap(\.body) }
        #expect(bodies.count == 1, "the refresh alone")
    }

    @Test("the rate limit holds: what is asked counts, and without room nothing is")
    func limited() async throws {
        let (steps, world) = try await steps(
            #"{"probe": "made_up_refresh_token", "rate_limit": "2/1h"}"#, times: 2)
        #expect(steps.last?["text"] == "the rate limit has no room for it now")
        let bodies = world.state.withLock { $0.requests.compactMap(\.body) }
        #expect(bodies.count == 2, "the refresh, and the first look")
    }

    @Test("a connection that fails ends the look where it is")
    func unconnected() async throws {
        let (steps, world) = try await steps(
            #"{"probe": "made_up_refresh_token"}"#,
            { world in
                world.state.withLock {
                    $0.connection = .failed(
                        .tls, Cause(.certificateExpired, CauseFacts(host: "id.example")))
                }
            })
        #expect(
            steps.last?["step"] == "tls" && steps.last?["text"]?.contains("expired") == true)
        #expect(steps.last?["outcome"] == "wrong_there")
        #expect(world.state.withLock { $0.requests.count } == 1)
    }
}
