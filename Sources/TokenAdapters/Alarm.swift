internal import Dispatch

/// For handlers that do next to nothing, such as putting something into the loop's inbox: timers,
/// signals, steps of the clock. One queue, for each that is busy takes a thread of its own.
let eventQueue = DispatchQueue(label: "evertoken.events")

/// Rings once after a while, unless it is cancelled before: then it wakes nobody. It lives until
/// either has happened, whether or not a caller keeps it: whoever waits for it must hear of it.
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
