internal import CLinux
internal import Glibc
internal import Synchronization
internal import TokenFormats

/// Whether writes to the state's file system can be trusted (I5).
///
/// After a failed write or sync the kernel may mark pages clean that are not on disk (Rebello et
/// al., "Can Applications Recover from fsync Failures?", ATC 2020). From then on no credential of
/// this store sends a request until other bytes have been written, synced and read back, and the
/// failed write has been repeated and read back.
final class WriteProbe: Sendable {
    private static let fileName = ".probe"
    private static let size = 4096
    private let directory: Int32
    private let path: String
    private let failures = Mutex(Failures())

    private struct Failures {
        var count: UInt64 = 0
        var isSuspect = false
    }

    /// Creates the probe's file now, because the disk may be full later.
    init(directory: Int32, path: String) {
        (self.directory, self.path) = (directory, path)
        do throws(SystemError) { try probe(0) } catch { noteFailure() }
    }

    var isSuspect: Bool { failures.withLock { $0.isSuspect } }

    func noteFailure() {
        failures.withLock { state in
            state.count += 1
            state.isSuspect = true
        }
    }

    /// Does nothing unless a write has failed.
    func proveWritable() throws(StorageFailure) {
        let seen = failures.withLock { $0 }
        guard seen.isSuspect else { return }
        do throws(SystemError) { try probe(seen.count) } catch {
            throw StorageFailure(
                error.adding("nothing is sent until \(path) can be written again"))
        }
        failures.withLock { state in
            if state.count == seen.count { state.isSuspect = false }
        }
    }

    private func probe(_ number: UInt64) throws(SystemError) {
        let file = clinux_openat(
            directory, Self.fileName, O_RDWR | O_CREAT | O_NOFOLLOW, 0o600)
        guard file >= 0 else { throw SystemError("open \(path)/\(Self.fileName)") }
        defer { close(file) }
        var bytes = [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: Self.size)
        withUnsafeBytes(of: number.littleEndian) { bytes.replaceSubrange(0..<8, with: $0) }
        try writeAll(bytes, to: file, at: 0, what: "\(path)/\(Self.fileName)")
        try syncAndReadBack(bytes, file, at: 0, what: "\(path)/\(Self.fileName)")
    }
}

/// A successful sync is not enough: the bytes are read back from the disk.
func syncAndReadBack(
    _ bytes: [UInt8], _ file: Int32, at offset: Int, what: String
) throws(SystemError) {
    guard fdatasync(file) == 0 else { throw SystemError("save \(what)") }
    clinux_forget_cached_pages(file)
    var found = [UInt8](repeating: 0, count: bytes.count)
    var done = 0
    while done < found.count {
        let count = found.withUnsafeMutableBytes { buffer in
            let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
            return retryingInterrupts {
                pread(file, rest.baseAddress, rest.count, off_t(offset + done))
            }
        }
        guard count > 0 else { throw SystemError("read back \(what)", code: EIO) }
        done += count
    }
    guard found == bytes else { throw SystemError("read back \(what)", code: EIO) }
}
