import TokenCore
import TokenEngine

/// One process of the daemon: the real engine, with ports into the simulated machine. After its
/// death its calls have no effect.
final class Life: @unchecked Sendable {
    unowned let simulation: Simulation
    let number: Int
    private(set) var engine: Engine!
    /// Killed: its calls have no effect any more.
    var isDead = false
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
    private func decide(_ verb: String, _ words: [String]) {
        if !isDead { simulation.decisions.note(simulation.now, verb, words) }
    }

    /// Lets virtual time pass; not for a dead process.
    func wait(_ duration: Duration) async {
        guard !isDead else { return }
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
        isDead = true
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
        guard !isDead, let deadline else {
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
            guard !isDead, armedAt == setTo else { return }
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
        guard !isDead else { return }
        simulation.note(entry)
    }
    func ready(status: String) { decide("ready", []) }
    func status(_ text: String) { statusLine = text }
    func reloading() { decide("reloading", []) }
    func stopping() { decide("stopping", []) }
    func extendTimeout(by duration: Duration) {}
    func watchdog() {}
}

extension Life: SlotStore {
    var slotSize: Int { Machine.slotSize }

    private func mustWork(_ what: String) throws(StorageFailure) {
        guard !isDead, simulation.machine.brokenUntil > simulation.now else { return }
        throw StorageFailure("simulated: cannot \(what): Input/output error")
    }

    func read(_ credential: String) async throws(StorageFailure) -> SlotPair {
        await wait(simulation.diskDelay())
        try mustWork("read \(credential)")
        return simulation.machine.pair(credential)
    }

    func open(_ credential: String) async throws(StorageFailure) -> any OpenSlots {
        await wait(simulation.diskDelay())
        simulation.operation(self)
        try mustWork("open \(credential)")
        if simulation.machine.slots[credential] == nil {
            guard isDead || simulation.machine.fullUntil <= simulation.now else {
                throw StorageFailure("simulated: cannot make slots: No space left on device")
            }
            if !isDead { simulation.machine.makeSlots(credential) }
        }
        if !isDead, try await origin(of: credential) == .own { noteOrigin(credential) }
        return LifeSlots(life: self, name: credential)
    }

    func names() async throws(StorageFailure) -> [String] {
        simulation.machine.slots.keys.sorted()
    }

    private func noteOrigin(_ credential: String) {
        guard !isDead, let identity = simulation.machine.slots[credential]?.identity else {
            return
        }
        simulation.machine.slots[credential]?.noted = identity
        simulation.machine.slots[credential]?.distrust = nil
    }

    func origin(of credential: String) async throws(StorageFailure) -> SlotOrigin {
        try mustWork("look at \(credential)")
        guard let slots = simulation.machine.slots[credential], let noted = slots.noted else {
            return .own
        }
        if let cause = slots.distrust { return .foreign(cause) }
        let copied = Cause(.stateCopied, CauseFacts(detail: "simulated: a copy"))
        return noted == slots.identity ? .own : .foreign(copied)
    }

    func accept(_ credential: String) async throws(StorageFailure) {
        decide("accept", [credential])
        await wait(simulation.diskDelay())
        try mustWork("accept \(credential)")
        guard !isDead else { return }
        if simulation.machine.pair(credential).isUnreadable {
            simulation.machine.removeSlots(credential)
        }
        simulation.machine.clearMarks(credential)
        noteOrigin(credential)
    }

    func distrust(_ credential: String, _ cause: Cause) async throws(StorageFailure) {
        decide("distrust", [credential, cause.kind.rawValue])
        await wait(simulation.diskDelay())
        simulation.operation(self)
        try mustWork("distrust \(credential)")
        if !isDead { simulation.machine.slots[credential]?.distrust = cause }
    }

    func erase(_ credential: String) async throws(StorageFailure) {
        decide("erase", [credential])
        try mustWork("erase \(credential)")
        if !isDead { simulation.machine.removeSlots(credential) }
    }

    /// Nothing is erased in a simulation.
    func spentTraces() async throws(StorageFailure) -> [String: SpentTraces] { [:] }
    func keep(_ traces: SpentTraces, of credential: String) async throws(StorageFailure) {
        decide("keep", [credential, String(traces.count)])
    }
}

/// Writes take time and can fail; a failed write leaves a part of its bytes.
final class LifeSlots: OpenSlots {
    let life: Life
    let name: String
    init(life: Life, name: String) { (self.life, self.name) = (life, name) }

    func read() async throws(StorageFailure) -> SlotPair { try await life.read(name) }

    func write(
        _ bytes: [UInt8], at offset: Int, to slot: SlotPair.Index, sequence: UInt64?
    ) async throws(StorageFailure) {
        let simulation = life.simulation
        guard !life.isDead else { return }
        simulation.decisions.noteWrite(
            simulation.now, name, slot: slot.rawValue, bytes: bytes, isRecord: offset == 0)
        let id = simulation.nextWrite()
        life.writes[id] = (bytes, offset, slot.rawValue, name)
        simulation.operation(life)
        await life.wait(simulation.diskDelay())
        guard !life.isDead else { return }
        life.writes[id] = nil
        if simulation.machine.brokenUntil > simulation.now || simulation.takeWriteFailure() {
            simulation.tear((bytes, offset, slot.rawValue, name))
            throw StorageFailure("simulated: cannot save \(name): Input/output error")
        }
        simulation.machine.write(bytes, at: offset, to: slot.rawValue, of: name)
        simulation.wrote(bytes, name)
        simulation.operation(life)
        // A separate operation after the write: a crash may happen between them.
        guard !life.isDead, let sequence else { return }
        simulation.machine.mark(sequence, slot.rawValue, of: name, at: simulation.now)
        simulation.operation(life)
    }

    func close() {}
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
        guard !isDead else { return .complete }
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
        if !isDead { simulation.machine.outputs[credential] = nil }
    }

    func altered() async -> [AlteredOutput] { [] }

    func published(
        in outputs: [OutputSpecification], of credential: String
    ) async -> [Secret] { simulation.machine.outputs[credential].map { [$0] } ?? [] }
}

extension Life: TokenEndpoint {
    func connect(_ request: WireRequest) async -> ConnectionOutcome { .stands }

    func send(_ request: WireRequest) async -> WireResult {
        guard !isDead else { return .notSent(TokenEngine.WireFault(Cause(.connectionRefused))) }
        simulation.decisions.note(simulation.now, request.request)
        simulation.operation(self)
        return await simulation.exchange(ProviderRequest(request.request), self)
    }
}
