internal import Synchronization

/// Starts jobs by a ``LaneSchedule``. Each job reports its own end.
final class Turnstile: Sendable {
    /// - Parameter done: Must be called once, from any thread.
    typealias Job = @Sendable (_ done: @escaping @Sendable () -> Void) -> Void
    private let schedule: Mutex<LaneSchedule<Job>>

    /// - Parameter share: How many places one holder may use.
    init(places: Int, share: Int) {
        schedule = Mutex(LaneSchedule(lanes: places, share: share))
    }

    /// Starts the job now, or when it is its turn.
    ///
    /// - Parameter limit: How many jobs may wait behind one key's running job; the oldest is
    ///   dropped.
    /// - Returns: Whether a job was dropped.
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
