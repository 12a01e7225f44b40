internal import Dispatch

/// Queue for short event handlers, such as those that put an input into the loop's inbox: timers,
/// signals, clock steps. A single queue, because each busy queue uses a thread.
let eventQueue = DispatchQueue(label: "evertoken.events")

/// Calls its handler once after a time, unless it is cancelled before. It lives until one of the
/// two happens, even if no caller holds it: its handler must not be lost.
final class Alarm: Sendable {
    /// Dispatch sources may be used from any thread (dispatch_source_create(3)).
    private nonisolated(unsafe) let source: any DispatchSourceTimer

    init(
        after wait: DispatchTimeInterval, on queue: DispatchQueue = eventQueue,
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
