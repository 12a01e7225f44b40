public import TokenCore

// What the engine may ask of the world. Each protocol has one adapter in TokenAdapters.

/// Both clocks in one reading.
public protocol MomentClock: Sendable {
    /// One reading; the caller passes it on instead of reading again.
    func now() -> Moment
}

/// The one timer. Whatever it does, it only ever wakes the loop.
public protocol WakeTimer: Sendable {
    /// - Parameter deadline: `nil` for "nothing is due": the timer still wakes at its cap.
    func arm(at deadline: Uptime?)
}

/// Why the state could not be read or written.
public struct StorageFailure: Error, Sendable, Equatable {
    /// What happened, as a kind with its facts: decisions look at this.
    public var cause: Cause
    /// Another process holds what was to be opened.
    public var isHeldByAnother = false

    /// A failure with this cause; no other process holds what was to be opened.
    public init(_ cause: Cause) { self.cause = cause }

    /// Of something that no system call said.
    public init(_ problem: String) {
        self.init(Cause(.stateFails, CauseFacts(detail: problem)))
    }

    /// The cause as a sentence for people.
    public var problem: String { cause.problem }
}

/// Whether slots are where this daemon made them.
public enum SlotOrigin: Sendable, Equatable {
    case own
    /// A copy, or restored from one: maybe older than what the provider knows (I10).
    case foreign(Cause)
}

/// The durable slots of every credential (durability.md section 3).
public protocol SlotStore: Sendable {
    /// Bytes of one slot file: it bounds the response that can be kept.
    var slotSize: Int { get }
    /// Every credential that something is stored of, configured or not.
    func names() async throws(StorageFailure) -> [String]
    /// Whether the slots of this credential were made here; ``SlotOrigin/own`` where there are
    /// none.
    func origin(of credential: String) async throws(StorageFailure) -> SlotOrigin
    /// From now on these slots are the right ones; where none can be read they are set aside.
    func accept(_ credential: String) async throws(StorageFailure)
    /// From now on these slots are foreign, whatever becomes of what told so, until somebody
    /// accepts them.
    func distrust(_ credential: String, _ cause: Cause) async throws(StorageFailure)
    /// Removes all that is stored of a credential, but for its ``SpentTraces``. Wherever it is
    /// stopped, what is left is the newest of what there was, or cannot be read.
    func erase(_ credential: String) async throws(StorageFailure)
    /// What is kept of credentials that were erased, by name.
    func spentTraces() async throws(StorageFailure) -> [String: SpentTraces]
    /// Durable when it returns; empty ones are removed.
    func keep(_ traces: SpentTraces, of credential: String) async throws(StorageFailure)
    /// What the slots hold, and their marks, without creating any.
    func read(_ credential: String) async throws(StorageFailure) -> SlotPair
    /// Opens both slots for one attempt, creating and preallocating them first where they are not
    /// there: after this a full disk cannot stop the attempt's writes.
    func open(_ credential: String) async throws(StorageFailure) -> any OpenSlots
}

/// Two open slot files. Every write is on the disk when it returns (fdatasync).
public protocol OpenSlots: Sendable {
    /// Both slots and their marks, read from the disk anew.
    func read() async throws(StorageFailure) -> SlotPair
    /// - Parameter sequence: Of the record that is written, which becomes the slot's mark
    ///   (``SlotMarks``); `nil` for an answer. A mark that cannot be set is no failure.
    func write(_ bytes: [UInt8], at offset: Int, to slot: SlotPair.Index, sequence: UInt64?)
        async throws(StorageFailure)
    /// Closes both files. Call it once, whatever was written.
    func close()
}

/// A request ready for the wire.
public struct WireRequest: Sendable {
    /// What goes on the wire, transport aside.
    public var request: RenderedRequest
    /// For the whole exchange, from the lookup of the name to the last byte of the response.
    public var timeout: Duration
    /// For the connection alone, TLS included.
    public var connectTimeout: Duration
    /// A PEM bundle that replaces the system's certificate authorities; `nil` keeps those.
    public var caFile: String?
    /// The proxy's URL; `nil` goes straight to the host.
    public var proxy: String?
    /// Set where only the connection is wanted: told how it ended, by the stage that it came to.
    public var connectionEnded: (@Sendable (ConnectionOutcome.Stage) -> Void)?

    public init(
        request: RenderedRequest, timeout: Duration, connectTimeout: Duration, caFile: String?,
        proxy: String?
    ) {
        (self.request, self.timeout, self.connectTimeout) = (request, timeout, connectTimeout)
        (self.caFile, self.proxy) = (caFile, proxy)
    }
}

/// What became of a request.
public enum WireResult: Sendable, Equatable {
    /// A status line and headers came; the body is as complete as `isTruncated` says.
    case answered(RawAnswer)
    /// Not one byte of the request left: names, connection or TLS failed.
    case notSent(WireFault)
    /// It was sent, and no answer can be read.
    case unanswered(WireFault)
}

/// One HTTP exchange: no redirect, no retry, a fresh connection, bounded time and size.
public protocol TokenEndpoint: Sendable {
    /// Sends the request once and reads the response. It returns when its time is up at the latest.
    func send(_ request: WireRequest) async -> WireResult
    /// Makes the connection that the request would go over, with TLS and all that is checked of a
    /// certificate; closes it without a byte of the request.
    func connect(_ request: WireRequest) async -> ConnectionOutcome
}

/// Why a secret could not be read. Never holds it.
public struct SecretFailure: Error, Sendable, Equatable {
    /// What happened, as a kind with its facts; it names the place, never the secret.
    public var cause: Cause

    /// A failure that already has its cause.
    public init(_ cause: Cause) { self.cause = cause }

    /// - Parameters:
    ///   - kind: Its sentence is `detail`.
    ///   - file: Where it should be.
    public init(_ kind: CauseKind, _ detail: String, file: String? = nil) {
        self.init(Cause(kind, CauseFacts(file: file, detail: detail)))
    }

    /// The cause as a sentence for people.
    public var problem: String { cause.problem }
}

/// Reads the secrets that a configuration names, anew at every use.
public protocol SecretReader: Sendable {
    /// What the source says now. A file's path may be relative to the configuration's directory.
    ///
    /// - Throws: ``SecretFailure``, naming the place, where there is none or it can be no secret.
    func read(
        _ source: SecretSource, as shape: SecretText.Shape
    ) async throws(SecretFailure) -> SecretText

    /// What tells a file from what stood there before, without reading it; `nil` where it cannot be
    /// looked at, and for sources that are no files.
    func mark(of source: SecretSource) async -> SecretMark?
}

extension SecretReader {
    /// Nothing to tell by: every look counts as a change.
    public func mark(of source: SecretSource) async -> SecretMark? { nil }
}

/// A file's identity and the times and size that a change of it changes (stat(2)).
public struct SecretMark: Sendable, Equatable {
    /// In the order in which they were given; two marks are equal if all of them are.
    public var numbers: [Int64]
    /// A mark of these numbers: device, inode, size and times of stat(2).
    public init(_ numbers: [Int64]) { self.numbers = numbers }
}

/// The files that other programs read.
public protocol OutputPublisher: Sendable {
    /// Writes what can be written, and says what could not.
    func publish(
        _ token: PublishedToken, to outputs: [OutputSpecification]
    ) async -> PublicationReport
    /// Deletes these files, such as those of a credential that the configuration no longer has. A
    /// file that cannot be deleted is left.
    func remove(_ outputs: [OutputSpecification], of credential: String) async
    /// Looks whether all that was published is still there as it was left. What cannot be looked at
    /// counts as unaltered.
    func altered() async -> [AlteredOutput]
    /// The tokens that the JSON outputs hold now.
    func published(in outputs: [OutputSpecification], of credential: String) async -> [Secret]
}

/// Runs `on_change` programs; never waits for them.
public protocol HookRunner: Sendable {
    /// - Parameter ended: Told of each run with what went wrong, `nil` for nothing. It is not told
    ///   of a run that was given up for a newer one of the same program.
    func run(
        _ runs: [HookRun], token: PublishedToken, paths: [String],
        ended: @escaping @Sendable (Ticket, _ problem: String?) -> Void)
}

/// Looks at what a configuration names and a refresh will need.
public protocol ConfigurationSurvey: Sendable {
    /// What of it cannot work as things are now, or has no effect. Takes as long as file systems
    /// do.
    func findings(in configuration: Configuration) async -> [CheckFinding]
}

/// Looks at nothing, for a program that is about to meet it anyway.
public struct NoSurvey: ConfigurationSurvey {
    /// A survey without findings.
    public init() {}
    /// Nothing is looked at: no findings.
    public func findings(in configuration: Configuration) async -> [CheckFinding] { [] }
}

/// One line of the journal: a constant message, the facts in fields.
public struct JournalEntry: Sendable, Equatable {
    /// How severe the event is, as syslog(3) counts.
    public var level: LogLevel
    /// A constant sentence; what varies is in ``fields``.
    public var message: String
    /// Without the `EVERTOKEN_` prefix, upper case.
    public var fields: [HeaderField]
    /// For events worth alerting on; 32 hexadecimal digits.
    public var messageID: String?

    public init(
        _ level: LogLevel, _ message: String, fields: [HeaderField] = [], messageID: String? = nil
    ) {
        (self.level, self.message) = (level, message)
        (self.fields, self.messageID) = (fields, messageID)
    }
}

/// Where events are written: the systemd journal, or standard error without it.
public protocol Journal: Sendable {
    /// Writes one entry. It never waits for the reader: what does not fit the queue is dropped.
    func write(_ entry: JournalEntry)
}

/// The service manager's side of sd_notify(3).
public protocol Supervisor: Sendable {
    /// Every credential is settled: `READY=1`, with the first status line.
    func ready(status: String)
    /// The line that `systemctl status` shows (`STATUS=`).
    func status(_ text: String)
    /// A reload begins; ``ready(status:)`` ends it (`RELOADING=1`).
    func reloading()
    /// No new request is begun from now on (`STOPPING=1`).
    func stopping()
    /// The stop takes so long from now; never said to shorten it (`EXTEND_TIMEOUT_USEC=`).
    func extendTimeout(by duration: Duration)
    /// The loop is alive (`WATCHDOG=1`); without a watchdog it does nothing.
    func watchdog()
}

/// Where responses are read: how long that takes is for whoever wrote them to choose, so it is
/// never the loop's time.
public protocol ResponseLanes: Sendable {
    /// Runs `body` elsewhere. One provider's responses hold up no other's.
    func run<Value: Sendable>(
        provider: String, credential: String, _ body: @escaping @Sendable () -> Value
    ) async -> Value
}

/// Reads at once, for a program that has nothing else to do.
public struct ReadingInPlace: ResponseLanes {
    /// Lanes that run everything in the caller's task.
    public init() {}
    /// Runs `body` at once.
    public func run<Value: Sendable>(
        provider: String, credential: String, _ body: @escaping @Sendable () -> Value
    ) async -> Value { body() }
}

/// How long the loop's steps take: while one runs, everything else waits.
public protocol StepMeter: Sendable {
    /// Names what the step that is running now is about.
    func name(_ input: String)
    /// All steps so far; `nil` where they are not measured.
    func durations() -> LoopStepDurations?
}

/// Measures nothing: for a program without a loop, and for simulations.
public struct UnmeasuredSteps: StepMeter {
    /// A meter that counts nothing.
    public init() {}
    /// Nothing is noted.
    public func name(_ input: String) {}
    /// Never any.
    public func durations() -> LoopStepDurations? { nil }
}

/// Unpredictable bytes, for attempt ids and nonces.
public protocol RandomBytes: Sendable {
    /// So many bytes, fit for keys (getrandom(2)).
    func bytes(_ count: Int) -> [UInt8]
}

/// All of it.
public struct World: Sendable {
    /// Where the loop's times come from.
    public var clock: any MomentClock
    /// What wakes the loop at its next deadline.
    public var timer: any WakeTimer
    /// The state directory.
    public var slots: any SlotStore
    /// What sends requests to token endpoints.
    public var endpoint: any TokenEndpoint
    /// What reads client secrets and configured refresh tokens.
    public var secrets: any SecretReader
    /// What writes token files.
    public var outputs: any OutputPublisher
    /// What runs the programs of `on_change`.
    public var hooks: any HookRunner
    /// Where events go.
    public var journal: any Journal
    /// The service manager.
    public var supervisor: any Supervisor
    /// Where attempt ids come from.
    public var random: any RandomBytes
    /// Reads the configuration anew at a reload, with every mistake in it.
    public var loadConfiguration: @Sendable () -> Result<Configuration, ConfigurationMistakes>
    /// Waits in real time; simulations have a time of their own.
    public var pause: @Sendable (Duration) async -> Void = {
        try? await Task.sleep(for: $0, clock: .continuous)
    }
    /// Where responses are read.
    public var responses: any ResponseLanes = ReadingInPlace()
    /// What measures the loop's steps.
    public var steps: any StepMeter = UnmeasuredSteps()
    /// What looks at the files and programs that the configuration names.
    public var survey: any ConfigurationSurvey = NoSurvey()
    /// Told of every configuration that a reload puts in force; says what of it could not be.
    public var applied: @Sendable (Configuration) -> [String] = { _ in [] }

    public init(
        clock: any MomentClock, timer: any WakeTimer, slots: any SlotStore,
        endpoint: any TokenEndpoint, secrets: any SecretReader, outputs: any OutputPublisher,
        hooks: any HookRunner, journal: any Journal, supervisor: any Supervisor,
        random: any RandomBytes,
        loadConfiguration: @escaping @Sendable () -> Result<Configuration, ConfigurationMistakes>
    ) {
        (self.clock, self.timer, self.slots) = (clock, timer, slots)
        (self.endpoint, self.secrets, self.outputs) = (endpoint, secrets, outputs)
        (self.hooks, self.journal, self.supervisor) = (hooks, journal, supervisor)
        (self.random, self.loadConfiguration) = (random, loadConfiguration)
    }
}
