internal import Synchronization

/// Starts jobs by a ``LaneSchedule``. Each job reports its own end.
final class Turnstile: Sendable {
    /// - Parameter done: Must be called once, from any thread.
    typealias Job = @Sendable (_ done: @escaping @Sendable () -> Void) -> Void
    private struct Entry {
        var job: Job
        var dropped: @Sendable () -> Void
    }
    private let schedule: Mutex<LaneSchedule<Entry>>

    /// - Parameter share: How many places one holder may use.
    init(places: Int, share: Int) {
        schedule = Mutex(LaneSchedule(lanes: places, share: share))
    }

    /// Starts the job now, or when it is its turn.
    ///
    /// - Parameters:
    ///   - limit: How many jobs may wait behind one key's running job; the oldest is dropped.
    ///   - dropped: Called if that is this job, from any thread.
    /// - Returns: Whether a job was dropped.
    @discardableResult
    func enter(
        key: String, holder: String, mostWaiting limit: Int = .max,
        dropped: @escaping @Sendable () -> Void = {}, _ job: @escaping Job
    ) -> Bool {
        let victim = schedule.withLock { schedule in
            schedule.add(Entry(job: job, dropped: dropped), .init(key: key, holder: holder))
            return schedule.dropOldest(of: key, beyond: limit)
        }
        victim?.dropped()
        beginAll()
        return victim != nil
    }

    private func beginAll() {
        while let (entry, ticket) = schedule.withLock({ $0.next() }) {
            entry.job {
                self.schedule.withLock { $0.finished(ticket) }
                self.beginAll()
            }
        }
    }
}
