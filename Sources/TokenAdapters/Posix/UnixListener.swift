internal import CLinux
internal import Glibc
internal import TokenFormats

/// A socket that listens on a path (unix(7)), and its directory entry.
///
/// The entry is held open (O_PATH): its mode and group are changed through that descriptor. Through
/// the path the change could hit another file, if another user may rename in the directory.
struct UnixListener: Sendable {
    let listener: Int32
    private let node: Int32
    private let path: String

    /// Listens without blocking; the socket has its mode and group before it listens, and so before
    /// any client can connect. A left-over socket is replaced; any other file is kept.
    ///
    /// - Parameter key: The configuration key, for the remedy when the path is taken.
    static func open(
        path: String, key: String, mode: UInt32, group: String?
    ) throws(StorageFailure) -> UnixListener {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
            throw StorageFailure("the socket's path is longer than 107 bytes: \(path)")
        }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let listener = socket(
            AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue),
            0)
        guard listener >= 0 else { throw StorageFailure(SystemError("make a socket")) }
        do throws(StorageFailure) {
            try makeRoom(path, key, &address, listener)
            let node = try bindPrivately(listener, &address, path)
            let bound = UnixListener(listener: listener, node: node, path: path)
            guard bound.setAccess(mode: mode, group: group), listen(listener, 1024) == 0 else {
                let failure = StorageFailure(SystemError("listen on \(path)"))
                close(node)
                throw failure
            }
            return bound
        } catch {
            close(listener)
            throw error
        }
    }

    /// A socket without a listener is left over; one that accepts belongs to another daemon.
    private static func makeRoom(
        _ path: String, _ key: String, _ address: inout sockaddr_un, _ listener: Int32
    ) throws(StorageFailure) {
        var about = stat()
        guard lstat(path, &about) == 0 else { return }
        guard about.st_mode & S_IFMT == S_IFSOCK else {
            throw StorageFailure(
                "\(path) is not a socket and is left as it is; "
                    + "move it away, or name another \(key)")
        }
        // A full backlog (EAGAIN) also means that a daemon listens.
        let isTaken = call(connect, listener, &address) == 0 || errno == EAGAIN
        guard !isTaken else {
            throw StorageFailure("another daemon listens on \(path); give this one its own \(key)")
        }
        guard unlink(path) == 0 else {
            throw StorageFailure(SystemError("remove the old socket \(path)"))
        }
    }

    /// Creates the entry for this user only. umask(2) would apply to all threads; on Linux the
    /// entry's mode comes from the socket's own mode (unix(7)).
    ///
    /// - Returns: A descriptor of the entry.
    private static func bindPrivately(
        _ listener: Int32, _ address: inout sockaddr_un, _ path: String
    ) throws(StorageFailure) -> Int32 {
        guard fchmod(listener, 0o600) == 0, call(bind, listener, &address) == 0 else {
            throw StorageFailure(SystemError("listen on \(path)"))
        }
        let node = Glibc.open(path, clinux_path_only() | O_NOFOLLOW | O_CLOEXEC)
        guard node >= 0 else { throw StorageFailure(SystemError("look at \(path)")) }
        var about = stat()
        guard fstat(node, &about) == 0, about.st_mode & S_IFMT == S_IFSOCK,
            about.st_uid == geteuid()
        else {
            close(node)
            throw StorageFailure(
                "\(path) was exchanged while it was made; let only the daemon's user write to its "
                    + "directory")
        }
        return node
    }

    private static func call(
        _ function: (Int32, UnsafePointer<sockaddr>?, socklen_t) -> Int32, _ socket: Int32,
        _ address: inout sockaddr_un
    ) -> Int32 {
        withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                function(socket, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }

    /// Sets who may connect.
    /// - Parameter isTakenBack: Another group had access before: without a new group it becomes the
    ///   daemon's own.
    func setAccess(mode: UInt32, group: String?, isTakenBack: Bool = false) -> Bool {
        var id = isTakenBack ? getegid() : gid_t.max
        if let group {
            guard let named = Accounts.group(group) else {
                errno = ENOENT
                return false
            }
            id = named
        }
        // The unit's system call filter does not allow chown(2); it is needed only for another
        // group.
        if id != gid_t.max, clinux_chown_open(node, uid_t.max, id) != 0 { return false }
        // fchmod(2) refuses an O_PATH descriptor; its name under /proc refers to the file itself.
        return chmod("/proc/self/fd/\(node)", mode) == 0
    }

    /// Removes the entry unless another socket has replaced it, and closes its descriptor. The
    /// caller closes the listener.
    func remove() {
        var (there, ours) = (stat(), stat())
        if lstat(path, &there) == 0, fstat(node, &ours) == 0, there.st_ino == ours.st_ino,
            there.st_dev == ours.st_dev
        {
            unlink(path)
        }
        close(node)
    }
}
