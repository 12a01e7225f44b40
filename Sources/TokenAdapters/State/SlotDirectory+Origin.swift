internal import CLinux
internal import Glibc
package import TokenEngine
package import TokenFormats
internal import TokenSlots

// Where slots were made (``OriginNote``): a copy of a state directory holds refresh tokens that the
// original may have spent since (I10).
extension SlotDirectory {
    /// As `AttemptStore` says: the note beside the slots against this directory and this machine.
    package func origin(of credential: String) async throws(StorageFailure) -> SlotOrigin {
        try await inFolder(of: credential) { folder, place throws(StorageFailure) in
            try self.origin(in: folder, place)
        } ?? .own
    }

    /// As `AttemptStore` says: writes a new note, durably.
    package func accept(_ credential: String) async throws(StorageFailure) {
        _ = try await inFolder(of: credential) { folder, place throws(StorageFailure) in
            try self.setAsideUnreadable(credential, in: folder, place)
            try self.clearMarks(of: credential, in: folder, place)
            try self.noteOrigin(in: folder, place, isAccepted: true)
        }
    }

    /// As `AttemptStore` says: writes the cause into the note, durably.
    package func distrust(
        _ credential: String, _ cause: Cause
    ) async throws(StorageFailure) {
        _ = try await inFolder(of: credential) { folder, place throws(StorageFailure) in
            var note = try OriginNote(in: folder, place) ?? OriginNote.now(in: folder)
            guard note.cause != cause else { return }
            note.cause = cause
            try self.write(note, in: folder, place)
        }
    }

    /// As `AttemptStore` says: the older slot first, and the folder at last.
    package func erase(_ credential: String) async throws(StorageFailure) {
        _ = try await inFolder(of: credential) { folder, place throws(StorageFailure) in
            // The newest record last: an older one alone might hold a spent token.
            let last = try self.winner(of: credential, in: folder, place) ?? .b
            let names = [last.other, last].map(\.fileName)
            for file in names.map({ $0 + Self.damagedSuffix }) + names {
                do throws(SystemError) { try Self.erase(file, in: folder, place) } catch {
                    throw StorageFailure(error)
                }
            }
            let notes = [OriginNote.fileName, AtomicFile.temporary(OriginNote.fileName)]
            for name in notes where unlinkat(folder, name, 0) != 0 && errno != ENOENT {
                throw StorageFailure(SystemError("remove \(place)/\(name)"))
            }
            self.marks.forget(credential)
            guard unlinkat(self.directory, credential, AT_REMOVEDIR) == 0,
                fsync(self.directory) == 0
            else { throw StorageFailure(SystemError("remove \(place)")) }
        }
    }

    private func winner(
        of credential: String, in folder: Int32, _ place: String
    ) throws(StorageFailure) -> SlotPair.Index? {
        let states = try SlotPair.Index.allCases.map { index throws(StorageFailure) in
            SlotPair.state(
                of: try readSlot(index, in: folder, place).bytes, credential: credential)
        }
        return SlotPair(a: states[0], b: states[1]).winner?.index
    }

    /// Overwrites tokens before the file is removed; a copy-on-write file system may nevertheless
    /// keep the old blocks.
    private static func erase(
        _ name: String, in folder: Int32, _ place: String
    ) throws(SystemError) {
        let file = clinux_openat(folder, name, O_RDWR | O_NOFOLLOW, 0)
        if file < 0, errno == ENOENT { return }
        guard file >= 0 else { throw SystemError("open \(place)/\(name)") }
        defer { close(file) }
        var about = stat()
        guard fstat(file, &about) == 0 else { throw SystemError("look at \(place)/\(name)") }
        try writeAll(
            Array(repeating: 0, count: Int(about.st_size)), to: file, at: 0, what: name)
        guard fsync(file) == 0, unlinkat(folder, name, 0) == 0 else {
            throw SystemError("erase \(place)/\(name)")
        }
    }

    private static let damagedSuffix = ".damaged"

    /// Keeps unreadable slots under another name, for later analysis.
    private func setAsideUnreadable(
        _ credential: String, in folder: Int32, _ place: String
    ) throws(StorageFailure) {
        let bytes = try SlotPair.Index.allCases.map { index throws(StorageFailure) in
            try readSlot(index, in: folder, place).bytes
        }
        let pair = SlotPair(
            a: SlotPair.state(of: bytes[0], credential: credential),
            b: SlotPair.state(of: bytes[1], credential: credential))
        guard pair.isUnreadable else { return }
        for (index, content) in zip(SlotPair.Index.allCases, bytes) where content != nil {
            let name = index.fileName
            guard renameat(folder, name, folder, name + Self.damagedSuffix) == 0 else {
                throw StorageFailure(SystemError("set aside \(place)/\(name)"))
            }
        }
        guard fsync(folder) == 0 else { throw StorageFailure(SystemError("save \(place)")) }
    }

    /// Removes the marks, so that the present contents count as the newest.
    private func clearMarks(
        of credential: String, in folder: Int32, _ place: String
    ) throws(StorageFailure) {
        marks.forget(credential)
        for index in SlotPair.Index.allCases {
            let name = "\(place)/\(index.fileName)"
            let file = clinux_openat(folder, index.fileName, O_RDONLY | O_NOFOLLOW, 0)
            if file < 0, errno == ENOENT { continue }
            guard file >= 0 else { throw StorageFailure(SystemError("open \(name)")) }
            defer { close(file) }
            do throws(SystemError) {
                try SlotMark.clear(SlotMark.all(of: file), of: file, name)
            } catch { throw StorageFailure(error) }
        }
    }

    /// A state without a note is new, or from an older version: it counts as own.
    func origin(in folder: Int32, _ place: String) throws(StorageFailure) -> SlotOrigin {
        guard let noted = try OriginNote(in: folder, place) else { return .own }
        let difference = noted.cause ?? OriginNote.now(in: folder).difference(from: noted)
        return difference.map { .foreign($0) } ?? .own
    }

    /// - Parameter isAccepted: The operator has accepted the state here.
    func noteOrigin(
        in folder: Int32, _ place: String, isAccepted: Bool = false
    ) throws(StorageFailure) {
        var note = OriginNote.now(in: folder)
        if let noted = try OriginNote(in: folder, place) {
            note.succeed(noted, isAccepted: isAccepted)
        }
        try write(note, in: folder, place)
    }

    private func write(
        _ note: OriginNote, in folder: Int32, _ place: String
    ) throws(StorageFailure) {
        do throws(SystemError) {
            try AtomicFile(mode: 0o600)
                .write(note.json.serialized(), name: OriginNote.fileName, in: folder, place: place)
        } catch { throw StorageFailure(error) }
    }
}
