internal import Dispatch
internal import Glibc
internal import TokenAdapters
internal import TokenConfiguration
internal import TokenEngine
internal import TokenFormats
internal import TokenProviders

/// Assembles the daemon: the only file that refers to both a port and its adapter.
struct Assembly {
    let config: String
    let stateOverride: String?
    let tokenOverride: String?
    let logLevel: LogLevel?
    /// The meter of the loop that this runs on.
    let meter: LoopMeter

    /// Runs until SIGTERM.
    /// - Returns: The exit status (sysexits(3)).
    func run() async -> Int32 {
        let isHardened = ProcessHardening.apply()
        let loader = ConfigurationLoader(path: absolute(config), isDaemon: true)
        let (configuration, warnings): (Configuration, [ConfigurationMistake])
        switch loader.loadTolerantly() {
        case .success(let loaded): (configuration, warnings) = loaded
        case .failure(let mistakes):
            let journal = JournalWriter(threshold: .error)
            for mistake in mistakes.all {
                journal.write(Self.startRefused(mistake.description))
            }
            journal.flush()
            return EX_CONFIG
        }
        let journal = JournalWriter(threshold: logLevel ?? configuration.logLevel ?? .info)
        defer { journal.flush() }
        for warning in warnings { journal.write(Self.tightened(warning)) }
        if !isHardened {
            journal.write(JournalEntry(.warning, "The kernel refused to forbid core dumps"))
        }
        do throws(StorageFailure) {
            try await serve(configuration, loader: loader, journal: journal)
            journal.write(JournalEntry(.info, "Stopped"))
            return EX_OK
        } catch {
            journal.write(Self.startRefused(error.problem))
            return EX_CANTCREAT
        }
    }

    private static func startRefused(_ problem: String) -> JournalEntry {
        JournalEntry(
            .error, "evertokend does not start", fields: [HeaderField("PROBLEM", problem)],
            messageID: MessageID.startRefused)
    }

    private static func tightened(_ mistake: ConfigurationMistake) -> JournalEntry {
        JournalEntry(
            .warning, "The next version refuses to start with this; a reload does already",
            fields: [HeaderField("MISTAKE", mistake.description)])
    }

    private static func trimmed(_ trimming: String, at place: String) -> JournalEntry {
        JournalEntry(
            .notice, "What stands around a secret was dropped",
            fields: [HeaderField("PLACE", place), HeaderField("NOTE", trimming)])
    }

    /// Mistakes that a reload refuses, and a start does not yet.
    private func tellTightened(
        _ directories: Directories, _ configuration: Configuration, _ file: String,
        _ journal: JournalWriter
    ) {
        let unsafe = PlaceSafety().mistakes(
            directories, credentials: configuration.credentials.map(\.name), file: file)
        let impossible = directories.mistakes(configuration, file: file)
        for mistake in unsafe + impossible { journal.write(Self.tightened(mistake)) }
    }

    private static func survey(
        _ loader: ConfigurationLoader, _ directories: Directories
    ) -> PlaceSurvey {
        PlaceSurvey(
            base: loader.directory, tokenDirectory: directories.token, user: DaemonUser.own,
            isInService: true)
    }

    private func serve(
        _ configuration: Configuration, loader: ConfigurationLoader, journal: JournalWriter
    ) async throws(StorageFailure) {
        let directories = Directories(
            configuration: configuration, base: loader.directory, tokenOverride: tokenOverride,
            stateOverride: stateOverride)
        let slots = try SlotDirectory(
            path: directories.state, slotSize: configuration.slotSize,
            allowUnsafe: configuration.allowUnsafeState,
            warn: { journal.write(JournalEntry(.warning, $0)) })
        let outputs = try OutputDirectory(path: directories.token)
        tellTightened(directories, configuration, loader.path, journal)
        let clock = SystemClock()
        let supervisor = SystemdSupervisor()
        let wakes = Relay<Void, Void>()
        let cap = min(.seconds(60), supervisor.watchdogPeriod ?? .seconds(60))
        // A file server that does not answer holds up a reload, and nothing else.
        let reading = DispatchQueue(label: "evertoken.configuration")
        var attempts = AttemptPorts(
            clock: clock, store: slots, endpoint: CurlEndpoint(base: loader.directory),
            secrets: SecretResolver(
                base: loader.directory,
                noticed: { journal.write(Self.trimmed($1, at: $0)) }),
            outputs: outputs, random: SystemRandom())
        attempts.responses = ReadingLanes()
        var world = LoopPorts(
            attempts: attempts,
            timer: DispatchWakeTimer(clock: clock, cap: cap, wake: { wakes.pass(()) }),
            hooks: HookProcesses(journal: journal, tokenDirectory: directories.token),
            journal: journal, supervisor: supervisor,
            loadConfiguration: { loaded in
                reading.async { loaded(Self.load(loader, directories)) }
            })
        let configurations = Relay<Configuration, [String]>()
        world.applied = { configurations.pass($0) ?? [] }
        world.survey = Self.survey(loader, directories)
        world.started = FreeMemory().giveBack
        world.steps = meter
        meter.connect { journal.write($0.entry) }
        let engine = Engine(world: world)
        let inbox = engine.inbox
        wakes.connect { _ in inbox.yield(.woke) }
        let signals = Self.signals(to: inbox)
        let steps = ClockStepWatch { inbox.yield(.woke) }
        let listeners = try Listeners(
            configuration, directories, journal: journal,
            submit: { inbox.yield(.request($0, reply: $1)) })
        configurations.connect { configuration in
            journal.update(threshold: logLevel ?? configuration.logLevel ?? .info)
            // The directories of tokens and state are fixed at the start.
            let places = Directories(
                configuration: configuration, base: loader.directory,
                tokenOverride: directories.token, stateOverride: directories.state)
            return listeners.apply(configuration, places)
        }
        await engine.run(configuration: configuration)
        listeners.stop()
        withExtendedLifetime((signals, steps)) {}
    }

    private static func signals(to inbox: AsyncStream<Engine.Input>.Continuation) -> SignalWatch {
        SignalWatch([
            (SIGTERM, { @Sendable in inbox.yield(.stop) }),
            (SIGINT, { @Sendable in inbox.yield(.stop) }),
            (SIGHUP, { @Sendable in inbox.yield(.reload) }),
        ])
    }

    /// Loads for a reload: directories that other users can write to are refused like other
    /// mistakes.
    private static func load(
        _ loader: ConfigurationLoader, _ directories: Directories
    ) -> Result<Configuration, ConfigurationMistakes> {
        loader.load().flatMap { configuration in
            var mistakes = PlaceSafety().mistakes(
                directories, credentials: configuration.credentials.map(\.name),
                file: loader.path)
            let places = Directories(
                configuration: configuration, base: loader.directory,
                tokenOverride: directories.token, stateOverride: directories.state)
            mistakes += PlaceSafety.takenSocketPaths(
                places, configuration, file: loader.path, bound: directories)
            // Directories in the new configuration apply from the next start on.
            let named = Directories(configuration: configuration, base: loader.directory)
            var judged = places
            (judged.token, judged.state) = (named.token, named.state)
            mistakes += judged.mistakes(configuration, file: loader.path)
            return mistakes.isEmpty
                ? .success(configuration) : .failure(ConfigurationMistakes(mistakes))
        }
    }

    /// Makes a path absolute, because the working directory may change.
    private func absolute(_ path: String) -> String {
        if path.hasPrefix("/") { return path }
        guard let directory = getcwd(nil, 0) else { return path }
        defer { free(directory) }
        return String(cString: directory) + "/" + path
    }
}
