internal import CLinux
internal import Glibc
internal import Synchronization
internal import TokenConfiguration
package import TokenEngine
package import TokenFormats
package import TokenSlots

/// The state directory: a lock for the life of the process and two slot files per credential.
package final class SlotDirectory: SlotStore, Sendable {
    /// Bytes of each slot file, as they are preallocated.
    package let slotSize: Int
    /// As `SlotStore` says.
    package let distrusted = DistrustedSlots()
    let path: String
    let directory: Int32
    private let lock: Int32
    /// The state is on a single mount: if it hangs, all lanes may hang, so there is no share.
    let work = Lanes("slots", count: 8, share: 8)
    private let health: WriteProbe
    let marks: SlotMarkBook
    /// Credentials whose slots are known to be allocated and durable in their directory.
    private let proven = Mutex<Set<String>>([])

    /// Opens and locks the directory, creating it (0700) if it is missing.
    ///
    /// The lock is flock(2) on a file that is never deleted: the kernel releases it whenever the
    /// process ends (I12).
    /// - Throws: `StorageFailure` when another process holds it, or when the file system is one
    ///   that cannot be trusted with it (I14).
    package init(
        path: String, slotSize: Int, allowUnsafe: Bool, warn: (String) -> Void
    ) throws(StorageFailure) {
        (self.path, self.slotSize) = (path, slotSize)
        try makeDirectories(path, mode: 0o700)
        directory = Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard directory >= 0 else {
            throw StorageFailure(SystemError("open the state directory \(path)"))
        }
        try checkFileSystem(of: directory, path: path, allowUnsafe: allowUnsafe, warn: warn)
        let taken = "another evertokend uses \(path); stop it, or give this one its own state_dir"
        lock = try takeLock(named: ".lock", in: directory, path, access: O_RDWR) { taken }
        // Locks the directory too, because a deleted lock file no longer protects it; but not where
        // other users can open it and could hold that lock for ever.
        if Self.isPrivate(directory), flock(directory, LOCK_EX | LOCK_NB) != 0 {
            var failure = StorageFailure(taken)
            failure.isHeldByAnother = true
            throw failure
        }
        health = WriteProbe(directory: directory, path: path)
        let takesMarks = clinux_has_attribute(lock, SlotMark.name(0)) >= 0
        marks = SlotMarkBook(isSupported: takesMarks)
        if !takesMarks {
            warn(
                "the file system of the state directory \(path) takes no extended attributes of "
                    + "users (user_xattr); a backup that is copied back into the same files is "
                    + "not noticed: sign in again after one")
        }
    }

    /// Releases the lock at once: another thread may hold this object for longer.
    func unlock() {
        flock(lock, LOCK_UN)
        flock(directory, LOCK_UN)
    }

    deinit {
        close(lock)
        close(directory)
    }

    private static func isPrivate(_ directory: Int32) -> Bool {
        var about = stat()
        return fstat(directory, &about) == 0 && about.st_mode & 0o077 == 0
    }

    /// As `AttemptStore` says: the folders whose names a credential may have, in order.
    package func names() async throws(StorageFailure) -> [String] {
        try await work.run(key: "", holder: "state") { () throws(StorageFailure) in
            try self.entries().filter(isConfiguredName).sorted()
        }
    }

    /// All names in the directory, unordered.
    func entries() throws(StorageFailure) -> [String] {
        guard let list = opendir(path) else {
            throw StorageFailure(SystemError("list \(path)"))
        }
        defer { closedir(list) }
        var entries: [String] = []
        while let entry = readdir(list) {
            entries.append(
                withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                    String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
                })
        }
        return entries
    }

    /// As `SlotStore` says. A slot that does not exist is empty, one that cannot be parsed is
    /// damaged.
    package func read(_ credential: String) async throws(StorageFailure) -> SlotPair {
        try await inFolder(of: credential) { folder, place throws(StorageFailure) in
            let slots = try SlotPair.Index.allCases.map { index throws(StorageFailure) in
                try self.readSlot(index, in: folder, place)
            }
            return SlotPair(
                a: SlotPair.state(of: slots[0].bytes, credential: credential),
                b: SlotPair.state(of: slots[1].bytes, credential: credential),
                marks: SlotMarks(a: slots[0].mark, b: slots[1].mark))
        } ?? SlotPair(a: .empty, b: .empty)
    }

    /// Runs `body` with the folder of a credential open, in its lane.
    ///
    /// - Returns: `nil` without a folder.
    func inFolder<Value: Sendable>(
        of credential: String,
        _ body:
            @escaping @Sendable (_ folder: Int32, _ place: String) throws(StorageFailure) -> Value
    ) async throws(StorageFailure) -> Value? {
        try await work.run(key: credential, holder: "state") { () throws(StorageFailure) in
            let place = "\(self.path)/\(credential)"
            let folder = clinux_open_directory_strictly(self.directory, credential)
            if folder < 0, errno == ENOENT { return nil }
            guard folder >= 0 else { throw StorageFailure(SystemError("open \(place)")) }
            defer { close(folder) }
            return try body(folder, place)
        }
    }

    /// - Returns: The bytes of a slot, `nil` if its file does not exist, and its highest mark.
    func readSlot(
        _ index: SlotPair.Index, in folder: Int32, _ place: String
    ) throws(StorageFailure) -> (bytes: [UInt8]?, mark: UInt64) {
        let file = clinux_openat(folder, index.fileName, O_RDONLY | O_NOFOLLOW, 0)
        if file < 0, errno == ENOENT { return (nil, 0) }
        guard file >= 0 else {
            throw StorageFailure(SystemError("open \(place)/\(index.fileName)"))
        }
        defer { close(file) }
        // A process that was killed may have left pages that were not flushed: they are on the disk
        // before anything is built on them (I1).
        guard fdatasync(file) == 0 else {
            throw StorageFailure(SystemError("save \(place)/\(index.fileName)"))
        }
        let bytes = try TokenAdapters.readSlot(file, "\(place)/\(index.fileName)")
        return (bytes, SlotMark.all(of: file).max() ?? 0)
    }

    /// As `SlotStore` says. After a failed write it proves first that the disk takes writes
    /// again.
    package func open(_ credential: String) async throws(StorageFailure) -> any OpenSlots {
        try await work.run(key: credential, holder: "state") { () throws(StorageFailure) in
            // Slots that failed before are read back after they are written again.
            let isSuspect = self.health.isSuspect
            try self.health.proveWritable()
            let place = "\(self.path)/\(credential)"
            guard mkdirat(self.directory, credential, 0o700) == 0 || errno == EEXIST else {
                throw self.failure("make the directory \(place)")
            }
            let folder = clinux_open_directory_strictly(self.directory, credential)
            guard folder >= 0 else { throw StorageFailure(SystemError("open \(place)")) }
            defer { close(folder) }
            do throws(SystemError) { try self.mustBeOurs(folder: folder, place) } catch {
                throw StorageFailure(error)
            }
            let origin = try self.origin(in: folder, place)
            let isNew = SlotPair.Index.allCases.contains {
                faccessat(folder, $0.fileName, F_OK, 0) != 0
            }
            let isProven = self.proven.withLock { $0.contains(credential) }
            if !isProven, fsync(self.directory) != 0 {
                throw self.failure("save \(self.path)")
            }
            let first = try self.openSlot(.a, in: folder, place: place, isProven: isProven)
            do throws(StorageFailure) {
                let second = try self.openSlot(.b, in: folder, place: place, isProven: isProven)
                if origin == .own, isNew || !isProven {
                    try self.noteOrigin(in: folder, place)
                }
                self.proven.withLock { _ = $0.insert(credential) }
                return SlotFiles(
                    credential: credential, files: [first, second], work: self.work,
                    health: self.health, marks: self.marks, isVerified: isSuspect)
            } catch {
                close(first)
                throw error
            }
        }
    }

    /// Opens a slot and makes sure that its blocks exist: real zeros, not a hole, so that writing
    /// it later needs no space (StateOnDisk 3).
    private func openSlot(
        _ index: SlotPair.Index, in folder: Int32, place: String, isProven: Bool
    ) throws(StorageFailure) -> Int32 {
        let name = "\(place)/\(index.fileName)"
        let file = clinux_openat(folder, index.fileName, O_RDWR | O_CREAT | O_NOFOLLOW, 0o600)
        guard file >= 0 else { throw StorageFailure(SystemError("open \(name)")) }
        do throws(SystemError) {
            var about = stat()
            guard fstat(file, &about) == 0 else { throw SystemError("look at \(name)") }
            try mustBeOurs(about, name)
            let size = Int(about.st_size)
            if size < slotSize {
                try writeAll(
                    Array(repeating: 0, count: slotSize - size), to: file, at: size, what: name)
            } else if !isProven {
                try rewriteIfEmpty(file, name)
            }
            // An earlier process or try may have been interrupted before this.
            if size < slotSize || !isProven {
                guard fsync(file) == 0, fsync(folder) == 0 else {
                    throw SystemError("save \(name)")
                }
            }
            return file
        } catch {
            close(file)
            if error.code == EIO { health.noteFailure() }
            throw StorageFailure(error)
        }
    }
}

extension SlotDirectory {
    /// Reads errno; a disk error makes the whole store suspect.
    private func failure(_ what: String) -> StorageFailure {
        let error = SystemError(what)
        if error.code == EIO { health.noteFailure() }
        return StorageFailure(error)
    }

    /// Zeros whose sync failed may exist only in memory: they are written again.
    private func rewriteIfEmpty(_ file: Int32, _ name: String) throws(SystemError) {
        guard lseek(file, 0, SEEK_SET) == 0 else { throw SystemError("read \(name)") }
        let bytes = try readAll(file, limit: slotSize, what: name)
        guard bytes.allSatisfy({ $0 == 0 }) else { return }
        try writeAll(bytes, to: file, at: 0, what: name)
    }
}

/// Locks and fsync mean little on a network or user-space file system (I14).
private func checkFileSystem(
    of directory: Int32, path: String, allowUnsafe: Bool, warn: (String) -> Void
) throws(StorageFailure) {
    // statfs(2), linux/magic.h
    let unsafe: [Int64: String] = [
        0x6969: "NFS", 0xFF53_4D42: "CIFS", 0xFE53_4D42: "SMB", 0x6573_5546: "FUSE",
        0x0102_1997: "9p", 0x517B: "SMB",
    ]
    let volatile: [Int64: String] = [0x794C_7630: "overlayfs", 0x0102_1994: "tmpfs"]
    let type = clinux_filesystem_type(directory)
    if let name = unsafe[type], !allowUnsafe {
        throw StorageFailure(
            "the state directory \(path) is on \(name), whose locks and fsync cannot be trusted; "
                + "use a local file system, or set allow_unsafe_state")
    }
    if let name = unsafe[type] ?? volatile[type] {
        warn("the state directory \(path) is on \(name); tokens may not outlive a power failure")
    }
}
