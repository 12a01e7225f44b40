internal import CLinux
internal import Glibc
internal import TokenConfiguration
internal import TokenFormats

/// The token directory, open, with the lock that keeps a second daemon from overwriting its files.
///
/// The lock is flock(2) on a file that only this user can open. Other users may open the directory
/// itself, so they could take a lock on it and keep the daemon out.
struct OpenDirectory {
    static let lockName = OwnNames.prefix + "lock"
    let descriptor: Int32
    /// -1 for a directory that is only read.
    private let lock: Int32

    private init(descriptor: Int32, lock: Int32) {
        (self.descriptor, self.lock) = (descriptor, lock)
    }

    /// Opens it without the lock; `nil` if there is no such directory.
    init?(_ path: String) {
        let directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard directory >= 0 else { return nil }
        self.init(descriptor: directory, lock: -1)
    }

    /// Creates it (0755) if it is missing.
    static func locked(_ path: String) throws(StorageFailure) -> OpenDirectory {
        try makeDirectories(path, mode: 0o755)
        guard let unlocked = OpenDirectory(path) else {
            throw StorageFailure(SystemError("open the token directory \(path)"))
        }
        do throws(StorageFailure) {
            let lock = try takeLock(
                named: lockName, in: unlocked.descriptor, path, access: O_RDONLY
            ) {
                "another evertokend writes to \(path); give this one its own token_dir"
            }
            return OpenDirectory(descriptor: unlocked.descriptor, lock: lock)
        } catch {
            unlocked.close()
            throw error
        }
    }

    func isStill(at path: String) -> Bool {
        var (there, ours) = (stat(), stat())
        return stat(path, &there) == 0 && fstat(descriptor, &ours) == 0
            && there.st_ino == ours.st_ino && there.st_dev == ours.st_dev
    }

    func close() {
        for held in [descriptor, lock] where held >= 0 { _ = Glibc.close(held) }
    }
}

/// Locks a file of mode 0600 in an open directory, for the life of the process: the kernel lets go
/// whenever that ends (I12).
///
/// - Parameters:
///   - access: O_RDWR prevents a read-only remount of the file system, O_RDONLY does not.
///   - taken: The error when another process holds it.
func takeLock(
    named name: String, in directory: Int32, _ path: String, access: Int32, taken: () -> String
) throws(StorageFailure) -> Int32 {
    let lock = clinux_openat(directory, name, access | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o600)
    guard lock >= 0 else { throw StorageFailure(SystemError("open the lock in \(path)")) }
    var (about, around) = (stat(), stat())
    // Root works in another user's directory, but never with a third user's lock.
    guard fstat(lock, &about) == 0, about.st_mode & S_IFMT == S_IFREG,
        fstat(directory, &around) == 0,
        about.st_uid == geteuid() || (geteuid() == 0 && about.st_uid == around.st_uid)
    else {
        close(lock)
        throw StorageFailure(
            "\(path)/\(name) belongs to another user, who could keep the daemon out; remove it, "
                + "and let only the daemon's user write to \(path)")
    }
    // Removes access for other users, if the file was created with it.
    if about.st_mode & 0o077 != 0 { fchmod(lock, 0o600) }
    guard flock(lock, LOCK_EX | LOCK_NB) == 0 else {
        close(lock)
        var failure = StorageFailure(taken())
        failure.isHeldByAnother = true
        throw failure
    }
    return lock
}
