internal import CLinux
internal import Glibc
internal import TokenEngine

/// The kernel's random numbers (getrandom(2)): one system call for each ``bytes(_:)``.
package struct SystemRandom: RandomBytes {
    /// Fills a buffer; returns the number of bytes, or -1 with errno.
    private let source: @Sendable (UnsafeMutableRawBufferPointer) -> Int

    /// The kernel's source (getrandom(2)).
    package init() { self.init { clinux_random($0.baseAddress, $0.count) } }

    /// - Parameter source: Behaves like getrandom(2): it may return fewer bytes than requested, and
    ///   a signal may interrupt it.
    init(source: @escaping @Sendable (UnsafeMutableRawBufferPointer) -> Int) {
        self.source = source
    }

    /// Unpredictable bytes. The process ends if the kernel has none, because the daemon cannot work
    /// without them.
    package func bytes(_ count: Int) -> [UInt8] {
        Array(unsafeUninitializedCapacity: count) { buffer, filled in
            while filled < count {
                let rest = UnsafeMutableRawBufferPointer(
                    UnsafeMutableBufferPointer(rebasing: buffer[filled..<count]))
                let given = retryingInterrupts { source(rest) }
                guard given > 0 else {
                    fatalError(SystemError("read random numbers from the kernel").text)
                }
                filled += given
            }
        }
    }
}
