internal import Glibc
internal import TokenEngine
internal import TokenFormats
internal import TokenSlots

/// The two slot files of one credential, open for one attempt.
final class SlotFiles: OpenSlots, Sendable {
    private let credential: String
    private let files: [Int32]
    private let work: Lanes
    private let health: WriteProbe
    private let marks: SlotMarkBook
    /// Whether each write is verified by reading it back from the disk.
    private let isVerified: Bool

    init(
        credential: String, files: [Int32], work: Lanes, health: WriteProbe,
        marks: SlotMarkBook, isVerified: Bool
    ) {
        (self.credential, self.files, self.work) = (credential, files, work)
        (self.health, self.marks, self.isVerified) = (health, marks, isVerified)
    }

    func read() async throws(StorageFailure) -> SlotPair {
        try await work.run(key: credential, holder: "state") { () throws(StorageFailure) in
            var states: [SlotPair.State] = []
            for (file, index) in zip(self.files, SlotPair.Index.allCases) {
                let bytes = try readSlot(file, "\(self.credential)/\(index.fileName)")
                states.append(SlotPair.state(of: bytes, credential: self.credential))
            }
            return SlotPair(a: states[0], b: states[1])
        }
    }

    func write(
        _ bytes: [UInt8], at offset: Int, to slot: SlotPair.Index, sequence: UInt64?
    ) async throws(StorageFailure) {
        try await work.run(key: credential, holder: "state") { () throws(StorageFailure) in
            let name = "\(self.credential)/\(slot.fileName)"
            let file = self.files[slot.rawValue]
            do throws(SystemError) {
                var former: [UInt64] = []
                if let sequence {
                    former = try self.marks.prepare(
                        file, slot, of: self.credential, for: sequence, name)
                }
                try writeAll(bytes, to: file, at: offset, what: name)
                if self.isVerified || self.health.isSuspect {
                    try syncAndReadBack(bytes, file, at: offset, what: name)
                } else {
                    guard fdatasync(file) == 0 else { throw SystemError("save \(name)") }
                }
                if let sequence {
                    self.marks.commit(
                        sequence, file, slot, of: self.credential, replacing: former)
                }
            } catch {
                self.health.noteFailure()
                throw StorageFailure(error)
            }
        }
    }

    func close() { for file in files { _ = Glibc.close(file) } }
}

/// Reads a whole open slot.
func readSlot(_ file: Int32, _ name: String) throws(StorageFailure) -> [UInt8] {
    guard lseek(file, 0, SEEK_SET) == 0 else {
        throw StorageFailure(SystemError("read \(name)"))
    }
    do throws(SystemError) { return try readAll(file, limit: 1 << 20, what: name) } catch {
        throw StorageFailure(error)
    }
}
