import Synchronization
import Testing

@testable import TokenConfiguration
@testable import TokenControl
@testable import TokenEngine
@testable import TokenFormats
@testable import TokenProviders

/// Returns prepared findings, and records what was requested.
private final class ScriptedSurvey: ConfigurationSurvey {
    struct State {
        var findings: [CheckFinding] = []
        var asked: [[String]] = []
    }
    let state = Mutex(State())

    func findings(in configuration: Configuration) async -> [CheckFinding] {
        state.withLock { state in
            state.asked.append(configuration.credentials.map(\.name))
            let names = Set(configuration.credentials.map(\.name))
            return state.findings.filter { $0.credential.map(names.contains) ?? true }
        }
    }
    func find(_ findings: [CheckFinding]) { state.withLock { $0.findings = findings } }
    var asked: [[String]] { state.withLock { $0.asked } }
}

@Suite("What a refresh would meet is told in the status") struct SurveyTests {
    private static func missing(_ name: String?, _ key: String = "client_secret") -> CheckFinding {
        let user = CheckedUser(name: "evertoken", group: "evertoken")
        let kind = PlaceKind.secret(.line, isExact: false)
        return CheckFinding(
            credential: name, key: key, file: "/s/\(key)", cause: .missing(kind, user))
    }

    private typealias Inbox = AsyncStream<Engine.Input>.Continuation

    private func run(
        _ body:
            @escaping @Sendable (RecordingWorld, ScriptedSurvey, Inbox) async throws -> Void,
        found: [CheckFinding]
    ) async throws {
        let survey = ScriptedSurvey()
        survey.find(found)
        let world = RecordingWorld(survey: survey)
        world.script((1...9).map { RecordingWorld.token($0) })
        try await world.run(try RecordingWorld.configuration(names: ["a", "b"])) { engine in
            try await body(world, survey, engine.inbox)
        }
    }

    private func warnings(
        _ inbox: Inbox
    ) async -> [String: [String]] {
        let reply = await withCheckedContinuation { continuation in
            inbox.yield(.request(.status(), reply: { continuation.resume(returning: $0) }))
        }
        var found: [String: [String]] = [:]
        for entry in reply.body["credentials"]?.elements ?? [] {
            found[entry["name"]?.text ?? ""] =
                (entry["warnings"]?.elements ?? []).compactMap(\.text)
        }
        return found
    }

    private func expect(
        _ expected: [String: [String]], _ inbox: Inbox
    ) async {
        var seen: [String: [String]] = [:]
        for _ in 0..<500 {
            seen = await warnings(inbox)
            if seen == expected { return }
            try? await Task.sleep(for: .milliseconds(10), clock: .continuous)
        }
        #expect(seen == expected)
    }

    private static let told =
        "/s/client_secret does not exist; create it: install -o root -g evertoken -m 0640 "
        + "/dev/stdin /s/client_secret"

    @Test("a finding is a warning of its credential from the start, and a journal line, once")
    func start() async throws {
        try await run(
            { world, _, inbox in
                await expect(["a": ["client_secret: " + Self.told], "b": []], inbox)
                let lines = world.state.withLock { $0.journal }.filter {
                    $0.message == "A setting cannot work, or has no effect"
                }
                #expect(lines.count == 1)
                #expect(
                    lines.first?.fields.map(\.name) == ["CREDENTIAL", "KEY", "PROBLEM", "REMEDY"])
            }, found: [Self.missing("a")])
    }

    @Test("one of the whole is every credential's")
    func whole() async throws {
        let told = ["ca_file: " + Self.told.replacing("client_secret", with: "ca_file")]
        try await run(
            { _, _, inbox in await expect(["a": told, "b": told], inbox) },
            found: [Self.missing(nil, "ca_file")])
    }

    @Test("a reload is accepted, waits for the look, and tells its warnings; mended ones vanish")
    func reload() async throws {
        try await run(
            { _, survey, inbox in
                await expect(["a": [], "b": []], inbox)
                survey.find([Self.missing("b")])
                let reply = await withCheckedContinuation { continuation in
                    inbox.yield(.request(.reload, reply: { continuation.resume(returning: $0) }))
                }
                #expect(reply.status == 200)
                let told = (reply.body["warnings"]?.elements ?? []).compactMap(\.text)
                #expect(told == ["b.client_secret: " + Self.told])
                #expect(await warnings(inbox) == ["a": [], "b": ["client_secret: " + Self.told]])
                survey.find([])
                inbox.yield(.reload)
                await expect(["a": [], "b": []], inbox)
            }, found: [])
    }

    @Test("after a minute only those that had a finding are looked at again")
    func sweep() async throws {
        try await run(
            { world, survey, inbox in
                await expect(["a": ["client_secret: " + Self.told], "b": []], inbox)
                survey.find([])
                // A wake does nothing while the look after a refresh is under way.
                for _ in 0..<500 where await warnings(inbox) != ["a": [], "b": []] {
                    world.state.withLock { $0.uptime += .seconds(61) }
                    inbox.yield(.woke)
                    try await Task.sleep(for: .milliseconds(10), clock: .continuous)
                }
                await expect(["a": [], "b": []], inbox)
                #expect(survey.asked.last == ["a"])
                let looks = survey.asked.count
                world.state.withLock { $0.uptime += .seconds(61) }
                inbox.yield(.woke)
                await expect(["a": [], "b": []], inbox)
                #expect(survey.asked.count == looks, "nothing is troubled: nothing is looked at")
            }, found: [Self.missing("a")])
    }

    @Test("a missing initial refresh token is no trouble where there are tokens")
    func moot() async throws {
        try await run(
            { world, _, inbox in
                for _ in 0..<500 {
                    if world.deeds.count(where: { "\($0)".hasPrefix("published") }) == 2 { break }
                    try await Task.sleep(for: .milliseconds(10), clock: .continuous)
                }
                await expect(["a": [], "b": []], inbox)
            }, found: [Self.missing("a", "refresh_token")])
    }
}

@Suite("What a look changes of what is known") struct SurveyStateTests {
    private static func finding(_ name: String?, file: String?) -> CheckFinding {
        CheckFinding(
            credential: name, key: "k", file: file,
            cause: file == nil ? .neverSent(provider: "p") : .noRegularFile)
    }
    private static let setting = finding("a", file: nil)
    private static let file = finding("a", file: "/1")
    private static let other = finding("b", file: "/2")

    @Test("a whole look replaces all; one at places leaves what the configuration itself tells")
    func scopes() {
        var state = SurveyState()
        state.apply([Self.setting, Self.file, Self.other], .everything)
        #expect(state.findings == [Self.setting, Self.file, Self.other])
        state.apply([Self.other], .troubled)
        #expect(state.findings == [Self.setting, Self.other])
        state.apply([], .credential("a"))
        #expect(state.findings == [Self.setting, Self.other])
        state.apply([Self.file, Self.other], .credential("a"))
        #expect(state.findings == [Self.setting, Self.other, Self.file])
        state.apply([], .everything)
        #expect(state.findings == [])
    }
}
