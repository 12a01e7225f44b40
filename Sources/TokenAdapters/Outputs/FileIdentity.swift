internal import CLinux
internal import Glibc

/// The identity of a file, which changes whenever the file is changed or replaced (stat(2)). Kept
/// for every output, so without memory of its own.
struct FileIdentity: Sendable, Equatable {
    private var device: UInt64
    private var inode: UInt64
    private var size: Int64
    /// In nanoseconds; an absurd time wraps, and still differs from others.
    private var modifiedAt: Int64
    private var changedAt: Int64

    init(_ about: stat) {
        (device, inode) = (UInt64(about.st_dev), UInt64(about.st_ino))
        size = Int64(about.st_size)
        modifiedAt = Self.nanoseconds(about.st_mtim)
        changedAt = Self.nanoseconds(about.st_ctim)
    }

    /// Stands for a file that was removed before it could be checked.
    static let none = FileIdentity(stat())

    /// Identity of the directory entry itself, which may be a link; `nil` if there is none.
    init?(_ name: String, in directory: Int32) {
        var about = stat()
        guard fstatat(directory, name, &about, AT_SYMLINK_NOFOLLOW) == 0 else { return nil }
        self.init(about)
    }

    private static func nanoseconds(_ time: timespec) -> Int64 {
        Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
    }
}
