package import TokenConfiguration
package import TokenControl
package import TokenFormats
package import TokenProviders
package import TokenScheduling
package import TokenSlots

// The engine's ports. Each protocol has one adapter in TokenAdapters.

/// Reads both clocks at once.
package protocol MomentClock: Sendable {
    /// One reading; the caller passes it on instead of reading again.
    func now() -> Moment
}

/// The only timer. It can only wake the loop.
package protocol WakeTimer: Sendable {
    /// - Parameter deadline: `nil` without a deadline: the timer still wakes at its cap.
    func arm(at deadline: Uptime?)
}

/// Whether the state is still what this daemon stored, where it stored it.
package enum SlotOrigin: Sendable, Equatable {
    case own
    /// A copy, or restored from one: it may be older than what the provider knows (I10).
    case foreign(Cause)
}

/// The durable state of every credential, in the terms of the rotation protocol (Loop 6). Where and
/// how it is stored is known only below this port.
package protocol AttemptStore: Sendable {
    /// Every credential with stored data, configured or not.
    func names() async throws(StorageFailure) -> [String]
    /// Whether the state of this credential was made here; ``SlotOrigin/own`` where there is none.
    func origin(of credential: String) async throws(StorageFailure) -> SlotOrigin
    /// Accepts the present state; one of which nothing is readable is set aside.
    func accept(_ credential: String) async throws(StorageFailure)
    /// Durably marks the state foreign; the evidence may disappear, the mark stays until `accept`.
    func distrust(_ credential: String, _ cause: Cause) async throws(StorageFailure)
    /// Removes everything stored of a credential except its `SpentTraces`. If interrupted, the
    /// remainder is the newest state, or unreadable.
    func erase(_ credential: String) async throws(StorageFailure)
    /// The spent tokens of erased credentials, by name.
    func spentTraces() async throws(StorageFailure) -> [String: SpentTraces]
    /// Durable when it returns; empty traces are removed.
    func keep(_ traces: SpentTraces, of credential: String) async throws(StorageFailure)
    /// What is stored of a credential now; creates nothing.
    func evidence(of credential: String) async throws(StorageFailure) -> AttemptEvidence
    /// Opens the state of a credential for one attempt. Room for all that the attempt stores is
    /// made first, so that a full disk cannot fail it later.
    func begin(_ credential: String) async throws(StorageFailure) -> any OpenAttempt
}

/// The state of one credential, open for one attempt. What a method stores is durable when it
/// returns; a failure of it leaves the newest record before it readable.
package protocol OpenAttempt: Sendable {
    /// What is stored now. A record whose write failed in this process is not part of it (I5).
    mutating func recover() async throws(StorageFailure) -> AttemptEvidence
    /// Stores the record of a request that is sent next (I4).
    mutating func beginIntent(_ record: SlotRecord) async throws(StorageFailure)
    /// Stores the response to the request of the last intent: the commit point (I3). One try; after
    /// a failed one the same response is passed again.
    mutating func saveResponse(
        _ raw: RawResponse, to record: SlotRecord, roundTrip: Duration
    ) async throws(StorageFailure)
    /// Stores a record without a pending request. An outcome that does not fit is left out: the
    /// stored response contains the same.
    mutating func settle(
        _ record: SlotRecord, as purpose: AttemptMachine.RecordWrite
    ) async throws(StorageFailure)
    /// Ends the use of the state. Call it once, whatever was stored.
    func release()
}

/// A request ready to send.
package struct WireRequest: Sendable {
    /// The request on the wire, without its transport settings.
    package var request: RenderedRequest
    /// For the whole exchange, from the lookup of the name to the last byte of the response.
    package var timeout: Duration
    /// For connecting, TLS included.
    package var connectTimeout: Duration
    /// A PEM bundle that replaces the system's certificate authorities; `nil` keeps those.
    package var caFile: String?
    /// The proxy's URL; `nil` goes straight to the host.
    package var proxy: String?
    /// Set for a test connection: called with the stage that it reached when it ended.
    package var connectionEnded: (@Sendable (ConnectionOutcome.Stage) -> Void)?

    package init(
        request: RenderedRequest, timeout: Duration, connectTimeout: Duration, caFile: String?,
        proxy: String?
    ) {
        (self.request, self.timeout, self.connectTimeout) = (request, timeout, connectTimeout)
        (self.caFile, self.proxy) = (caFile, proxy)
    }
}

/// The result of a request.
package enum WireResult: Sendable, Equatable {
    /// A status line and headers arrived; `isTruncated` tells whether the body is complete.
    case answered(RawResponse)
    /// Not one byte of the request was sent: name resolution, connection or TLS failed.
    case notSent(WireFault)
    /// The request was sent, and no response could be read.
    case unanswered(WireFault)
}

/// One HTTP exchange: no redirect, no retry, a fresh connection, bounded time and size.
package protocol TokenEndpoint: Sendable {
    /// Sends the request once and reads the response. Returns at the latest when its time is up.
    func send(_ request: WireRequest) async -> WireResult
    /// Makes the connection that the request would use, with TLS and certificate checks; closes it
    /// without sending any of the request.
    func connect(_ request: WireRequest) async -> ConnectionOutcome
}

/// Reads the secrets that a configuration names, anew at every use.
package protocol SecretReader: Sendable {
    /// The present secret of a source. A relative path starts at the configuration's directory.
    ///
    /// - Throws: A `Cause` that names the place and never the secret, where there is none or it
    ///   can be no secret.
    func read(
        _ source: SecretSource, as shape: SecretText.Shape
    ) async throws(Cause) -> SecretText

    /// Identifies the version of a file without reading it; `nil` if it is not accessible, and for
    /// sources that are not files.
    func mark(of source: SecretSource) async -> SecretMark?
}

extension SecretReader {
    /// Cannot identify a version: every look counts as a change.
    package func mark(of source: SecretSource) async -> SecretMark? { nil }
}

/// A file's identity, size and times, which a change of it alters (stat(2)).
package struct SecretMark: Sendable, Equatable {
    /// In the order in which they were given; two marks are equal if all of them are.
    package var numbers: [Int64]
    /// A mark of these numbers: device, inode, size and times of stat(2).
    package init(_ numbers: [Int64]) { self.numbers = numbers }
}

/// Publishes tokens to the files that other programs read.
package protocol OutputPublisher: Sendable {
    /// Writes as many outputs as possible and reports the failures.
    func publish(
        _ token: PublishedToken, to outputs: [OutputSpecification]
    ) async -> PublicationReport
    /// Deletes these files, such as those of a credential that the configuration no longer has. A
    /// file that cannot be deleted is left.
    func remove(_ outputs: [OutputSpecification], of credential: String) async
    /// Checks that all published files are unchanged. A file that cannot be checked counts as
    /// unchanged.
    func altered() async -> [AlteredOutput]
    /// The tokens in the present JSON outputs.
    func published(in outputs: [OutputSpecification], of credential: String) async -> [Secret]
}

/// Runs `on_change` programs; never waits for them.
package protocol HookRunner: Sendable {
    /// - Parameters:
    ///   - runs: The programs to run, with their tickets.
    ///   - token: The published token.
    ///   - paths: The outputs, for `EVERTOKEN_FILES`.
    ///   - ended: Called for each run with its problem, `nil` after a success. Not called for a run
    ///     that was given up for a newer one of the same program.
    func run(
        _ runs: [HookRun], token: PublishedToken, paths: [String],
        ended: @escaping @Sendable (Ticket, _ problem: String?) -> Void)
}

/// Checks the files and directories that a configuration names and a refresh needs.
package protocol ConfigurationSurvey: Sendable {
    /// Settings that cannot work at present or have no effect. Takes as long as the file systems
    /// do.
    func findings(in configuration: Configuration) async -> [CheckFinding]
}

/// Checks nothing, for a program that is about to use them anyway.
package struct NoSurvey: ConfigurationSurvey {
    /// A survey without findings.
    package init() {}
    /// Checks nothing: no findings.
    package func findings(in configuration: Configuration) async -> [CheckFinding] { [] }
}

/// One line of the journal: a constant message, the facts in fields.
package struct JournalEntry: Sendable, Equatable {
    /// How severe the event is, as syslog(3) counts.
    package var level: LogLevel
    /// A constant sentence; variable parts are in `fields`.
    package var message: String
    /// Without the `EVERTOKEN_` prefix, upper case.
    package var fields: [HeaderField]
    /// For events that deserve an alert; 32 hexadecimal digits.
    package var messageID: String?

    package init(
        _ level: LogLevel, _ message: String, fields: [HeaderField] = [], messageID: String? = nil
    ) {
        (self.level, self.message) = (level, message)
        (self.fields, self.messageID) = (fields, messageID)
    }
}

/// Where events are written: the systemd journal, or standard error without it.
package protocol Journal: Sendable {
    /// Writes one entry. Never waits for the reader: entries that do not fit the queue are dropped.
    func write(_ entry: JournalEntry)
}

/// The service manager's side of sd_notify(3).
package protocol Supervisor: Sendable {
    /// Every credential is settled: `READY=1`, with the first status line.
    func ready(status: String)
    /// The line that `systemctl status` shows (`STATUS=`).
    func status(_ text: String)
    /// A reload begins; ``ready(status:)`` ends it (`RELOADING=1`).
    func reloading()
    /// No new request is begun from now on (`STOPPING=1`).
    func stopping()
    /// Announces that the stop takes this long from now; never called to shorten it
    /// (`EXTEND_TIMEOUT_USEC=`).
    func extendTimeout(by duration: Duration)
    /// The loop is alive (`WATCHDOG=1`); without a watchdog it does nothing.
    func watchdog()
}

/// Where responses are read: the server controls how long that takes, so it never runs in the loop.
package protocol ResponseLanes: Sendable {
    /// Runs `body` elsewhere. Responses of one provider do not delay those of others.
    func run<Value: Sendable>(
        provider: String, credential: String, _ body: @escaping @Sendable () -> Value
    ) async -> Value
}

/// Reads at once, for a program without concurrent work.
package struct ReadingInPlace: ResponseLanes {
    /// Lanes that run everything in the caller's task.
    package init() {}
    /// Runs `body` at once.
    package func run<Value: Sendable>(
        provider: String, credential: String, _ body: @escaping @Sendable () -> Value
    ) async -> Value { body() }
}

/// Measures the loop's steps: while one runs, everything else waits.
package protocol StepMeter: Sendable {
    /// Names the input of the running step.
    func name(_ input: String)
    /// Totals of all steps so far; `nil` when not measured.
    func durations() -> LoopStepDurations?
}

/// Measures nothing: for a program without a loop, and for simulations.
package struct UnmeasuredSteps: StepMeter {
    /// A meter that counts nothing.
    package init() {}
    /// Records nothing.
    package func name(_ input: String) {}
    /// Never any.
    package func durations() -> LoopStepDurations? { nil }
}

/// Unpredictable bytes, for attempt IDs and nonces.
package protocol RandomBytes: Sendable {
    /// So many bytes, fit for keys (getrandom(2)).
    func bytes(_ count: Int) -> [UInt8]
}

/// The ports of an attempt, a recovery and a sign-in.
package struct AttemptPorts: Sendable {
    /// The clocks.
    package var clock: any MomentClock
    /// The stored state.
    package var store: any AttemptStore
    /// The network.
    package var endpoint: any TokenEndpoint
    /// The sources of secrets.
    package var secrets: any SecretReader
    /// The token files.
    package var outputs: any OutputPublisher
    /// The source of attempt IDs and nonces.
    package var random: any RandomBytes
    /// Waits in real time; simulations use their own time.
    package var pause: @Sendable (Duration) async -> Void = {
        try? await Task.sleep(for: $0, clock: .continuous)
    }
    /// Where responses are read.
    package var responses: any ResponseLanes = ReadingInPlace()

    package init(
        clock: any MomentClock, store: any AttemptStore, endpoint: any TokenEndpoint,
        secrets: any SecretReader, outputs: any OutputPublisher, random: any RandomBytes
    ) {
        (self.clock, self.store, self.endpoint) = (clock, store, endpoint)
        (self.secrets, self.outputs, self.random) = (secrets, outputs, random)
    }
}

/// Reads the configuration, not on the loop's thread, and tells once what it read. It is no task of
/// the loop's: files that cannot be read now must not hold up a stop.
package typealias ConfigurationLoading =
    @Sendable (_ loaded: @escaping @Sendable (Result<Configuration, ConfigurationMistakes>) -> Void)
    -> Void

/// The ports of the loop, in addition to those of its attempts.
package struct LoopPorts: Sendable {
    /// The ports of its attempts.
    package var attempts: AttemptPorts
    /// Wakes the loop at its next deadline.
    package var timer: any WakeTimer
    /// Runs the programs of `on_change`.
    package var hooks: any HookRunner
    /// The journal.
    package var journal: any Journal
    /// The service manager.
    package var supervisor: any Supervisor
    /// Reads the configuration at a reload, with every mistake in it.
    package var loadConfiguration: ConfigurationLoading
    /// Measures the loop's steps.
    package var steps: any StepMeter = UnmeasuredSteps()
    /// Checks the files and directories that a configuration names.
    package var survey: any ConfigurationSurvey = NoSurvey()
    /// Called for every configuration that a reload applies; returns what could not be applied.
    package var applied: @Sendable (Configuration) -> [String] = { _ in [] }
    /// Called once, when the daemon is ready: the work of the start is done. Must not block.
    package var started: @Sendable () -> Void = {}

    package init(
        attempts: AttemptPorts, timer: any WakeTimer, hooks: any HookRunner,
        journal: any Journal, supervisor: any Supervisor,
        loadConfiguration: @escaping ConfigurationLoading
    ) {
        (self.attempts, self.timer, self.hooks) = (attempts, timer, hooks)
        (self.journal, self.supervisor) = (journal, supervisor)
        self.loadConfiguration = loadConfiguration
    }

    var clock: any MomentClock { attempts.clock }
    var store: any AttemptStore { attempts.store }
    var secrets: any SecretReader { attempts.secrets }
    var outputs: any OutputPublisher { attempts.outputs }
    var random: any RandomBytes { attempts.random }
}
