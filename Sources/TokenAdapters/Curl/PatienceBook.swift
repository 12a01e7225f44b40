/// Decides when to give up on jobs of lanes. It gives up nothing itself, and reads no clock.
///
/// A job is given up when it has run for its limit, or when it has waited that long and nothing
/// that it waits for has moved: its key, while a job of that runs, else its holder. To wait in a
/// long queue that moves is no reason: at a start every credential's files are queued at once.
struct PatienceBook {
    /// Does not count the time that the machine sleeps.
    typealias Instant = SuspendingClock.Instant

    private struct Job {
        var key: String
        var limit: Duration
        /// When it was queued; when it began, once it runs.
        var since: Instant
        var isRunning = false
    }
    private struct Holder {
        var jobs: [UInt64: Job] = [:]
        /// When one of its jobs began or ended last.
        var movedAt: Instant
    }
    private var holders: [String: Holder] = [:]
    /// Keys with a running job, and when it began. A job that was given up runs on.
    private var running: [String: Instant] = [:]

    /// Whether there is no job to give up.
    var isEmpty: Bool { holders.isEmpty }

    /// A job is queued.
    mutating func add(
        _ number: UInt64, key: String, holder: String, limit: Duration, now: Instant
    ) {
        holders[holder, default: Holder(movedAt: now)].jobs[number] =
            Job(key: key, limit: limit, since: now)
    }

    /// It runs from now on.
    mutating func began(_ number: UInt64, key: String, holder: String, now: Instant) {
        running[key] = now
        holders[holder]?.movedAt = now
        holders[holder]?.jobs[number]?.since = now
        holders[holder]?.jobs[number]?.isRunning = true
    }

    /// It has ended, or will never run.
    mutating func ended(_ number: UInt64, key: String, holder: String, now: Instant) {
        running[key] = nil
        holders[holder]?.movedAt = now
        drop(number, holder)
    }

    /// A job that waits is dropped: it will never run.
    mutating func drop(_ number: UInt64, _ holder: String) {
        holders[holder]?.jobs[number] = nil
        if holders[holder]?.jobs.isEmpty == true { holders[holder] = nil }
    }

    /// The jobs that are given up now, and when to ask again; `nil` without a job.
    mutating func due(now: Instant) -> (given: [UInt64], next: Instant?) {
        var (given, next): ([UInt64], Instant?) = ([], nil)
        for (name, holder) in holders {
            for (number, job) in holder.jobs {
                let end = end(of: job, holder)
                if end <= now {
                    given.append(number)
                    drop(number, name)
                } else {
                    next = min(next ?? end, end)
                }
            }
        }
        return (given, next)
    }

    private func end(of job: Job, _ holder: Holder) -> Instant {
        if job.isRunning { return job.since.advanced(by: job.limit) }
        let movedAt = running[job.key] ?? holder.movedAt
        return max(job.since, movedAt).advanced(by: job.limit)
    }
}
