internal import Synchronization

/// Lets jobs begin by a ``LaneSchedule``, wherever they run. Each says itself when it has ended.
final class Turnstile: Sendable {
    /// - Parameter done: To be called once, from any thread.
    typealias Job = @Sendable (_ done: @escaping @Sendable () -> Void) -> Void
    private let schedule: Mutex<LaneSchedule<Job>>

    /// - Parameter share: Of the places, for one holder.
    init(places: Int, share: Int) {
        schedule = Mutex(LaneSchedule(lanes: places, share: share))
    }

    /// Begins the job now or as soon as it is its turn.
    ///
    /// - Parameter limit: At most so many wait behind one key's running job; the oldest goes.
    /// - Returns: Whether one was given up.
    @discardableResult
    func enter(
        key: String, holder: String, mostWaiting limit: Int = .max, _ job: @escaping Job
    ) -> Bool {
        let isAnyDropped = schedule.withLock { schedule in
            schedule.add(job, .init(key: key, holder: holder))
            return schedule.dropOldest(of: key, beyond: limit)
        }
        beginAll()
        return isAnyDropped
    }

    private func beginAll() {
        while let (job, ticket) = schedule.withLock({ $0.next() }) {
            job {
                self.schedule.withLock { $0.finished(ticket) }
                self.beginAll()
            }
        }
    }
}
