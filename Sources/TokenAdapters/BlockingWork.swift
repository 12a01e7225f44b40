internal import Dispatch
internal import Synchronization

/// Threads for calls that block: files, programs. Swift's own threads are as many as the processors
/// and must never wait for a disk. Each key has a queue of its own, so that what hangs (a program,
/// a dead mount) holds up nobody else.
final class BlockingWork: Sendable {
    private let label: String
    private let queues = Mutex<[String: DispatchQueue]>([:])

    init(label: String) { self.label = label }

    /// Runs `body`; work with the same key keeps its order.
    func run<Value: Sendable, Failure: Error>(
        key: String, _ body: @escaping @Sendable () throws(Failure) -> Value
    ) async throws(Failure) -> Value {
        let queue = queue(for: key)
        let result: Result<Value, Failure> = await withCheckedContinuation { continuation in
            queue.async {
                do throws(Failure) {
                    continuation.resume(returning: .success(try body()))
                } catch {
                    continuation.resume(returning: .failure(error))
                }
            }
        }
        return try result.get()
    }

    /// Starts `body`; nobody waits for it.
    func start(key: String, _ body: @escaping @Sendable () -> Void) {
        queue(for: key).async(execute: body)
    }

    private func queue(for key: String) -> DispatchQueue {
        queues.withLock { queues in
            if let queue = queues[key] { return queue }
            let queue = DispatchQueue(label: "evertoken.\(label)")
            queues[key] = queue
            return queue
        }
    }
}
