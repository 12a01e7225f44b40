internal import CLinux
internal import Glibc
internal import Synchronization
internal import TokenConfiguration
package import TokenControl
package import TokenEngine
internal import TokenFormats
internal import TokenProviders

/// Measures the jobs of the loop's single thread, which runs the loop and the attempts.
package final class LoopMeter: StepMeter {
    /// A longer step is reported: no other step could run meanwhile.
    package static let longest: Duration = .seconds(1)

    /// One step that was too long.
    package struct LongStep: Sendable {
        /// The input of the step, by the last ``name(_:)``.
        package var input: String
        /// How long it took by the monotonic clock.
        package var wall: Duration
        /// How much processor time the loop's thread used in it.
        package var cpu: Duration
    }
    private struct State {
        var durations = LoopStepDurations(createdAt: SystemClock().now().wall)
        var input = LoopMeter.unnamed
    }
    private static let unnamed = "attempt"
    private let state = Mutex(State())
    private let report = Relay<LongStep, Void>()

    /// A meter that has counted nothing.
    package init() {}

    /// Sets the receiver of reports about long steps.
    package func connect(_ report: @escaping @Sendable (LongStep) -> Void) {
        self.report.connect(report)
    }

    /// Names the running step; the name holds for all jobs until the next call.
    package func name(_ input: String) { state.withLock { $0.input = input } }

    /// All steps since the start, as histograms.
    package func durations() -> LoopStepDurations? { state.withLock { $0.durations } }

    func measure(_ job: () -> Void) {
        let wallBefore = Self.read(CLOCK_MONOTONIC)
        let cpuBefore = Self.read(CLOCK_THREAD_CPUTIME_ID)
        job()
        let wall = Self.read(CLOCK_MONOTONIC) - wallBefore
        let cpu = Self.read(CLOCK_THREAD_CPUTIME_ID) - cpuBefore
        let input = state.withLock { state in
            defer { state.input = Self.unnamed }
            state.durations.wall.observe(wall)
            state.durations.cpu.observe(cpu)
            return state.input
        }
        if wall > Self.longest { report.pass(LongStep(input: input, wall: wall, cpu: cpu)) }
    }

    private static func read(_ clock: clockid_t) -> Duration {
        var time = timespec()
        clock_gettime(clock, &time)
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }
}

extension LoopMeter.LongStep {
    /// The warning about it.
    package var entry: JournalEntry {
        JournalEntry(
            .warning, "The loop was held up; nothing else began meanwhile",
            fields: [
                HeaderField("INPUT", input), HeaderField("SECONDS", Self.text(wall)),
                HeaderField("CPU_SECONDS", Self.text(cpu)),
            ])
    }

    private static func text(_ duration: Duration) -> String {
        String((duration.secondsAsDouble * 1000).rounded() / 1000)
    }
}
