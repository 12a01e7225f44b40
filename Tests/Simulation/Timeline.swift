internal import Synchronization
internal import TokenConfiguration
internal import TokenControl
internal import TokenFormats
internal import TokenProviders
internal import TokenScheduling
internal import TokenSlots

/// Runs the engine's tasks on the thread that drains it, in the order in which they became ready,
/// so that nothing in a simulation depends on threads.
final class SimulationExecutor: TaskExecutor, @unchecked Sendable {
    private var ready: [UnownedJob] = []
    private var next = 0

    func enqueue(_ job: consuming ExecutorJob) { ready.append(UnownedJob(job)) }

    func drain() {
        while next < ready.count {
            let job = ready[next]
            next += 1
            job.runSynchronously(on: asUnownedTaskExecutor())
        }
        ready.removeAll(keepingCapacity: true)
        next = 0
    }
}

/// Scheduled events, in true time; at equal times in the order of scheduling.
struct Timeline {
    struct Event {
        var at: Duration
        var order: Int
        var run: () -> Void
    }
    private(set) var now: Duration = .zero
    private var heap: [Event] = []
    private var orders = 0
    private(set) var count = 0
    /// How many events have run at the present time.
    private(set) var eventsNow = 0

    mutating func schedule(at time: Duration, _ run: @escaping () -> Void) {
        orders += 1
        heap.append(Event(at: max(now, time), order: orders, run: run))
        var child = heap.count - 1
        while child > 0, precedes(child, (child - 1) / 2) {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    /// The next event up to `end`; advances the clock to its time.
    mutating func pop(until end: Duration) -> Event? {
        guard let first = heap.first, first.at <= end else { return nil }
        heap.swapAt(0, heap.count - 1)
        heap.removeLast()
        var parent = 0
        while true {
            var least = 2 * parent + 1
            guard least < heap.count else { break }
            if least + 1 < heap.count, precedes(least + 1, least) { least += 1 }
            guard precedes(least, parent) else { break }
            heap.swapAt(parent, least)
            parent = least
        }
        eventsNow = first.at == now ? eventsNow + 1 : 1
        now = first.at
        count += 1
        return first
    }

    private func precedes(_ a: Int, _ b: Int) -> Bool {
        (heap[a].at, heap[a].order) < (heap[b].at, heap[b].order)
    }
}
