internal import Dispatch
internal import Synchronization

/// Runs all of the daemon's tasks on one serial queue.
///
/// No task blocks, so one thread is enough. Swift's own threads are not used because libdispatch on
/// Linux checks their pool with a timer once a second for ever: 60 wake-ups a minute of an idle
/// daemon (measured with strace; serial queues are not checked).
package final class LoopExecutor: TaskExecutor {
    private let queue = DispatchQueue(label: "evertoken.tasks")
    private let meter: LoopMeter?

    /// - Parameter meter: Measures each job, if there is one.
    package init(meter: LoopMeter? = nil) { self.meter = meter }

    /// Runs the job after those before it, one at a time (`TaskExecutor`).
    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async {
            guard let meter = self.meter else {
                return job.runSynchronously(on: self.asUnownedTaskExecutor())
            }
            meter.measure { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
        }
    }

    /// Runs `body` on its own executor and blocks this thread until it has ended. An `async` main
    /// would start on Swift's own threads and so start the timer.
    package static func run<Value: Sendable>(
        meter: LoopMeter? = nil, _ body: @escaping @Sendable () async -> Value
    ) -> Value {
        let done = DispatchSemaphore(value: 0)
        let result = ResultBox<Value>()
        Task(executorPreference: LoopExecutor(meter: meter)) {
            let value = await body()
            result.value.withLock { $0 = value }
            done.signal()
        }
        while true {
            done.wait()
            if let value = result.value.withLock({ $0 }) { return value }
        }
    }
}

private final class ResultBox<Value: Sendable>: Sendable {
    let value = Mutex<Value?>(nil)
}
