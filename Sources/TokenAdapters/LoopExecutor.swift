internal import Dispatch

/// Runs all of the daemon's tasks on one serial queue.
///
/// Nothing in them blocks, so one thread is enough. Swift's own threads are not used because
/// libdispatch on Linux watches the pool they come from with a timer of its own, once a second for
/// ever: 60 wake-ups a minute of an idle daemon (seen with strace; serial queues are not watched).
public final class LoopExecutor: TaskExecutor {
    private let queue = DispatchQueue(label: "evertoken.tasks")

    public init() {}

    public func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}
