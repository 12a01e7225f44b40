import Synchronization

@testable import TokenConfiguration
@testable import TokenEngine
@testable import TokenFormats
@testable import TokenProviders
@testable import TokenScheduling
@testable import TokenSlots

/// A configuration file that can change.
final class SharedConfiguration: Sendable {
    private let configuration = Mutex<Configuration?>(nil)
    func withLock<R: Sendable>(_ body: (inout sending Configuration?) -> sending R) -> R {
        configuration.withLock(body)
    }
}

/// The engine's calls of its ports, in order.
enum Deed: Equatable, Sendable {
    case opened(String)
    case wrote(String, offset: Int)
    case sent(String)
    case published(String)
    case erased(String)
    /// With the number of traces of an erased state.
    case kept(String, Int)
    case hooked
    case ready, stopping, watchdog, reloading
}

/// Emulated ports that record the order of all calls; the disk is memory, the network a script.
final class RecordingWorld: Sendable {
    struct State {
        var deeds: [Deed] = []
        var slots: [String: [[UInt8]]] = [:]
        var answers: [WireResult] = []
        var requests: [RenderedRequest] = []
        /// Test connections without a request, and their outcome.
        var connections: [RenderedRequest] = []
        var connection = ConnectionOutcome.stands
        var inFlight = 0
        var mostInFlight = 0
        var failingWrites: Set<Int> = []
        var writes = 0
        var journal: [JournalEntry] = []
        var statuses: [String] = []
        var uptime: Duration = .seconds(1000)
        var wallOffset: Duration = .zero
        /// Credentials whose slots are a copy.
        var foreign: Set<String> = []
        /// The result of the next check of the outputs.
        var altered: [AlteredOutput] = []
        /// Problems of the next program runs; later runs succeed.
        var hookProblems: [String?] = []
        /// The causes of credentials that the engine distrusted.
        var causes: [String: Cause] = [:]
        /// The traces of erased states.
        var traces: [String: SpentTraces] = [:]
        /// The marks of each slot's files.
        var marks: [String: SlotMarks] = [:]
        /// The tokens that files hold.
        var files: [Secret] = []
        /// The deadline of the timer.
        var armedAt: Uptime?
    }
    let state = Mutex(State())
    /// Of the present run, as of a process.
    private let distrustedNow = Mutex(DistrustedSlots())
    var distrusted: DistrustedSlots { distrustedNow.withLock { $0 } }
    /// Set to delay an answer.
    let gate = Mutex<CheckedContinuation<Void, Never>?>(nil)
    let holdsAnswers = Mutex(false)
    /// The configuration that a reload reads; by default that of the start.
    let loading = SharedConfiguration()
    /// Set to let what a reload reads wait.
    let holdsLoading = Mutex(false)
    let heldLoading = Mutex<[@Sendable () -> Void]>([])
    /// The survey of the configuration; by default it finds nothing.
    let survey: any ConfigurationSurvey

    init(survey: any ConfigurationSurvey = NoSurvey()) { self.survey = survey }

    func note(_ deed: Deed) { state.withLock { $0.deeds.append(deed) } }
    var deeds: [Deed] { state.withLock { $0.deeds } }

    func script(_ answers: [WireResult]) { state.withLock { $0.answers = answers } }

    static func token(_ number: Int, lifetime: Int = 3600) -> WireResult {
        .answered(
            RawResponse(
                status: 200,
                body: Array(
                    """
                    {"access_token":"AT-\(number)","refresh_token":"RT-\(number)",\
                    "expires_in":\(lifetime)}
                    """.utf8)))
    }

    static func configuration(_ extra: String = "", names: [String] = ["mail"]) throws
        -> Configuration
    {
        let credentials = names.map {
            """
            "\($0)": {"provider": "as", "client_id": "id", "client_secret": "s",
              "refresh_token": "RT-0-\($0)"\(extra)}
            """
        }
        let text = """
            {"providers": {"as": {"request": {"url": "https://id.example/token"}}},
             "credentials": {\(credentials.joined(separator: ","))}}
            """
        return try Configuration.read(
            main: ConfigurationFile(path: "test.json", bytes: Array(text.utf8), mode: 0o600))
    }

    /// Runs an engine over this world while `body` observes it, then stops it.
    func run(
        _ configuration: Configuration, _ body: @escaping @Sendable (Engine) async throws -> Void
    ) async throws {
        let engine = Engine(world: ports(loading: configuration))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await engine.run(configuration: configuration) }
            try await body(engine)
            engine.inbox.yield(.stop)
            try await group.waitForAll()
        }
    }

    /// Waits at most five seconds until the recorded deeds satisfy the condition.
    func wait(_ what: String, until condition: @Sendable ([Deed]) -> Bool) async throws {
        for _ in 0..<500 {
            if condition(deeds) { return }
            try await Task.sleep(for: .milliseconds(10))
        }
        throw Waited(what: what, deeds: deeds)
    }
    struct Waited: Error { var what: String, deeds: [Deed] }

    /// Those of attempts alone, for a part of the engine.
    var attemptPorts: AttemptPorts {
        AttemptPorts(
            clock: self, store: self, endpoint: self, secrets: self, outputs: self, random: self)
    }

    private func ports(loading configuration: Configuration) -> LoopPorts {
        distrustedNow.withLock { $0 = DistrustedSlots() }
        var world = LoopPorts(
            attempts: attemptPorts, timer: self, hooks: self, journal: self, supervisor: self,
            loadConfiguration: { [self] loaded in
                let read: @Sendable () -> Void = { [loading] in
                    loaded(.success(loading.withLock { $0 } ?? configuration))
                }
                guard holdsLoading.withLock({ $0 }) else { return read() }
                heldLoading.withLock { $0.append(read) }
            })
        world.survey = survey
        return world
    }
}

extension RecordingWorld: MomentClock, WakeTimer, RandomBytes {
    func now() -> Moment {
        let (uptime, offset) = state.withLock { ($0.uptime, $0.wallOffset) }
        return Moment(
            uptime: Uptime(uptime), wall: WallTime(.seconds(1_795_000_000) + uptime + offset),
            bootID: "b")
    }
    func arm(at deadline: Uptime?) { state.withLock { $0.armedAt = deadline } }
    func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8.random(in: 0...255) } }
}

extension RecordingWorld: SlotStore {
    var slotSize: Int { 65_536 }

    func pair(_ name: String) -> SlotPair {
        let (bytes, marks) = state.withLock { ($0.slots[name] ?? [[], []], $0.marks[name]) }
        let states = bytes.map { SlotPair.state(of: $0, credential: name) }
        return SlotPair(a: states[0], b: states[1], marks: marks ?? SlotMarks())
    }

    func read(_ credential: String) async throws(StorageFailure) -> SlotPair { pair(credential) }

    func names() async throws(StorageFailure) -> [String] {
        state.withLock { $0.slots.keys.sorted() }
    }

    func origin(of credential: String) async throws(StorageFailure) -> SlotOrigin {
        state.withLock {
            guard $0.foreign.contains(credential) else { return .own }
            let copied = Cause(.stateCopied, CauseFacts(detail: "emulated: a copy"))
            return .foreign($0.causes[credential] ?? copied)
        }
    }
    func accept(_ credential: String) async throws(StorageFailure) {
        state.withLock {
            $0.foreign.remove(credential)
            $0.marks[credential] = nil
        }
    }
    func distrust(_ credential: String, _ cause: Cause) async throws(StorageFailure) {
        state.withLock {
            $0.foreign.insert(credential)
            $0.causes[credential] = cause
        }
    }
    func erase(_ credential: String) async throws(StorageFailure) {
        note(.erased(credential))
        state.withLock { $0.slots[credential] = nil }
    }
    func spentTraces() async throws(StorageFailure) -> [String: SpentTraces] {
        state.withLock { $0.traces }
    }
    func keep(_ traces: SpentTraces, of credential: String) async throws(StorageFailure) {
        note(.kept(credential, traces.count))
        state.withLock { $0.traces[credential] = traces.isEmpty ? nil : traces }
    }

    func open(_ credential: String) async throws(StorageFailure) -> any OpenSlots {
        note(.opened(credential))
        return RecordedSlots(world: self, name: credential)
    }
}

final class RecordedSlots: OpenSlots {
    let world: RecordingWorld
    let name: String
    init(world: RecordingWorld, name: String) { (self.world, self.name) = (world, name) }

    func read() async throws(StorageFailure) -> SlotPair { world.pair(name) }

    func write(
        _ bytes: [UInt8], at offset: Int, to slot: SlotPair.Index, sequence: UInt64?
    ) async throws(StorageFailure) {
        let fails = world.state.withLock { state in
            state.writes += 1
            if state.failingWrites.contains(state.writes) { return true }
            var both = state.slots[name] ?? [[], []]
            if both[slot.rawValue].isEmpty {
                both[slot.rawValue] = [UInt8](repeating: 0, count: 65_536)
            }
            both[slot.rawValue].replaceSubrange(offset..<offset + bytes.count, with: bytes)
            state.slots[name] = both
            if let sequence {
                let mark = slot == .a ? \SlotMarks.a : \.b
                state.marks[name, default: SlotMarks()][keyPath: mark] = sequence
            }
            return false
        }
        if fails { throw StorageFailure("emulated: Input/output error") }
        world.note(.wrote(name, offset: offset))
    }
    func close() {}
}

extension RecordingWorld: TokenEndpoint, SecretReader, OutputPublisher, HookRunner {
    func connect(_ request: WireRequest) async -> ConnectionOutcome {
        state.withLock { state in
            state.connections.append(request.request)
            return state.connection
        }
    }
    func send(_ request: WireRequest) async -> WireResult {
        let body = String(decoding: request.request.body ?? [], as: UTF8.self)
        let token = body.split(separator: "&").first { $0.hasPrefix("refresh_token=") } ?? ""
        note(.sent(String(token.dropFirst("refresh_token=".count))))
        let answer = state.withLock { state -> WireResult in
            state.requests.append(request.request)
            state.inFlight += 1
            state.mostInFlight = max(state.mostInFlight, state.inFlight)
            return state.answers.isEmpty
                ? .notSent(WireFault(Cause(.connectionRefused))) : state.answers.removeFirst()
        }
        if holdsAnswers.withLock({ $0 }) {
            await withCheckedContinuation { continuation in gate.withLock { $0 = continuation } }
        }
        state.withLock { $0.inFlight -= 1 }
        return answer
    }

    func letGo() { gate.withLock { $0 }?.resume() }

    func read(
        _ source: SecretSource, as shape: SecretText.Shape
    ) async throws(Cause) -> SecretText {
        if case .inline(let secret) = source { return SecretText(secret) }
        throw Cause(.secretMissing, "not there")
    }
    func publish(
        _ token: PublishedToken, to outputs: [OutputSpecification]
    ) async -> PublicationReport {
        note(.published(token.access.token.reveal()))
        return .complete
    }
    func remove(_ outputs: [OutputSpecification], of credential: String) async {}
    func published(
        in outputs: [OutputSpecification], of credential: String
    ) async -> [Secret] { state.withLock { $0.files } }
    func altered() async -> [AlteredOutput] {
        state.withLock { state in
            defer { state.altered = [] }
            return state.altered
        }
    }
    func run(
        _ runs: [HookRun], token: PublishedToken, paths: [String],
        ended: @escaping @Sendable (Ticket, String?) -> Void
    ) {
        for run in runs {
            note(.hooked)
            let problem = state.withLock { state in
                state.hookProblems.isEmpty ? nil : state.hookProblems.removeFirst()
            }
            ended(run.ticket, problem)
        }
    }
}

extension RecordingWorld: Journal, Supervisor {
    func write(_ entry: JournalEntry) { state.withLock { $0.journal.append(entry) } }
    func ready(status: String) { note(.ready) }
    func status(_ text: String) { state.withLock { $0.statuses.append(text) } }
    func reloading() { note(.reloading) }
    func stopping() { note(.stopping) }
    func extendTimeout(by duration: Duration) {}
    func watchdog() {}
}
