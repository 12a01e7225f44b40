internal import Dispatch
internal import Synchronization

/// A fixed number of threads for work that blocks or takes long: files, programs, responses.
///
/// Swift's own threads are as many as the processors and must not wait for a disk. A queue for each
/// key would need as many threads as there are keys: enough blocked keys would reach the unit's
/// `TasksMax=` and stop everything. So there are `count` lanes, and one holder (a provider, a
/// mount, a user, a program) may use at most a quarter of them.
final class Lanes: Sendable {
    private let turnstile: Turnstile
    /// Serial queues, because libdispatch checks a concurrent queue's threads once a second for
    /// ever (LoopExecutor). A queue without work uses no thread.
    private let free: Mutex<[DispatchQueue]>
    private let patience = Patience()

    /// - Parameter share: How many lanes one holder may use; by default a quarter.
    init(_ label: String, count: Int, share: Int? = nil) {
        turnstile = Turnstile(places: count, share: share ?? count / 4)
        free = Mutex((0..<count).map { DispatchQueue(label: "evertoken.\(label).\($0)") })
    }

    /// Runs `body` on a lane; work with the same key keeps its order.
    func run<Value: Sendable, Failure: Error>(
        key: String, holder: String, _ body: @escaping @Sendable () throws(Failure) -> Value
    ) async throws(Failure) -> Value {
        let result: Result<Value, Failure> = await withCheckedContinuation { continuation in
            start(key: key, holder: holder) {
                do throws(Failure) {
                    continuation.resume(returning: .success(try body()))
                } catch {
                    continuation.resume(returning: .failure(error))
                }
            }
        }
        return try result.get()
    }

    /// Runs `body` with a time limit: work that hangs continues, but its result is dropped. The
    /// limit counts from when the work begins, and before that while nothing moves
    /// (``PatienceBook``).
    ///
    /// - Parameter mostWaiting: As for ``start(key:holder:mostWaiting:dropped:_:)``.
    /// - Returns: `nil` when the time was up, or when the job was dropped.
    func run<Value: Sendable>(
        key: String, holder: String, within limit: Duration,
        mostWaiting: Int = .max, _ body: @escaping @Sendable () -> Value
    ) async -> Value? {
        await withCheckedContinuation { continuation in
            let answer = FirstAnswer<Value?> { continuation.resume(returning: $0) }
            let job = patience.wait(key: key, holder: holder, limit: limit) { answer.give(nil) }
            start(
                key: key, holder: holder, mostWaiting: mostWaiting,
                dropped: { self.patience.drop(job) }
            ) {
                self.patience.began(job)
                answer.give(body())
                self.patience.ended(job)
            }
        }
    }

    /// Starts `body` when a lane is free; the caller does not wait.
    ///
    /// - Parameters:
    ///   - limit: How many jobs may wait behind one key's running job; the oldest is dropped.
    ///   - dropped: Called if that is this job.
    /// - Returns: Whether a job was dropped.
    @discardableResult
    func start(
        key: String, holder: String, mostWaiting limit: Int = .max,
        dropped: @escaping @Sendable () -> Void = {}, _ body: @escaping @Sendable () -> Void
    ) -> Bool {
        turnstile.enter(key: key, holder: holder, mostWaiting: limit, dropped: dropped) { done in
            // There are as many queues as places.
            guard let queue = self.free.withLock({ $0.popLast() }) else { return done() }
            queue.async {
                body()
                self.free.withLock { $0.append(queue) }
                done()
            }
        }
    }
}

/// Accepts the first of several results, once.
final class FirstAnswer<Answer: Sendable>: Sendable {
    private let take: Mutex<(@Sendable (Answer) -> Void)?>

    init(_ take: @escaping @Sendable (Answer) -> Void) { self.take = Mutex(take) }

    /// - Returns: Whether it was the first.
    @discardableResult
    func give(_ answer: Answer) -> Bool {
        let taker = claim()
        taker?(answer)
        return taker != nil
    }

    /// For callers that must act between the decision and the result.
    ///
    /// - Returns: The receiver of the result; `nil` for all callers except the first.
    func claim() -> (@Sendable (Answer) -> Void)? {
        take.withLock { held in
            defer { held = nil }
            return held
        }
    }
}
