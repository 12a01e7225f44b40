internal import CLinux
internal import Glibc

/// Overwrites a file in place, for readers that hold the file itself and would not see a new file
/// of the same name: a container with a bind mount of it.
///
/// A power cut in the middle may leave parts of both contents; the next start writes it again. The
/// order is: reserve space, so that a full disk changes nothing; write all bytes by one pwrite(2);
/// truncate a longer file; fsync(2). The file is never empty.
struct InPlaceFile {
    /// Owner, group and mode; also used to create a missing file.
    var attributes: AtomicFile
    /// Whether blanks at the end are allowed: the file then keeps its length, and never has the end
    /// of the old content after the new one.
    var mayPad: Bool

    /// Writes `bytes` to `name` in the open directory. A file that already has this content and
    /// these attributes is not written.
    func write(
        _ bytes: [UInt8], name: String, in directory: Int32, place: String
    ) throws(SystemError) {
        let file = clinux_openat(directory, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK, 0)
        guard file >= 0 else {
            // No reader has the file yet, so it can be created atomically.
            guard errno == ENOENT else { throw SystemError("open \(place) for writing") }
            return try attributes.write(bytes, name: name, in: directory, place: place)
        }
        defer { close(file) }
        let size = try requireOwn(file, place)
        let content = padded(bytes, to: size)
        if attributes.isAlready(content, name: name, in: directory) { return }
        // Owner and mode before the new token is in the file (I16).
        try attributes.giveAway(file, place)
        guard fchmod(file, attributes.mode) == 0 else {
            throw SystemError("set the mode of \(place)")
        }
        try reserve(content.count, in: file, place)
        let wrote = content.withUnsafeBytes { bytes in
            retryingInterrupts { pwrite(file, bytes.baseAddress, bytes.count, 0) }
        }
        guard wrote == content.count else {
            // Partly written: the rest is tried at once, and the whole again at the next try.
            try writeAll(content, to: file, at: 0, what: place)
            return try finish(file, content.count, size, place)
        }
        try finish(file, content.count, size, place)
    }

    private func finish(
        _ file: Int32, _ count: Int, _ size: Int, _ place: String
    ) throws(SystemError) {
        if count < size, retryingInterrupts({ ftruncate(file, off_t(count)) }) != 0 {
            throw SystemError("cut \(place) to its length")
        }
        guard fsync(file) == 0 else { throw SystemError("save \(place)") }
    }

    /// Only a file with a single name that belongs to the daemon may be overwritten: another name
    /// of it may be a file that must not change.
    ///
    /// - Returns: Its length.
    private func requireOwn(_ file: Int32, _ place: String) throws(SystemError) -> Int {
        var about = stat()
        guard fstat(file, &about) == 0 else { throw SystemError("look at \(place)") }
        guard about.st_mode & S_IFMT == S_IFREG else {
            throw SystemError(
                place: place, "is not a regular file and is left as it is; move it away", EEXIST)
        }
        guard about.st_nlink == 1 else {
            throw SystemError(
                place: place, "has more than one name (hard links) and is left as it is; remove it",
                EMLINK)
        }
        guard about.st_uid == geteuid() || about.st_uid == attributes.owner else {
            throw SystemError(
                place: place,
                "belongs to user \(about.st_uid), not to the daemon, and is left as it is; "
                    + "remove it", EEXIST)
        }
        return Int(about.st_size)
    }

    private func padded(_ bytes: [UInt8], to size: Int) -> [UInt8] {
        // A much longer file was not written by this daemon.
        guard mayPad, bytes.count < size, size <= 1 << 20, bytes.last == 0x0A else { return bytes }
        return bytes.dropLast()
            + [UInt8](repeating: 0x20, count: size - bytes.count) + [0x0A]
    }

    /// Does not change the contents or the length.
    private func reserve(_ count: Int, in file: Int32, _ place: String) throws(SystemError) {
        guard retryingInterrupts({ clinux_reserve(file, off_t(count)) }) != 0 else { return }
        // A file system without reservation reports ENOSPC when the bytes are written, or never.
        guard errno != EOPNOTSUPP, errno != ENOSYS else { return }
        throw SystemError("make room for \(place)")
    }
}
