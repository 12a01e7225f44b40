import Testing

@testable import TokenConfiguration
@testable import TokenFormats
@testable import TokenScheduling

@Suite("Files that others deleted, and programs that failed, in a credential's life")
struct AlteredOutputTests {
    private var random = RandomSource(seed: 1)
    private let noon = Examples.noon
    private let deleted = AlteredOutput(credential: "mail", path: "mail/token", isMissing: true)

    private mutating func send(
        _ event: LifecycleEvent, to life: inout CredentialLifecycle, at seconds: Int64
    ) -> [LifecycleAction] {
        life.handle(
            event, now: noon.advanced(by: .seconds(seconds)), mayAttempt: true, using: &random)
    }

    /// A credential with a published token of an hour, and the actions that led there.
    private mutating func published(
        _ extra: String = ""
    ) throws -> (CredentialLifecycle, [LifecycleAction]) {
        var life = CredentialLifecycle(try Examples.credential(extra: extra))
        _ = life.start()
        _ = send(.recovered(Ticket(1), .grant(Examples.held)), to: &life, at: 0)
        let actions = send(.published(Ticket(2), .complete), to: &life, at: 0)
        #expect(life.state == .fresh)
        return (life, actions)
    }

    @Test("a deleted file is a problem until it is written again, without a request")
    mutating func deletedFile() throws {
        var (life, _) = try published()
        let noticed = send(.outputsAltered([deleted]), to: &life, at: 10)
        #expect(noticed == [.report(.outputAltered(problem: "mail/token was deleted"))])
        #expect(life.hasOutputProblem && life.isWritingOutputs)
        #expect(life.wakeAt == noon.advanced(by: .seconds(10)).uptime)
        let woken = send(.woke, to: &life, at: 10)
        guard case .publish(let ticket, _, _)? = woken.first else {
            Issue.record("\(woken)")
            return
        }
        #expect(send(.outputsAltered([deleted]), to: &life, at: 10) == [], "it is being written")
        #expect(send(.published(ticket, .complete), to: &life, at: 11) == [])
        #expect(!life.hasOutputProblem && !life.isWritingOutputs && life.state == .fresh)
    }

    @Test("the file of a token that has ended is not written again")
    mutating func deadToken() throws {
        var (life, _) = try published()
        #expect(send(.outputsAltered([deleted]), to: &life, at: 3600) == [])
        #expect(!life.hasOutputProblem)
    }

    @Test("many files are named by their first three")
    mutating func many() throws {
        var (life, _) = try published()
        let altered = (0..<5).map {
            AlteredOutput(credential: "mail", path: "f\($0)", isMissing: $0 > 0)
        }
        let noticed = send(.outputsAltered(altered), to: &life, at: 10)
        let problem =
            "f0 was changed by another program; f1 was deleted; f2 was deleted; so were 2 more"
        #expect(noticed == [.report(.outputAltered(problem: problem))])
    }

    @Test("programs run for a new token, not for files that are written again")
    mutating func programs() throws {
        var (life, actions) = try published(#", "on_change": [{"exec": ["/a"]}]"#)
        guard case .runHooks(let runs, _)? = actions.first else {
            Issue.record("\(actions)")
            return
        }
        #expect(runs.map(\.hook.arguments) == [["/a"]])
        _ = send(.outputsAltered([deleted]), to: &life, at: 10)
        guard case .publish(let ticket, _, _)? = send(.woke, to: &life, at: 10).first else {
            Issue.record("nothing is written")
            return
        }
        #expect(send(.published(ticket, .complete), to: &life, at: 11) == [])
    }

    @Test("a program that failed is a deadline like others, and needs attention, not a refresh")
    mutating func failingProgram() throws {
        var (life, actions) = try published(#", "on_change": [{"exec": ["/a"]}]"#)
        guard case .runHooks(let runs, let access)? = actions.first else {
            Issue.record("\(actions)")
            return
        }
        _ = send(.hookEnded(runs[0].ticket, problem: "p"), to: &life, at: 5)
        let due = try #require(life.wakeAt)
        #expect(due <= noon.advanced(by: .seconds(6)).uptime)
        #expect(life.state == .fresh && life.failingHooks.map(\.problem) == ["p"])
        let again = send(.woke, to: &life, at: 6)
        guard case .runHooks(let second, access)? = again.first else {
            Issue.record("\(again)")
            return
        }
        let notices = send(.hookEnded(second[0].ticket, problem: nil), to: &life, at: 7)
        #expect(notices == [.report(.hookWorks(program: "/a", failures: 1))])
        #expect(life.failingHooks.isEmpty)
    }
}
