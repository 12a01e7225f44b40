internal import CLinux
internal import Glibc
public import TokenEngine

/// The kernel's random numbers (getrandom(2)): one call for each ``bytes(_:)``, however many bytes.
public struct SystemRandom: RandomBytes {
    /// Fills a buffer; how many bytes it gave, or -1 with errno.
    private let source: @Sendable (UnsafeMutableRawBufferPointer) -> Int

    /// The kernel's source (getrandom(2)).
    public init() { self.init { clinux_random($0.baseAddress, $0.count) } }

    /// - Parameter source: As getrandom(2): it may give fewer bytes than it was asked for, and a
    ///   signal may interrupt it.
    init(source: @escaping @Sendable (UnsafeMutableRawBufferPointer) -> Int) {
        self.source = source
    }

    /// Unpredictable bytes. There is no daemon without them: it ends where the kernel has none.
    public func bytes(_ count: Int) -> [UInt8] {
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
