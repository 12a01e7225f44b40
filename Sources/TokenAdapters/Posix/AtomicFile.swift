internal import CLinux
internal import Glibc
internal import TokenConfiguration

/// Replaces files so that a reader sees the complete old or new file, with its final owner and
/// mode, and so that the replacement survives a power cut: write, fsync, rename, fsync the
/// directory.
struct AtomicFile {
    var owner: uid_t?
    var group: gid_t?
    var mode: mode_t

    /// The name of a file until it is complete.
    static func temporary(_ name: String) -> String { "\(OwnNames.prefix)\(name).new" }

    /// Puts `bytes` at `name` in the open directory.
    ///
    /// A file that already has this content and these attributes is not replaced, so programs that
    /// watch it are not notified.
    func write(
        _ bytes: [UInt8], name: String, in directory: Int32, place: String
    ) throws(SystemError) {
        if isAlready(bytes, name: name, in: directory) {
            // The process that renamed it may have been killed before it synced the directory.
            guard fsync(directory) == 0 else {
                throw SystemError("save the directory of \(place)")
            }
            return
        }
        // There is one writer at a time (the lock on the state), so a left-over of a crash can be
        // removed.
        let temporary = Self.temporary(name)
        unlinkat(directory, temporary, 0)
        let file = clinux_openat(
            directory, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600)
        guard file >= 0 else { throw SystemError("create a file beside \(place)") }
        do throws(SystemError) {
            defer { close(file) }
            try writeAll(bytes, to: file, what: place)
            // Final before it is visible (I16); owner first, because chown(2) clears set-id bits.
            try giveAway(file, place)
            guard fchmod(file, mode) == 0 else { throw SystemError("set the mode of \(place)") }
            guard fsync(file) == 0 else { throw SystemError("save \(place)") }
        } catch {
            unlinkat(directory, temporary, 0)
            throw error
        }
        guard renameat(directory, temporary, directory, name) == 0 else {
            let error = SystemError("put \(place) in its place")
            unlinkat(directory, temporary, 0)
            throw error
        }
        guard fsync(directory) == 0 else { throw SystemError("save the directory of \(place)") }
    }

    /// The directory must not influence who can read the file: its set-group-id bit would set its
    /// group, and its default ACL would give access to more users than the mode allows.
    func giveAway(_ descriptor: Int32, _ place: String) throws(SystemError) {
        guard clinux_drop_acls(descriptor) == 0 else {
            throw SystemError("take the inherited access list off \(place)")
        }
        var about = stat()
        guard fstat(descriptor, &about) == 0 else { throw SystemError("look at \(place)") }
        let isOwned = owner.map { $0 == about.st_uid } ?? true
        let isGrouped = about.st_gid == (group ?? getegid())
        // The unit's system call filter does not allow chown(2), so it is called only for a
        // difference.
        guard !isOwned || !isGrouped else { return }
        let newGroup = isGrouped ? gid_t.max : group ?? getegid()
        guard fchown(descriptor, owner ?? uid_t.max, newGroup) == 0 else {
            throw SystemError("give \(place) its owner and group")
        }
    }

    func isAlready(_ bytes: [UInt8], name: String, in directory: Int32) -> Bool {
        let file = clinux_openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0)
        guard file >= 0 else { return false }
        defer { close(file) }
        var about = stat()
        guard fstat(file, &about) == 0, about.st_mode & S_IFMT == S_IFREG,
            about.st_mode & 0o7777 == mode, about.st_size == bytes.count,
            owner.map({ $0 == about.st_uid }) ?? true, about.st_gid == group ?? getegid(),
            clinux_has_acl(file) == 0,
            let content = try? readAll(file, limit: bytes.count + 1, what: name)
        else { return false }
        return content == bytes && fsync(file) == 0
    }
}
