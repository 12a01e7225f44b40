@testable import TokenCore

/// Credentials in virtual time: a rotating authorization server, slots on a disk, a network that
/// loses answers, power cuts, clock steps, suspends. Everything follows from one seed.
///
/// Simulated: time, disk, network and server. Real: every decision, record, checksum and reading.
struct SimulatedWorld {
    struct Faults {
        /// Per hour of virtual time.
        var outages = 0.0
        var lostAnswers = 0.0
        var crashes = 0.0
        var clockSteps = 0.0
        var suspends = 0.0
        var serverErrors = 0.0
    }

    /// The server's data of one credential. It rotates, and revokes the family on reuse.
    struct Account {
        var live: String
        var counter = 0
        var isRevoked = false
        /// The newest token was answered but reached no slot: only then may a sign-in be needed.
        var lostInFlight = false
        var accessExpiresAt: Duration = .zero
    }

    enum Event {
        /// Only the newest wake counts, as with the single timer.
        case wake(number: Int)
        case arrived(epoch: Int, name: String, Pending)
        case fault
    }
    struct Pending {
        var ticket: Ticket
        var record: SlotRecord
        var index: SlotPair.Index
        var sentAt: Duration
    }

    var random: RandomSource
    let seed: UInt64
    let faults: Faults
    var configuration: Configuration
    var fleet: Fleet
    var queue: [(at: Duration, order: Int, event: Event)] = []
    private var order = 0
    var time: Duration = .zero
    var wallOffset: Duration = .zero
    var boot = 1
    var bootedAt: Duration = .zero
    /// Answers to requests of an earlier process are dropped.
    var epoch = 0
    var wakeNumber = 0
    var accounts: [String: Account] = [:]
    var slots: [String: [[UInt8]]] = [:]
    var inFlight: Set<String> = []
    var outageUntil: Duration = .zero
    var problems: [String] = []
    var requests = 0
    var rotations = 0
    var faultsInjected = 0
    var lastRequestAt: [String: Duration] = [:]
    /// Since when a published token was expired although the server worked.
    var staleSince: [String: Duration] = [:]
    var wellSince: Duration = .zero

    init(seed: UInt64, credentials: Int, lifetime: Int64, faults: Faults) throws {
        (self.seed, self.faults) = (seed, faults)
        random = RandomSource(seed: seed)
        let names = (0..<credentials).map { "c\($0)" }
        let list = names.map {
            """
            "\($0)": {"provider": "as", "client_id": "id", "client_secret": "s",
              "refresh_token": "\($0)-0"}
            """
        }
        let text = """
            {"providers": {"as": {"request": {"url": "https://id.example/token"},
              "response": {"default_lifetime": "\(lifetime)s"},
              "lifecycle": {"refresh_token": "rotating"}}},
             "credentials": {\(list.joined(separator: ","))}}
            """
        configuration = try Configuration.read(
            main: ConfigurationFile(path: "sim.json", bytes: Array(text.utf8), mode: 0o600))
        fleet = Fleet(maxInFlight: 64, seed: seed)
        for name in names {
            accounts[name] = Account(live: "\(name)-0")
            slots[name] = [[], []]
        }
    }

    var now: Moment {
        Moment(
            uptime: Uptime(time - bootedAt),
            wall: WallTime(.seconds(1_795_000_000) + time + wallOffset), bootID: "boot-\(boot)")
    }

    mutating func schedule(_ event: Event, after delay: Duration) {
        order += 1
        queue.append((time + delay, order, event))
    }

    /// - Returns: A uniformly random duration up to `limit`.
    mutating func upTo(_ limit: Duration) -> Duration { random.part(of: limit) }

    mutating func run(for duration: Duration) {
        start()
        scheduleFault()
        let end = time + duration
        while let next = queue.indices.min(by: { before(queue[$0], queue[$1]) }) {
            let (at, _, event) = queue.remove(at: next)
            guard at <= end, problems.count < 5 else { return }
            time = max(time, at)
            handle(event)
            check()
        }
    }

    private func before(
        _ a: (at: Duration, order: Int, event: Event), _ b: (at: Duration, order: Int, event: Event)
    ) -> Bool { a.at == b.at ? a.order < b.order : a.at < b.at }

    private mutating func start() {
        fleet = Fleet(maxInFlight: 64, seed: random.next())
        let (orders, _) = fleet.configure(configuration, now: now)
        perform(orders)
        wakeLater()
    }

    private mutating func handle(_ event: Event) {
        switch event {
        case .wake(let number) where number == wakeNumber:
            perform(fleet.wake(now: now))
            wakeLater()
        case .arrived(let at, let name, let pending) where at == epoch: answer(name, pending)
        case .fault:
            inject()
            scheduleFault()
        case .wake, .arrived: break
        }
    }

    private mutating func wakeLater() {
        guard let at = fleet.wakeAt else { return }
        wake(after: max(.zero, now.uptime.duration(to: at)))
    }

    mutating func wake(after delay: Duration) {
        wakeNumber += 1
        queue.removeAll { if case .wake = $0.event { true } else { false } }
        schedule(.wake(number: wakeNumber), after: delay)
    }

    mutating func perform(_ orders: [Fleet.Order]) {
        for order in orders { perform(order.action, order.credential) }
    }

    private mutating func tell(_ name: String, _ event: LifecycleEvent) {
        perform(fleet.handle(event, for: name, now: now))
        wakeLater()
    }

    private mutating func perform(_ action: LifecycleAction, _ name: String) {
        switch action {
        case .recover(let ticket, _): tell(name, .recovered(ticket, recovery(of: name)))
        case .attempt(let ticket, let order): attempt(name, ticket, order)
        case .publish(let ticket, let access, _):
            if let known = accounts[name], !known.lostInFlight,
                access.token.reveal() != "\(name)-at-\(known.counter)"
            {
                problems.append("\(name) publishes \(access.token.reveal()), not the newest")
            }
            tell(name, .published(ticket, .complete))
        case .runHooks(let runs, _):
            for run in runs { tell(name, .hookEnded(run.ticket, problem: nil)) }
        case .withdrawExpired, .report: break
        }
    }

    func pair(of name: String) -> SlotPair {
        let states = (slots[name] ?? []).map { SlotPair.state(of: $0, credential: name) }
        return SlotPair(a: states[0], b: states[1])
    }

    private func recovery(of name: String) -> StateRecovery {
        let pair = pair(of: name)
        guard let winner = pair.winner else {
            return pair.isUnreadable ? .unreadable : .grant(StoredGrant())
        }
        return .grant(winner.contents.grant(profile: configuration.credentials[0].profile))
    }

    mutating func write(_ bytes: [UInt8], at offset: Int, to index: SlotPair.Index, _ name: String)
    {
        var slot = slots[name]?[index.rawValue] ?? []
        if slot.isEmpty { slot = [UInt8](repeating: 0, count: 64 * 1024) }
        slot.replaceSubrange(offset..<offset + bytes.count, with: bytes)
        slots[name]?[index.rawValue] = slot
    }
}
