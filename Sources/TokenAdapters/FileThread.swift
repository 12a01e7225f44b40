internal import Dispatch

/// One thread for files that belong to no attempt: a file server that does not respond delays only
/// the reads of this thread. Work keeps its order; without work there is no thread.
public final class FileThread: Sendable {
    private let queue: DispatchQueue

    /// - Parameter label: What is read, for a debugger.
    public init(_ label: String) { queue = DispatchQueue(label: "evertoken.\(label)") }

    /// Starts `body`; the caller does not wait.
    public func start(_ body: @escaping @Sendable () -> Void) { queue.async(execute: body) }
}
