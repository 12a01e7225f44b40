internal import Dispatch

/// Rings once after a while, unless it is cancelled before: then it wakes nobody.
final class Alarm: Sendable {
    /// Dispatch sources may be used from any thread (dispatch_source_create(3)).
    private nonisolated(unsafe) let source: any DispatchSourceTimer

    init(
        after wait: DispatchTimeInterval, on queue: DispatchQueue,
        ring: @escaping @Sendable () -> Void
    ) {
        source = DispatchSource.makeTimerSource(queue: queue)
        source.setEventHandler(handler: ring)
        source.schedule(deadline: .now() + wait)
        source.activate()
    }

    func cancel() { source.cancel() }

    deinit { source.cancel() }
}
