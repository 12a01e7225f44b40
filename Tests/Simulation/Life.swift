internal import TokenConfiguration
internal import TokenControl
internal import TokenEngine
internal import TokenFormats
internal import TokenProviders
internal import TokenScheduling
internal import TokenSlots

/// One process of the daemon: the real engine, with ports into the simulated machine. After its
/// death its calls have no effect.
final class Life: @unchecked Sendable {
    unowned let simulation: Simulation
    let number: Int
    private(set) var engine: Engine!
    /// Killed: its calls have no effect any more.
    var hasExpired = false
    /// Its run has ended.
    var isOver = false
    private var waiting: [Int: UnsafeContinuation<Void, Never>] = [:]
    private var waits = 0
    /// The deadline of the timer, and its wakes within the last minute.
    private var armedAt: Duration?
    private var rung: [Duration] = []
    var statusLine = ""
    let distrusted = DistrustedSlots()
    /// Pending writes: a crash may complete a part of each.
    var writes: [Int: (bytes: [UInt8], offset: Int, index: Int, name: String)] = [:]

    init(_ simulation: Simulation, number: Int) {
        (self.simulation, self.number) = (simulation, number)
    }

    func start(_ configuration: Configuration) {
        let engine = Engine(world: world)
        self.engine = engine
        Task(executorPreference: simulation.executor) { [self] in
            await engine.run(configuration: configuration)
            isOver = true
        }
    }

    private var world: LoopPorts {
        var attempts = AttemptPorts(
            clock: self, store: self, endpoint: self, secrets: self, outputs: self, random: self)
        attempts.pause = { [self] duration in await wait(duration) }
        attempts.responses = self
        return LoopPorts(
            attempts: attempts, timer: self, hooks: self, journal: self, supervisor: self,
            loadConfiguration: { [self] loaded in loaded(.success(simulation.configuration)) })
    }

    /// The process does something to the world; a dead one does not.
    func decide(_ verb: String, _ words: [String]) {
        if !hasExpired { simulation.decisions.note(simulation.now, verb, words) }
    }

    /// Lets virtual time pass; not for a dead process.
    func wait(_ duration: Duration) async {
        guard !hasExpired else { return }
        waits += 1
        let id = waits
        await withUnsafeContinuation { continuation in
            waiting[id] = continuation
            wake(id, at: simulation.now + duration)
        }
    }

    private func wake(_ id: Int, at time: Duration) {
        simulation.schedule(at: time) { [self] in
            if simulation.frozenUntil > simulation.now {
                return wake(id, at: simulation.frozenUntil)
            }
            waiting.removeValue(forKey: id)?.resume()
        }
    }

    /// Lets the dead process's tasks end without effect.
    func bury() {
        hasExpired = true
        for write in writes.values.sorted(by: { $0.name < $1.name }) { simulation.tear(write) }
        writes = [:]
        let all = waiting.sorted { $0.key < $1.key }
        waiting = [:]
        for (_, continuation) in all { continuation.resume() }
        engine.inbox.yield(.stop)
    }
}

extension Life: MomentClock, WakeTimer, RandomBytes {
    func now() -> Moment { simulation.machine.moment(at: simulation.now) }

    func bytes(_ count: Int) -> [UInt8] {
        (0..<count).map { _ in UInt8.random(in: 0...255, using: &simulation.daemonRandom) }
    }

    /// The one timer of the daemon; it merges what is closer than 10 ms.
    func arm(at deadline: Uptime?) {
        guard !hasExpired, let deadline else {
            armedAt = nil
            return
        }
        let now = self.now().uptime
        let time = simulation.now + max(.milliseconds(10), now.duration(to: deadline))
        guard armedAt != time else { return }
        armedAt = time
        decide("arm", [String(time.nanoseconds)])
        fire(at: time, setTo: time)
    }

    /// After a suspend it wakes within its cap.
    private func fire(at time: Duration, setTo: Duration) {
        simulation.schedule(at: time) { [self] in
            guard !hasExpired, armedAt == setTo else { return }
            if simulation.frozenUntil > simulation.now {
                return fire(at: simulation.frozenUntil + simulation.wakeDelay, setTo: setTo)
            }
            armedAt = nil
            noteRing()
            engine.inbox.yield(.woke)
        }
    }

    /// A process that wakes all the time has a deadline that never passes.
    private func noteRing() {
        rung.append(simulation.now)
        guard rung.count > 2000 else { return }
        if simulation.now - rung[0] < .seconds(60) {
            simulation.problem("the timer rang \(rung.count) times in a minute")
        }
        rung = []
    }
}

extension Life: SecretReader, HookRunner, Journal, Supervisor {
    func read(
        _ source: SecretSource, as shape: SecretText.Shape
    ) async throws(Cause) -> SecretText {
        if case .inline(let secret) = source { return SecretText(secret) }
        throw Cause(.secretMissing, "not there")
    }
    func run(
        _ runs: [HookRun], token: PublishedToken, paths: [String],
        ended: @escaping @Sendable (Ticket, String?) -> Void
    ) {
        decide("hooks", [token.credential] + runs.flatMap(\.hook.arguments) + paths)
    }
    func write(_ entry: JournalEntry) {
        guard !hasExpired else { return }
        simulation.note(entry)
    }
    func ready(status: String) { decide("ready", []) }
    func status(_ text: String) { statusLine = text }
    func reloading() { decide("reloading", []) }
    func stopping() { decide("stopping", []) }
    func extendTimeout(by duration: Duration) {}
    func watchdog() {}
}

extension Life: OutputPublisher {
    func publish(
        _ token: PublishedToken, to outputs: [OutputSpecification]
    ) async -> PublicationReport {
        decide(
            "publish",
            [
                token.credential, token.access.token.reveal(),
                token.access.expiresAt.map { String($0.sinceEpoch.nanoseconds) } ?? "",
            ] + outputs.map(\.path))
        simulation.operation(self)
        if Neighbour(token.credential) == .stuck {
            await wait(.seconds(10))
            return PublicationReport(
                Cause(.outputFails, CauseFacts(detail: "simulated: a dead mount")),
                isAnyWritten: false)
        }
        await wait(.milliseconds(2))
        guard !hasExpired else { return .complete }
        if simulation.machine.outputsBrokenUntil > simulation.now {
            return PublicationReport(
                Cause(.outputFails, CauseFacts(detail: "simulated: No space left")),
                isAnyWritten: false)
        }
        simulation.published(token)
        simulation.operation(self)
        return .complete
    }

    func remove(_ outputs: [OutputSpecification], of credential: String) async {
        decide("remove", [credential])
        if !hasExpired { simulation.machine.outputs[credential] = nil }
    }

    func altered() async -> [AlteredOutput] { [] }

    func published(
        in outputs: [OutputSpecification], of credential: String
    ) async -> [Secret] { simulation.machine.outputs[credential].map { [$0] } ?? [] }
}

extension Life: TokenEndpoint {
    func connect(_ request: WireRequest) async -> ConnectionOutcome { .stands }

    func send(_ request: WireRequest) async -> WireResult {
        guard !hasExpired else { return .notSent(TokenEngine.WireFault(Cause(.connectionRefused))) }
        simulation.decisions.note(simulation.now, request.request)
        simulation.operation(self)
        return await simulation.exchange(ProviderRequest(request.request), self)
    }
}
