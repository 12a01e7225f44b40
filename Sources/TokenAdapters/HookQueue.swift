internal import Dispatch
internal import Synchronization

/// Jobs of one key one after the other, and few at once over all: a thousand credentials that
/// change together must not be a thousand processes.
final class HookQueue: Sendable {
    private static let mostAtOnce = 8
    /// A program that is slower than its tokens change falls behind by so many at most.
    private static let mostWaiting = 8

    private struct Job {
        var key: String
        var body: @Sendable () -> Void
    }
    private struct State {
        var running: Set<String> = []
        var waiting: [Job] = []
    }
    private let state = Mutex(State())

    /// - Returns: Whether the key's oldest waiting job was given up for this one.
    func add(key: String, _ body: @escaping @Sendable () -> Void) -> Bool {
        let isFull = state.withLock { state in
            let isFull = state.waiting.count { $0.key == key } >= Self.mostWaiting
            if isFull, let oldest = state.waiting.firstIndex(where: { $0.key == key }) {
                state.waiting.remove(at: oldest)
            }
            state.waiting.append(Job(key: key, body: body))
            return isFull
        }
        startNext()
        return isFull
    }

    private func startNext() {
        while let job = take() {
            // A queue each: it blocks.
            DispatchQueue(label: "evertoken.hook").async {
                job.body()
                self.state.withLock { _ = $0.running.remove(job.key) }
                self.startNext()
            }
        }
    }

    private func take() -> Job? {
        state.withLock { state in
            guard state.running.count < Self.mostAtOnce,
                let next = state.waiting.firstIndex(where: { !state.running.contains($0.key) })
            else { return nil }
            let job = state.waiting.remove(at: next)
            state.running.insert(job.key)
            return job
        }
    }
}
