internal import Dispatch
internal import Glibc
internal import Synchronization

/// A client whose answer is not there yet. If it goes away its place is free at once: otherwise a
/// few dozen clients that gave up would keep everybody else out.
final class WaitingConnection<Answer: Sendable>: Sendable {
    private struct State {
        var isOver = false
        var isSuspended = false
        var answer: Answer?
    }
    private let state = Mutex(State())
    /// Dispatch sources may be used from any thread (dispatch_source_create(3)).
    private nonisolated(unsafe) let watch: any DispatchSourceRead

    /// - Parameter end: Called once, on the queue: with the answer, or `nil` when nobody waits.
    init(
        _ connection: Int32, on queue: DispatchQueue,
        end: @escaping @Sendable (Answer?) -> Void
    ) {
        watch = DispatchSource.makeReadSource(fileDescriptor: connection, queue: queue)
        watch.setEventHandler { [weak self] in self?.look(at: connection) }
        // The source holds on to this object until it is cancelled: exactly once.
        watch.setCancelHandler { end(self.state.withLock { $0.answer }) }
        watch.activate()
    }

    func answer(_ answer: Answer) {
        over { $0.answer = answer }
    }

    /// A client that only closed its sending side still waits; one that is gone does not.
    private func look(at connection: Int32) {
        var about = pollfd(fd: connection, events: 0, revents: 0)
        let isGone = poll(&about, 1, 0) > 0 && about.revents & Int16(POLLHUP | POLLERR) != 0
        if isGone {
            over { _ in }
        } else {
            state.withLock { state in
                guard !state.isOver, !state.isSuspended else { return }
                state.isSuspended = true
                watch.suspend()
            }
        }
    }

    private func over(_ change: (inout State) -> Void) {
        state.withLock { state in
            guard !state.isOver else { return }
            state.isOver = true
            change(&state)
            watch.cancel()
            // A suspended source does not run its cancel handler.
            if state.isSuspended { watch.resume() }
        }
    }
}
