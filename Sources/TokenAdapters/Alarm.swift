internal import Dispatch

/// Rings once after a while, unless it is cancelled before: then it wakes nobody. It lives until
/// either has happened, whether or not a caller keeps it: whoever waits for it must hear of it.
final class Alarm: Sendable {
    /// Dispatch sources may be used from any thread (dispatch_source_create(3)).
    private nonisolated(unsafe) let source: any DispatchSourceTimer

    init(
        after wait: DispatchTimeInterval, on queue: DispatchQueue,
        ring: @escaping @Sendable () -> Void
    ) {
        source = DispatchSource.makeTimerSource(queue: queue)
        // The handler holds this object until the source is cancelled.
        source.setEventHandler {
            self.cancel()
            ring()
        }
        source.schedule(deadline: .now() + wait)
        source.activate()
    }

    func cancel() { source.cancel() }
}
