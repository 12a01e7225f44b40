internal import CLinux
internal import CSystemd
internal import Glibc
internal import TokenCore
public import TokenEngine

// Where slots were made, beside them in `.origin`: a copy of a state directory holds refresh tokens
// that its original may have spent since (I10).
extension SlotDirectory {
    public func origin(of credential: String) async throws(StorageFailure) -> SlotOrigin {
        try await work.run(key: credential, holder: "state") { () throws(StorageFailure) in
            let folder = clinux_open_directory_strictly(self.directory, credential)
            if folder < 0, errno == ENOENT { return .own }
            guard folder >= 0 else {
                throw StorageFailure(SystemError("open \(self.path)/\(credential)").text)
            }
            defer { close(folder) }
            return try self.origin(in: folder, "\(self.path)/\(credential)")
        }
    }

    public func accept(_ credential: String) async throws(StorageFailure) {
        try await work.run(key: credential, holder: "state") { () throws(StorageFailure) in
            let place = "\(self.path)/\(credential)"
            let folder = clinux_open_directory_strictly(self.directory, credential)
            if folder < 0, errno == ENOENT { return }
            guard folder >= 0 else { throw StorageFailure(SystemError("open \(place)").text) }
            defer { close(folder) }
            try self.setAsideUnreadable(credential, in: folder, place)
            try self.noteOrigin(in: folder, place)
        }
    }

    public func distrust(
        _ credential: String, problem: String
    ) async throws(StorageFailure) {
        try await work.run(key: credential, holder: "state") { () throws(StorageFailure) in
            let place = "\(self.path)/\(credential)"
            let folder = clinux_open_directory_strictly(self.directory, credential)
            if folder < 0, errno == ENOENT { return }
            guard folder >= 0 else { throw StorageFailure(SystemError("open \(place)").text) }
            defer { close(folder) }
            var note = try OriginNote(in: folder, place) ?? OriginNote.now(in: folder)
            guard note.problem != problem else { return }
            note.problem = problem
            try self.write(note, in: folder, place)
        }
    }

    public func erase(_ credential: String) async throws(StorageFailure) {
        try await work.run(key: credential, holder: "state") { () throws(StorageFailure) in
            let place = "\(self.path)/\(credential)"
            let folder = clinux_open_directory_strictly(self.directory, credential)
            if folder < 0, errno == ENOENT { return }
            guard folder >= 0 else { throw StorageFailure(SystemError("open \(place)").text) }
            defer { close(folder) }
            for name in SlotPair.Index.allCases.map(\.fileName) {
                for file in [name, name + Self.damagedSuffix] {
                    do throws(SystemError) { try Self.erase(file, in: folder, place) } catch {
                        throw StorageFailure(error.text)
                    }
                }
            }
            guard unlinkat(folder, OriginNote.fileName, 0) == 0 || errno == ENOENT else {
                throw StorageFailure(SystemError("remove \(place)/\(OriginNote.fileName)").text)
            }
            guard unlinkat(self.directory, credential, AT_REMOVEDIR) == 0,
                fsync(self.directory) == 0
            else { throw StorageFailure(SystemError("remove \(place)").text) }
        }
    }

    /// Tokens are overwritten before their file goes; a file system that copies on write may keep
    /// the old blocks all the same.
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

    /// Kept for whoever can still read something in them.
    private func setAsideUnreadable(
        _ credential: String, in folder: Int32, _ place: String
    ) throws(StorageFailure) {
        let bytes = try SlotPair.Index.allCases.map { index throws(StorageFailure) in
            try readSlot(index, in: folder, place)
        }
        let pair = SlotPair(
            a: SlotPair.state(of: bytes[0], credential: credential),
            b: SlotPair.state(of: bytes[1], credential: credential))
        guard pair.isUnreadable else { return }
        for (index, content) in zip(SlotPair.Index.allCases, bytes) where content != nil {
            let name = index.fileName
            guard renameat(folder, name, folder, name + Self.damagedSuffix) == 0 else {
                throw StorageFailure(SystemError("set aside \(place)/\(name)").text)
            }
        }
        guard fsync(folder) == 0 else { throw StorageFailure(SystemError("save \(place)").text) }
    }

    /// A state without a note is of an older version, or new: it is where it should be.
    func origin(in folder: Int32, _ place: String) throws(StorageFailure) -> SlotOrigin {
        guard let noted = try OriginNote(in: folder, place) else { return .own }
        let difference = noted.problem ?? OriginNote.now(in: folder).difference(from: noted)
        return difference.map { .foreign(problem: $0) } ?? .own
    }

    func noteOrigin(in folder: Int32, _ place: String) throws(StorageFailure) {
        try write(OriginNote.now(in: folder), in: folder, place)
    }

    private func write(
        _ note: OriginNote, in folder: Int32, _ place: String
    ) throws(StorageFailure) {
        do throws(SystemError) {
            try AtomicFile(mode: 0o600)
                .write(note.json.serialized(), name: OriginNote.fileName, in: folder, place: place)
        } catch { throw StorageFailure(error.text) }
    }
}

/// The machine, and the two files.
private struct OriginNote {
    static let fileName = ".origin"
    /// Empty where there is no machine-id(5).
    var machine: String
    /// Inode and birth of each slot; empty for one that is not there.
    var slots: [[Int64]]
    /// What else told that they are old; it may be gone by now.
    var problem: String?

    static func now(in folder: Int32) -> OriginNote {
        OriginNote(
            machine: machineIdentity,
            slots: SlotPair.Index.allCases.map { index in
                var identity: [UInt64] = [0, 0, 0]
                guard clinux_file_identity(folder, index.fileName, &identity) == 0 else {
                    return []
                }
                return identity.map { Int64(truncatingIfNeeded: $0) }
            })
    }

    init(machine: String, slots: [[Int64]]) { (self.machine, self.slots) = (machine, slots) }

    /// `nil` when there is none; one that cannot be read tells nothing either.
    init?(in folder: Int32, _ place: String) throws(StorageFailure) {
        let file = clinux_openat(folder, Self.fileName, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0)
        if file < 0, errno == ENOENT { return nil }
        guard file >= 0 else {
            throw StorageFailure(SystemError("open \(place)/\(Self.fileName)").text)
        }
        defer { close(file) }
        guard let bytes = try? readAll(file, limit: 4096, what: Self.fileName),
            let json = try? JSONReader.read(bytes), let machine = json["machine"]?.text,
            let slots = json["slots"]?.elements
        else { return nil }
        self.init(
            machine: machine,
            slots: slots.map { ($0.elements ?? []).compactMap { $0.integer } })
        problem = json["problem"]?.text
    }

    var json: JSONNode {
        .object([
            ("machine", .string(machine)),
            ("slots", .array(slots.map { .array($0.map { .integer($0) }) })),
            ("problem", problem.map { .string($0) }),
        ])
    }

    func difference(from noted: OriginNote) -> String? {
        if !machine.isEmpty, !noted.machine.isEmpty, machine != noted.machine {
            return "its state was written on another machine (machine-id differs)"
        }
        let isReplaced = zip(slots, noted.slots).contains { now, then in
            !now.isEmpty && !then.isEmpty && now != then
        }
        return isReplaced
            ? "its state was copied or restored from a backup (the files are not the ones it wrote)"
            : nil
    }

    /// Not the machine-id itself, which is nobody else's business (machine-id(5)).
    private static let machineIdentity: String = {
        let application = sd_id128_t(
            bytes: (
                0x6D, 0x29, 0x2B, 0x1D, 0x54, 0xD1, 0x4A, 0x0B, 0x8F, 0x07, 0x3B, 0x0A, 0x5E, 0xC2,
                0x19, 0x86
            ))
        var identity = sd_id128_t()
        guard sd_id128_get_machine_app_specific(application, &identity) >= 0 else { return "" }
        return withUnsafeBytes(of: identity.bytes) { hexadecimal(Array($0)) }
    }()
}
