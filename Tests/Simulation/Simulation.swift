internal import TokenConfiguration
internal import TokenControl
internal import TokenEngine
internal import TokenFormats
internal import TokenProviders
internal import TokenScheduling
internal import TokenSlots

/// A hundred credentials, a machine, providers and a daemon in virtual time, all from one seed.
///
/// Real: the whole engine, the core, the slot format. Simulated: disk, token files, clocks,
/// network, providers, crashes, the operator. A single thread runs everything.
final class Simulation: @unchecked Sendable {
    let executor = SimulationExecutor()
    var random: RandomSource
    /// The daemon's own: what it takes from the world's chance does not change the world.
    var daemonRandom: RandomSource
    var decisions = DecisionDigest()
    let seed: UInt64
    private var timeline = Timeline()
    var machine = Machine()
    var accounts: [String: Account] = [:]
    let names: [String]
    var configuration: Configuration
    var everything: Configuration
    /// `nil` while no process runs.
    private(set) var life: Life?
    private var lives = 0
    private var writes = 0

    var frozenUntil: Duration = .zero
    var wakeDelay: Duration = .zero
    /// Until when a fault stopped the work of the whole daemon.
    var troubleUntil: Duration = .zero
    var outageUntil: Duration = .zero
    var faults = FaultPlan()
    /// The faults that are injected, with their rates.
    var catalogue = Simulation.everyFault
    /// How often the operator reads `status`.
    var visitsEvery: Duration = .seconds(6 * 3600)
    /// Sees each entry of `status` that the operator reads, before the operator acts on it.
    var look: (JSONNode, Account) -> Void = { _, _ in }
    var report = Report()
    var lastClockStep: Duration = .zero
    private(set) var lastWriteFailure: Duration = .seconds(-3600)
    /// Which sectors of a write survive: a prefix after a kill, any of them after a power cut.
    private var isPowerCut = false

    /// - Parameter neighbours: Credentials of hostile providers.
    init(
        seed: UInt64, of shares: [Share] = Share.mixture, beside neighbours: [String] = []
    ) throws {
        self.seed = seed
        random = RandomSource(seed: seed)
        daemonRandom = RandomSource(seed: ~seed)
        (everything, accounts, names) = try makeFleet(of: shares, beside: neighbours)
        configuration = everything
    }

    var now: Duration { timeline.now }
    var events: Int { timeline.count }

    func schedule(at time: Duration, _ run: @escaping () -> Void) {
        timeline.schedule(at: time, run)
    }

    func upTo(_ limit: Duration) -> Duration { random.part(of: limit) }
    func chance(_ part: Double) -> Bool { Double.random(in: 0..<1, using: &random) < part }

    /// - Parameter hasFaults: Faults of disk, process, clock and network, and an operator.
    func run(for duration: Duration, hasFaults: Bool = true) {
        startLife()
        if hasFaults {
            scheduleFault()
            schedule(at: min(.seconds(3600), visitsEvery)) { [self] in visit() }
        }
        while report.problems.count < 10, let event = timeline.pop(until: duration) {
            event.run()
            executor.drain()
            settle()
            guard timeline.eventsNow < 100_000 else {
                problem("time stands still: something is tried again and again without a pause")
                break
            }
        }
        life?.bury()
        executor.drain()
    }

    // MARK: Processes

    private func startLife() {
        lives += 1
        let new = Life(self, number: lives)
        life = new
        for name in names {
            accounts[name]?.inFlight = []
            // An intent left by the crash looks like a request that was sent.
            accounts[name]?.isInDoubt = true
        }
        new.start(configuration)
        executor.drain()
    }

    /// After each event: a dead process is buried and restarted, as by systemd.
    private func settle() {
        guard let ended = life, ended.hasExpired || ended.isOver else { return }
        if !ended.isOver {
            ended.bury()
            executor.drain()
            if !ended.isOver { problem("the tasks of a dead process do not end") }
            auditDisk()
        }
        life = nil
        var downtime = Duration.seconds(2) + upTo(.seconds(3))
        if isPowerCut {
            downtime = .seconds(20) + upTo(.seconds(600))
            machine.boot += 1
            machine.bootedAt = now + downtime
            losePower()
            if chance(0.2) { bootWithLateClock(at: now + downtime) }
        }
        isPowerCut = false
        (frozenUntil, wakeDelay) = (.zero, .zero)
        trouble(until: now + downtime)
        schedule(at: now + downtime) { [self] in startLife() }
    }

    /// kill -9, or a power cut.
    func crash(losesPower: Bool) {
        guard let life, !life.hasExpired else { return }
        isPowerCut = losesPower
        life.hasExpired = true
    }

    /// An input from a signal, a command or the kernel, if the process runs.
    func tell(_ input: Engine.Input) {
        guard let life else { return }
        schedule(at: frozenUntil) { if !life.hasExpired { life.engine.inbox.yield(input) } }
    }

    func setClock(_ offset: Duration) {
        guard offset != machine.wallOffset else { return }
        (machine.wallOffset, lastClockStep) = (offset, now)
        tell(.woke)
    }

    /// A power cut may also undo the evidence that a state is old, if the journal has not committed
    /// it.
    private func losePower() {
        machine.outputs = [:]
        machine.losePower(at: now) { _ in chance(0.5) }
        for name in report.unseen where !isTold(name) { accounts[name]?.isUnawares = true }
    }

    /// Without a battery the clock continues from its last saved time, until the network corrects
    /// it.
    private func bootWithLateClock(at time: Duration) {
        let right = machine.wallOffset
        machine.wallOffset -= (time - now) + upTo(.seconds(3 * 3600))
        lastClockStep = now
        let late = machine.wallOffset
        schedule(at: time + upTo(.seconds(1200))) { [self] in
            if machine.wallOffset == late { setClock(right) }
        }
    }

    func trouble(until time: Duration) { troubleUntil = max(troubleUntil, time) }

    func problem(_ text: String) {
        report.problems.append("seed \(seed), at \(now.components.seconds) s: \(text)")
    }

    // MARK: Reports of the ports

    func nextWrite() -> Int {
        writes += 1
        return writes
    }

    func diskDelay() -> Duration {
        machine.slowUntil > now ? .seconds(1) + upTo(.seconds(8)) : .milliseconds(1)
    }

    /// One more operation of the process: a planned crash may happen here.
    func operation(_ life: Life) {
        guard !life.hasExpired, let plan = faults.crashAfter else { return }
        faults.crashAfter = plan.operations > 1 ? (plan.operations - 1, plan.losesPower) : nil
        if plan.operations <= 1 { crash(losesPower: plan.losesPower) }
    }

    func takeWriteFailure() -> Bool {
        guard faults.failingWrites > 0 else { return false }
        faults.failingWrites -= 1
        trouble(until: now)
        lastWriteFailure = now
        return true
    }

    /// An interrupted write: a prefix of its sectors, or after a power cut any of them.
    func tear(_ write: (bytes: [UInt8], offset: Int, index: Int, name: String)) {
        let count = write.bytes.count / 512 + 1
        let reached = Int.random(in: 0...count, using: &random)
        let isAnyOrder = isPowerCut
        machine.write(
            write.bytes, at: write.offset, to: write.index, of: write.name,
            sectors: { isAnyOrder ? self.chance(0.5) : $0 < reached })
    }

    /// A completed write: its contents are safe.
    func wrote(_ bytes: [UInt8], _ name: String) {
        // With the closing quote: a token that was cut there might be longer.
        guard let live = accounts[name]?.live, Machine.contains(bytes, live + "\"") else { return }
        accounts[name]?.durable.insert(live)
        accounts[name]?.isUnawares = false
        // A token that is kept aside is in the record too.
        if accounts[name]?.isRevoked == false, accounts[name]?.excuse != "forgotten" {
            accounts[name]?.excuse = nil
        }
    }

    func note(_ entry: JournalEntry) {
        decisions.note(now, entry)
        report.digest(now, entry.message)
        let facts = entry.fields.map { "\($0.name)=\($0.value)" }.joined(separator: " ")
        let name = entry.fields.first { $0.name == "CREDENTIAL" }?.value ?? ""
        report.trace(now, name, "\(entry.message) \(facts)")
        if entry.message == "Token refreshed" { report.refreshes += 1 }
    }
}
