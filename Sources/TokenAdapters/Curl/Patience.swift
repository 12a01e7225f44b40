internal import Dispatch
internal import Synchronization
internal import TokenFormats

/// Gives up on jobs that hang, by a ``PatienceBook``: one timer for all of them.
final class Patience: Sendable {
    private struct State {
        var book = PatienceBook()
        var giveUp: [UInt64: @Sendable () -> Void] = [:]
        var lastNumber: UInt64 = 0
        /// When the timer fires; `nil` while it is not set.
        var wakeAt: PatienceBook.Instant?
    }
    /// One job, from when it is queued.
    struct Job: Sendable {
        fileprivate let number: UInt64
        let key: String
        let holder: String
    }
    private let state = Mutex(State())
    /// Dispatch sources may be used from any thread (dispatch_source_create(3)).
    private nonisolated(unsafe) let timer: any DispatchSourceTimer

    init() {
        timer = DispatchSource.makeTimerSource(queue: eventQueue)
        timer.schedule(deadline: .distantFuture)
        timer.setEventHandler { [weak self] in self?.act() }
        timer.activate()
    }

    deinit { timer.cancel() }

    /// A job is queued. Its handler is called at most once, from any thread.
    func wait(
        key: String, holder: String, limit: Duration, giveUp: @escaping @Sendable () -> Void
    ) -> Job {
        let now = SuspendingClock.now
        return state.withLock { state in
            state.lastNumber += 1
            let number = state.lastNumber
            state.giveUp[number] = giveUp
            state.book.add(number, key: key, holder: holder, limit: limit, now: now)
            let end = now.advanced(by: limit)
            // An earlier time than needed is corrected when the timer fires.
            if state.wakeAt.map({ end < $0 }) ?? true { arm(at: end, now, &state) }
            return Job(number: number, key: key, holder: holder)
        }
    }

    /// It runs from now on.
    func began(_ job: Job) {
        let now = SuspendingClock.now
        state.withLock {
            $0.book.began(job.number, key: job.key, holder: job.holder, now: now)
        }
    }

    /// It has ended.
    func ended(_ job: Job) {
        let now = SuspendingClock.now
        state.withLock { state in
            state.book.ended(job.number, key: job.key, holder: job.holder, now: now)
            state.giveUp[job.number] = nil
        }
    }

    /// It is given up, because it will never run.
    func drop(_ job: Job) {
        let giveUp = state.withLock { state in
            state.book.drop(job.number, job.holder)
            return state.giveUp.removeValue(forKey: job.number)
        }
        giveUp?()
    }

    private func act() {
        let now = SuspendingClock.now
        let given = state.withLock { state in
            let (given, next) = state.book.due(now: now)
            state.wakeAt = nil
            if let next { arm(at: next, now, &state) }
            return given.compactMap { state.giveUp.removeValue(forKey: $0) }
        }
        for giveUp in given { giveUp() }
    }

    private func arm(
        at end: PatienceBook.Instant, _ now: PatienceBook.Instant, _ state: inout State
    ) {
        state.wakeAt = end
        let wait = max(.zero, now.duration(to: end))
        timer.schedule(deadline: .now() + .nanoseconds(Int(wait.nanoseconds)))
    }
}
