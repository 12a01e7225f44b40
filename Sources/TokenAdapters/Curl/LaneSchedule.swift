internal import TokenScheduling

/// Decides which waiting job may start. It starts nothing itself.
///
/// At most ``lanes`` jobs run concurrently, at most ``share`` of them for one holder, and the jobs
/// of one key one after the other. Holders take turns: a holder with a thousand jobs delays the
/// only job of another one by no more than the running jobs.
struct LaneSchedule<Job> {
    /// The key and the holder of a job.
    struct Ticket: Hashable {
        /// Jobs with the same key keep their order, such as one credential's.
        var key: String
        /// What makes the job take long: a provider, a mount, a user, a program.
        var holder: String
    }
    private struct Waiting {
        var ticket: Ticket
        var job: Job
    }
    private struct Holder {
        var running = 0
        /// Keys of this holder that have a waiting job and no running one.
        var ready: Fifo<String> = Fifo()
        var isInTurn = false
    }

    let lanes: Int
    let share: Int
    private var keys: [String: Fifo<Waiting>] = [:]
    private var busyKeys: Set<String> = []
    private var holders: [String: Holder] = [:]
    private var turn = Fifo<String>()
    private var running = 0

    /// - Parameter share: How many lanes one holder may use; at least one.
    init(lanes: Int, share: Int) {
        (self.lanes, self.share) = (lanes, max(1, min(share, lanes)))
    }

    /// Whether no job runs or waits.
    var isIdle: Bool { running == 0 && keys.isEmpty }

    mutating func add(_ job: Job, _ ticket: Ticket) {
        keys[ticket.key, default: Fifo()].append(Waiting(ticket: ticket, job: job))
        if keys[ticket.key]?.count == 1, !busyKeys.contains(ticket.key) { makeReady(ticket.key) }
    }

    /// Drops the oldest job of a key that waits behind the running one.
    ///
    /// - Returns: The dropped job, if more than `limit` waited.
    mutating func dropOldest(of key: String, beyond limit: Int) -> Job? {
        guard let waiting = keys[key], waiting.count > limit else { return nil }
        let isReady = !busyKeys.contains(key)
        // The first job may be in its holder's queue: it stays, and the next one is dropped.
        return keys[key]?.remove(at: isReady ? 1 : 0).job
    }

    /// The next job that may start now; it counts as running until ``finished(_:)``.
    mutating func next() -> (job: Job, ticket: Ticket)? {
        guard running < lanes, let name = turn.popFirst() else { return nil }
        // A holder in the turn always has a ready key (takeTurn).
        guard var holder = holders[name], let key = holder.ready.popFirst(),
            let first = keys[key]?.popFirst()
        else { return next() }
        holder.isInTurn = false
        if keys[key]?.isEmpty == true { keys[key] = nil }
        busyKeys.insert(key)
        running += 1
        holder.running += 1
        holders[name] = holder
        takeTurn(name)
        return (first.job, first.ticket)
    }

    mutating func finished(_ ticket: Ticket) {
        running -= 1
        busyKeys.remove(ticket.key)
        holders[ticket.holder]?.running -= 1
        if keys[ticket.key] != nil { makeReady(ticket.key) }
        takeTurn(ticket.holder)
        if let holder = holders[ticket.holder], holder.running == 0, holder.ready.isEmpty {
            holders[ticket.holder] = nil
        }
    }

    private mutating func makeReady(_ key: String) {
        guard let name = keys[key]?.first?.ticket.holder else { return }
        holders[name, default: Holder()].ready.append(key)
        takeTurn(name)
    }

    /// Puts a holder at the end of the turn, once, if one of its jobs may start.
    private mutating func takeTurn(_ name: String) {
        guard let holder = holders[name], !holder.isInTurn, !holder.ready.isEmpty,
            holder.running < share
        else { return }
        holders[name]?.isInTurn = true
        turn.append(name)
    }
}
