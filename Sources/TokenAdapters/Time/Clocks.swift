internal import CLinux
internal import Dispatch
internal import Glibc
internal import Synchronization
package import TokenEngine
package import TokenFormats

/// CLOCK_BOOTTIME and CLOCK_REALTIME, read together.
package struct SystemClock: MomentClock {
    private let bootID: String

    /// Reads the boot's identity once (`/proc/sys/kernel/random/boot_id`).
    package init() {
        let file = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC)
        let text = file >= 0 ? (try? readAll(file, limit: 64, what: "boot_id")) ?? [] : []
        if file >= 0 { close(file) }
        // Without the file every start counts as a new boot: times are then compared by the wall
        // clock.
        bootID =
            text.isEmpty
            ? "unknown-\(getpid())"
            : String(decoding: text.filter { $0 > 0x20 }, as: UTF8.self)
    }

    /// Two calls of clock_gettime(2); neither sleeps.
    package func now() -> Moment {
        Moment(
            uptime: Uptime(Self.read(CLOCK_BOOTTIME)), wall: WallTime(Self.read(CLOCK_REALTIME)),
            bootID: bootID)
    }

    private static func read(_ clock: clockid_t) -> Duration {
        var time = timespec()
        clock_gettime(clock, &time)
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }
}

/// One Dispatch timer that wakes the loop.
///
/// Dispatch waits on CLOCK_MONOTONIC, which stops while the machine sleeps; deadlines use
/// CLOCK_BOOTTIME. So every wait is capped, after which the loop reads the clock again: any
/// deviation costs at most one cap, and the same wake feeds the watchdog.
package final class DispatchWakeTimer: WakeTimer, Sendable {
    /// Dispatch sources may be used from any thread (dispatch_source_create(3)).
    private nonisolated(unsafe) let source: any DispatchSourceTimer
    private let clock: any MomentClock
    private let cap: Duration
    /// What it is set to; `nil` after it has fired.
    private let armed = Mutex<Setting?>(nil)
    private struct Setting: Equatable {
        var deadline: Uptime?
        /// When it fires, by the boot clock.
        var at: Uptime
    }
    /// Wakes closer together than this are merged: at 10 000 credentials this saves most of the CPU
    /// time.
    private static let quantum: Duration = .milliseconds(10)

    /// - Parameters:
    ///   - clock: The clock of the deadlines.
    ///   - cap: At most half the watchdog's interval.
    ///   - wake: Called on the timer's queue.
    package init(clock: any MomentClock, cap: Duration, wake: @escaping @Sendable () -> Void) {
        (self.clock, self.cap) = (clock, cap)
        source = DispatchSource.makeTimerSource(queue: eventQueue)
        source.setEventHandler { [weak self] in
            self?.armed.withLock { $0 = nil }
            wake()
        }
        source.schedule(deadline: .distantFuture)
        source.activate()
    }

    /// Replaces the deadline. Short waits are rounded up, long ones end at the cap.
    ///
    /// Most inputs of the loop leave the first deadline as it is, and a change of the timer wakes
    /// another thread.
    package func arm(at deadline: Uptime?) {
        let now = clock.now().uptime
        armed.withLock { armed in
            // A wait for the cap begins anew: its end is no deadline.
            if let deadline, let armed, armed.deadline == deadline, now < armed.at { return }
            let wait = deadline.map { now.duration(to: $0) } ?? cap
            let quantised = min(max(wait, Self.quantum), cap)
            armed = Setting(deadline: deadline, at: now.advanced(by: quantised))
            source.schedule(deadline: .now() + .nanoseconds(Int(quantised.nanoseconds)))
        }
    }

    deinit { source.cancel() }
}

/// Reports steps of the wall clock, with a timerfd and TFD_TIMER_CANCEL_ON_SET.
package final class ClockStepWatch: Sendable {
    private nonisolated(unsafe) let source: (any DispatchSourceRead)?

    /// Watches until the process ends; `stepped` is called on a queue of the watch's own.
    package init(stepped: @escaping @Sendable () -> Void) {
        let descriptor = clinux_clock_step_descriptor()
        guard descriptor >= 0 else {
            // Without the timerfd a step is noticed at the next wake, at most one cap later.
            source = nil
            return
        }
        let watch = DispatchSource.makeReadSource(
            fileDescriptor: descriptor, queue: eventQueue)
        watch.setEventHandler {
            var expirations: UInt64 = 0
            _ = read(descriptor, &expirations, 8)
            stepped()
        }
        watch.setCancelHandler { close(descriptor) }
        watch.activate()
        source = watch
    }

    deinit { source?.cancel() }
}

/// Delivers signals as events. A watched signal no longer has its default effect.
package final class SignalWatch: Sendable {
    private nonisolated(unsafe) let sources: [any DispatchSourceSignal]

    /// Returns when the signals are watched. A signal that arrived before would be lost, such as a
    /// reload or stop right after READY.
    package init(_ handlers: [(signal: Int32, handler: @Sendable () -> Void)]) {
        let registered = DispatchSemaphore(value: 0)
        sources = handlers.map { number, handler in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: eventQueue)
            source.setEventHandler(handler: handler)
            source.setRegistrationHandler { registered.signal() }
            source.activate()
            return source
        }
        for _ in sources { _ = registered.wait(timeout: .now() + .seconds(5)) }
    }

    deinit { for source in sources { source.cancel() } }
}

/// No core dump and no ptrace by the same user: memory holds tokens (I28).
package enum ProcessHardening {
    /// - Returns: Whether the kernel accepted the settings.
    package static func apply() -> Bool {
        // libdispatch logs an error for every thread whose priority it cannot set, which an
        // unprivileged service never can.
        setenv("LIBDISPATCH_LOG", "NO", 0)
        // The default action of SIGUSR1 and SIGUSR2 would end a daemon that does not use them.
        for number in [SIGPIPE, SIGUSR1, SIGUSR2] { signal(number, SIG_IGN) }
        umask(0o077)
        // A heap for each of hundreds of short-lived threads would use most of the memory.
        clinux_limit_memory_arenas()
        return forbidDumps()
    }

    /// No core dump, no access to memory by the same user, and no Swift crash reports: they print
    /// 16 bytes at each register's address, which may be a token.
    package static func forbidDumps() -> Bool {
        for number in [SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV] {
            signal(number, SIG_DFL)
        }
        return clinux_make_undumpable() == 0
    }

    /// Checks the resources without which the process would hang or crash later.
    ///
    /// - Returns: What is missing and what to do; `nil` if nothing is.
    package static func missingResource() -> String? {
        // Descriptors 0 to 2 must never be assigned to a slot.
        for standard in 0...2 where clinux_is_open(Int32(standard)) == 0 {
            if open("/dev/null", O_RDWR) != standard { return "cannot open /dev/null" }
        }
        var limit = rlimit()
        let files = __rlimit_resource_t(UInt32(RLIMIT_NOFILE.rawValue))
        if getrlimit(files, &limit) == 0, limit.rlim_cur < 64 {
            limit.rlim_cur = min(limit.rlim_max, 1024)
            if limit.rlim_cur < 64 || setrlimit(files, &limit) != 0 {
                return "at most \(limit.rlim_cur) files may be open; allow 64 (LimitNOFILE=)"
            }
        }
        if getrlimit(__rlimit_resource_t(UInt32(RLIMIT_AS.rawValue)), &limit) == 0,
            limit.rlim_cur < 256 << 20
        {
            return "the address space is limited to \(limit.rlim_cur >> 20) MiB; allow 256 "
                + "(LimitAS=)"
        }
        return clinux_can_start_threads(8) == 0
            ? nil : "no threads can be started; allow 16 tasks (TasksMax=, LimitNPROC=)"
    }
}

/// Connects two objects of which one must exist first: the timer before the loop that it wakes, the
/// engine before the server that a reload changes.
package final class Relay<Value: Sendable, Answer>: Sendable {
    private let target = Mutex<(@Sendable (Value) -> Answer)?>(nil)

    /// A relay without a target: ``pass(_:)`` returns `nil` until ``connect(_:)``.
    package init() {}
    /// Sets or replaces the target.
    package func connect(_ target: @escaping @Sendable (Value) -> Answer) {
        self.target.withLock { $0 = target }
    }
    /// - Returns: `nil` until the other object is connected.
    @discardableResult
    package func pass(_ value: Value) -> Answer? { target.withLock { $0 }?(value) }
}
