internal import Glibc
internal import TokenEngine

/// Listening on a path (unix(7)).
enum UnixListener {
    /// Listens there without blocking; the socket gets its mode and group before anybody can
    /// connect. One that nobody listens on any more is replaced.
    ///
    /// - Parameter key: Of the configuration, for what to do about a path that is taken.
    static func open(
        path: String, key: String, mode: UInt32, group: String?
    ) throws(StorageFailure) -> Int32 {
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
        guard listener >= 0 else { throw StorageFailure(SystemError("make a socket").text) }
        // A socket that nobody listens on is left over; one that answers is another daemon's.
        let isTaken = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(listener, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0
            }
        }
        guard !isTaken else {
            close(listener)
            throw StorageFailure("another daemon listens on \(path); give this one its own \(key)")
        }
        unlink(path)
        let old = umask(0o177)
        let bound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        umask(old)
        guard bound == 0, setAccess(path, mode: mode, group: group), listen(listener, 64) == 0
        else {
            let failure = StorageFailure(SystemError("listen on \(path)").text)
            close(listener)
            throw failure
        }
        return listener
    }

    /// Who may connect.
    /// - Parameter isTakenBack: Another group had it before: without one it is the daemon's own.
    static func setAccess(
        _ path: String, mode: UInt32, group: String?, isTakenBack: Bool = false
    ) -> Bool {
        var id = isTakenBack ? getegid() : gid_t.max
        if let group {
            guard let named = Accounts.group(group) else {
                errno = ENOENT
                return false
            }
            id = named
        }
        // chown(2) is not among what the unit's filter allows; it is needed for other groups only.
        if id != gid_t.max, chown(path, uid_t.max, id) != 0 { return false }
        return chmod(path, mode) == 0
    }
}
