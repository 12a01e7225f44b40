internal import CLinux
internal import Dispatch

/// Memory that the heap holds and nothing uses.
///
/// A start reads all states and writes all token files. The heap keeps what that needed, in pieces
/// between what stays, and would never give it back by itself.
package final class FreeMemory: Sendable {
    /// A serial queue: it has no thread without work.
    private let queue = DispatchQueue(label: "evertoken.memory")

    package init() {}

    /// Gives it back to the kernel, soon and on another thread (malloc_trim(3)).
    package func giveBack() { queue.async { clinux_return_free_memory() } }
}
