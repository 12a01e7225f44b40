package import TokenConfiguration
package import TokenControl
package import TokenFormats
package import TokenProviders
package import TokenScheduling
internal import TokenSlots

/// Drives all credentials: one loop over one inbox. All state is local to `run(configuration:)`.
package struct Engine: Sendable {
    /// Input of the loop. Indirect, because the inbox keeps the room of its longest queue: a start
    /// fills it with an input of 2 kB for each credential.
    package indirect enum Input: Sendable {
        /// The timer fired, or the wall clock was stepped.
        case woke
        case reload
        case stop
        case request(ControlRequest, reply: @Sendable (ControlReply) -> Void)
        case lifecycle(String, LifecycleEvent)
        /// A state was accepted: it is tried at once, and the reply contains the result.
        case accepted(String, wait: Duration, reply: @Sendable (ControlReply) -> Void)
        /// A response of this attempt that could not be saved yet; with its token if that must be
        /// published now.
        case unsaved(String, Ticket, Cause, token: GrantedAccess?)
        /// The result of a reload's read.
        case configurationLoaded(Result<ConfigurationUpdate, ConfigurationMistakes>)
        /// More of a new configuration is to be applied.
        case configuring
        /// A check of the outputs has ended, with the altered files.
        case outputsLooked([AlteredOutput])
        /// A look at the configured refresh tokens has ended.
        case initialTokensLooked([String: SecretMark?])
        /// A survey of the configuration has ended.
        case surveyed([CheckFinding], SurveyScope)
    }

    /// The inbox of the loop, for adapters on any thread; it never blocks them.
    package let inbox: AsyncStream<Input>.Continuation
    private let inputs: AsyncStream<Input>
    let world: LoopPorts

    /// An engine over these ports, with an empty inbox; `run(configuration:)` starts it.
    package init(world: LoopPorts) {
        self.world = world
        (inputs, inbox) = AsyncStream.makeStream()
    }

    /// Runs until `.stop`, and until everything in progress is durable.
    package func run(configuration: Configuration) async {
        let owners = RefreshTokenOwners()
        await loadSpentTokens(configuration, owners)
        var loop = EngineLoop(engine: self, configuration: configuration, owners: owners)
        await withDiscardingTaskGroup { group in
            loop.begin(&group)
            for await input in inputs {
                world.steps.name(input.kind)
                loop.handle(input, now: world.clock.now(), &group)
                if loop.isFinished { inbox.finish() }
                // However many inputs wait, running attempts get their turn between two of them.
                await Task.yield()
            }
        }
    }
}

/// The loop's state and what it does with each input.
struct EngineLoop {
    let engine: Engine
    var configuration: Configuration
    var credentials: CredentialSet
    let startedAt: Moment
    /// When the present input was taken out of the inbox: one time for everything that follows from
    /// it.
    private(set) var now: Moment
    var isReady = false
    var lastStatus = ""
    /// When the status line may be sent again: a burst of events gives one line.
    var statusDueAt = Uptime(.zero)
    var toldChanges: UInt64?
    var wallAtBoot: WallTime
    /// The mistakes of the last reload, in the order of the files; empty if it succeeded.
    var refusal: [ConfigurationMistake] = []
    var mistakes: [String] = []
    var lastReload = ConfigurationChanges()
    var reloads = ReloadQueue()
    /// The configuration of a reload that is being applied.
    var configuring: ConfigurationProgress?
    /// Directories are those of the start.
    let startedWith: Configuration
    var needingRestart: [String] = []
    var waiters: [TokenWaiter] = []
    /// The generation after a renewal for an unsatisfiable lifetime request, by credential.
    var renewedForLife: [String: Int64] = [:]
    /// Replies to orders, in the order in which the lifecycle executes them.
    var orderReplies: [String: [@Sendable (ControlReply) -> Void]] = [:]
    var runningOrders = RunningOrders()
    var tally = MetricsTally()
    var look: OutputCheck
    var initialTokens = InitialTokenLook()
    var surveyed = SurveyState()
    /// A live check holds a connection and waits for a network.
    let liveChecks = Turns(most: 4)
    /// A suspended read of a stored state takes 35 kB: as many at once as the disk can use.
    let recoveries = Turns(most: 16)
    /// The recoveries of the start, until all are collected.
    var startingRecoveries: [Recovery]?
    let runner: AttemptRunner

    init(engine: Engine, configuration: Configuration, owners: RefreshTokenOwners) {
        self.engine = engine
        self.configuration = configuration
        var places = configuration
        // The credentials of the start are not kept beside later ones.
        places.credentials = []
        startedWith = places
        let seed = engine.world.random.bytes(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        credentials = CredentialSet(maxInFlight: configuration.maxInFlight, seed: seed)
        startedAt = engine.world.clock.now()
        now = startedAt
        wallAtBoot = startedAt.wallAtBoot
        look = OutputCheck(now: startedAt.uptime)
        runner = AttemptRunner(
            world: engine.world.attempts, gates: CredentialGates(), owners: owners)
    }

    /// The time that an attempt may need at a stop beyond the request itself: its response is saved
    /// and published. systemd kills a service that exceeds its announced time (sd_notify(3)).
    private static let stopReserve: Duration = .seconds(30)
    /// Minimum time between two status lines: a burst of events gives one line.
    private static let statusPause: Duration = .seconds(1)

    var world: LoopPorts { engine.world }

    var isFinished: Bool { credentials.isStopping && !credentials.isBusy }

    mutating func begin(_ group: inout DiscardingTaskGroup) {
        noteConfigured()
        let (orders, _) = credentials.configure(configuration, now: now)
        startingRecoveries = []
        perform(orders, &group)
        recoverAll(startingRecoveries ?? [], &group)
        startingRecoveries = nil
        survey(.everything, &group)
        reportReadiness()
    }

    mutating func handle(
        _ input: Engine.Input, now: Moment, _ group: inout DiscardingTaskGroup
    ) {
        self.now = now
        switch input {
        case .woke: break
        case .reload: beginReload(nil)
        case .configurationLoaded(let result): endReload(result, &group)
        case .configuring: goOnApplying(&group)
        case .stop: stop()
        case .request(let request, let reply): answer(request, reply, &group)
        case .lifecycle(let name, let event):
            noteEnded(event, name)
            perform(credentials.handle(event, for: name, now: now), &group)
            finishOrder(event, name)
            surveyIfGranted(event, name, &group)
        case .accepted(let name, let wait, let reply):
            refreshAccepted(name, wait: wait, reply, &group)
        case .unsaved(let name, let ticket, let cause, let token):
            tellUnsaved(name, cause)
            // Not before the answer is on the disk (I6).
            if credentials.isStopping { world.supervisor.extendTimeout(by: Self.stopReserve) }
            // The attempt of a former life of the name is not this one's, nor is its token.
            guard credentials[name]?.isAttempting(ticket) == true else { break }
            credentials.noteUnsaved(name, cause, now: now)
            if let token { publishUnsaved(token, name, &group) }
        case .outputsLooked(let altered): outputsLooked(altered, &group)
        case .initialTokensLooked(let marks): initialTokensLooked(marks, &group)
        case .surveyed(let found, let scope): surveyEnded(found, scope, &group)
        }
        noteClockStep()
        perform(credentials.wake(now: now), &group)
        resolveWaiters()
        lookIfDue(&group)
        reportReadiness()
    }

    /// Token files contain expiry times of the wall clock, so a clock step changes them.
    private mutating func noteClockStep() {
        let difference = wallAtBoot.duration(to: now.wallAtBoot)
        guard difference > Moment.smallestStep || difference < .zero - Moment.smallestStep else {
            return
        }
        wallAtBoot = now.wallAtBoot
        credentials.noteClockStep(now: now)
    }

    /// What follows every input: readiness, the status line, the watchdog, the one timer. Only this
    /// loop feeds the watchdog, so a loop that hangs is noticed (I35).
    private mutating func reportReadiness() {
        if !isReady, !credentials.isStopping {
            let waited = startedAt.uptime.duration(to: now.uptime)
            if credentials.mayReportReadiness || waited >= configuration.readyTimeout {
                becomeReady(now: now)
            }
        }
        if statusDueAt <= now.uptime, toldChanges != credentials.summary.changes { tellStatus(now) }
        world.supervisor.watchdog()
        var deadlines = [credentials.wakeAt] + waiters.map(\.deadline)
        if toldChanges != credentials.summary.changes { deadlines.append(statusDueAt) }
        if !credentials.isStopping { deadlines.append(look.dueAt) }
        // A stopping daemon never becomes ready: this deadline would remain in the past.
        if !isReady, !credentials.isStopping {
            deadlines.append(startedAt.uptime.advanced(by: configuration.readyTimeout))
        }
        world.timer.arm(at: deadlines.compactMap { $0 }.min())
    }

    private mutating func tellStatus(_ now: Moment) {
        toldChanges = credentials.summary.changes
        statusDueAt = now.uptime.advanced(by: Self.statusPause)
        let status = credentials.statusLine(now: now)
        guard status != lastStatus else { return }
        lastStatus = status
        world.supervisor.status(status)
    }

    private mutating func becomeReady(now: Moment) {
        isReady = true
        lastStatus = credentials.statusLine(now: now)
        world.supervisor.ready(status: lastStatus)
        world.journal.write(
            JournalEntry(.info, "Ready", fields: [HeaderField("STATUS", lastStatus)]))
        world.started()
    }

    private mutating func stop() {
        guard !credentials.isStopping else { return }
        credentials.stop()
        world.supervisor.stopping()
        let longest = credentials.all.filter(\.isAttempting).map(\.configuration.refresh.timeout)
            .max()
        if let longest { world.supervisor.extendTimeout(by: longest + Self.stopReserve) }
        world.journal.write(JournalEntry(.info, "Stopping; requests in flight are finished first"))
        let waiting = waiters.map(\.reply) + orderReplies.values.joined() + reloads.stop()
        (waiters, orderReplies) = ([], [:])
        for reply in waiting { reply(.stopping) }
    }

    mutating func perform(_ orders: [CredentialSet.DueAction], _ group: inout DiscardingTaskGroup) {
        for order in orders {
            guard let credential = credentials[order.credential]?.configuration else { continue }
            perform(order.action, credential, &group)
        }
    }

    private mutating func perform(
        _ action: LifecycleAction, _ credential: CredentialConfiguration,
        _ group: inout DiscardingTaskGroup
    ) {
        let (name, inbox, world, now) = (credential.name, engine.inbox, engine.world, now)
        switch action {
        case .recover(let ticket, let isAccepted):
            recover(
                Recovery(credential: credential, ticket: ticket, isAccepted: isAccepted), &group)
        case .attempt(let ticket, let order):
            noteStarted(order, ticket, name)
            noteRenewal(order, ticket, name)
            let memory = LastKnown(grant: credentials[name]?.wholeGrant ?? CredentialRecord())
            group.addTask { [runner] in
                let report = await runner.run(order, credential, memory: memory) {
                    inbox.yield(.unsaved(name, ticket, $0, token: $1))
                }
                inbox.yield(.lifecycle(name, .attemptEnded(ticket, report)))
            }
        case .publish(let ticket, let access, _):
            let token = PublishedToken(
                credential: name, provider: credential.profile.name, access: access.told(by: now))
            group.addTask {
                let report = await world.outputs.publish(token, to: credential.outputs)
                inbox.yield(.lifecycle(name, .published(ticket, report)))
            }
        case .runHooks(let runs, let access):
            let token = PublishedToken(
                credential: name, provider: credential.profile.name, access: access.told(by: now))
            world.hooks.run(runs, token: token, paths: credential.outputs.map(\.path)) {
                inbox.yield(.lifecycle(name, .hookEnded($0, problem: $1)))
            }
        case .withdrawExpired:
            let outputs = credential.outputs.filter(\.removeOnExpiry)
            if !outputs.isEmpty { group.addTask { await world.outputs.remove(outputs, of: name) } }
        case .report(let notice):
            world.journal.write(notice.entry(for: credential))
        }
    }

    private func tellUnsaved(_ name: String, _ cause: Cause) {
        world.journal.write(
            JournalEntry(
                .error, "An answer could not be saved yet; it is held and tried again",
                fields: [
                    HeaderField("CREDENTIAL", name), HeaderField("CAUSE", cause.kind.rawValue),
                    HeaderField("PROBLEM", cause.problem),
                ], messageID: MessageID.storage))
    }
}

extension EngineLoop {
    private mutating func publishUnsaved(
        _ access: GrantedAccess, _ name: String, _ group: inout DiscardingTaskGroup
    ) {
        guard let credential = credentials[name]?.configuration else { return }
        credentials.notePublishedUnsaved(name, access, now: now)
        let token = PublishedToken(
            credential: name, provider: credential.profile.name, access: access)
        group.addTask { [world] in
            _ = await world.outputs.publish(token, to: credential.outputs)
        }
    }
}
