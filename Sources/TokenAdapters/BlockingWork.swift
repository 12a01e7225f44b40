internal import Dispatch

/// Threads for calls that block: files, programs. Swift's own threads are as many as the processors
/// and must never wait for a disk.
struct BlockingWork: Sendable {
    private let queues: [DispatchQueue]

    init(label: String, width: Int) {
        queues = (0..<width).map { DispatchQueue(label: "evertoken.\(label).\($0)") }
    }

    /// Runs `body`; work with the same key keeps its order.
    func run<Value: Sendable, Failure: Error>(
        key: String, _ body: @escaping @Sendable () throws(Failure) -> Value
    ) async throws(Failure) -> Value {
        let queue = queues[Int(UInt(bitPattern: key.hashValue) % UInt(queues.count))]
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
}
