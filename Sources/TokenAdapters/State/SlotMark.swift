internal import CLinux
internal import Glibc
internal import Synchronization
internal import TokenSlots

/// The mark of a slot's file: an extended attribute (xattr(7)) whose *name* ends with the sequence
/// of the last record that was committed to the file.
///
/// It belongs to the file and not to its content: a backup that is copied into the file leaves it
/// unchanged. So does `cp -a`, which sets the attributes of the backup and removes none: it would
/// overwrite a value, but not a name.
enum SlotMark {
    static let prefix = "user.evertoken.sequence."

    static func name(_ sequence: UInt64) -> String { prefix + String(sequence) }

    /// The marks of a file, unordered; empty if the file system has no attributes.
    static func all(of file: Int32) -> [UInt64] {
        // XATTR_LIST_MAX
        for size in [1024, 64 * 1024] {
            var names = [CChar](repeating: 0, count: size)
            let count = clinux_list_attributes(file, &names, size)
            if count >= 0 { return sequences(in: names.prefix(count)) }
            if errno != ERANGE { break }
        }
        return []
    }

    /// - Parameter names: Each terminated by a zero (listxattr(2)).
    static func sequences(in names: some Sequence<CChar>) -> [UInt64] {
        names.split(separator: 0).compactMap { name in
            let bytes = name.map { UInt8(bitPattern: $0) }
            guard bytes.starts(with: prefix.utf8) else { return nil }
            return UInt64(String(decoding: bytes.dropFirst(prefix.utf8.count), as: UTF8.self))
        }
    }

    /// Removes marks durably.
    static func clear(_ marks: [UInt64], of file: Int32, _ place: String) throws(SystemError) {
        guard !marks.isEmpty else { return }
        for mark in marks { _ = clinux_remove_attribute(file, name(mark)) }
        guard fsync(file) == 0 else { throw SystemError("save \(place)") }
    }
}

/// The marks that this process has set, so that each write knows which one to replace.
final class SlotMarkBook: Sendable {
    private let known = Mutex<[String: [UInt64?]]>([:])
    /// Whether the state's file system supports such attributes.
    let isSupported: Bool

    init(isSupported: Bool) { self.isSupported = isSupported }

    /// Called before a record is written: when it is durable, no mark of the file may be higher. A
    /// mark can be higher if slots were damaged, or an old state was accepted.
    ///
    /// - Returns: The marks to replace.
    func prepare(
        _ file: Int32, _ slot: SlotPair.Index, of credential: String, for sequence: UInt64,
        _ place: String
    ) throws(SystemError) -> [UInt64] {
        guard isSupported else { return [] }
        let mark = known.withLock { $0[credential]?[slot.rawValue] ?? nil }
        let marks = mark.map { [$0] } ?? SlotMark.all(of: file)
        guard marks.contains(where: { $0 > sequence }) else { return marks }
        try SlotMark.clear(SlotMark.all(of: file), of: file, place)
        return []
    }

    /// Called when a record is durable. Sets the new mark first, so that the file always has one.
    func commit(
        _ sequence: UInt64, _ file: Int32, _ slot: SlotPair.Index, of credential: String,
        replacing marks: [UInt64]
    ) {
        guard isSupported, clinux_set_attribute(file, SlotMark.name(sequence)) == 0 else { return }
        for mark in marks where mark != sequence {
            _ = clinux_remove_attribute(file, SlotMark.name(mark))
        }
        known.withLock { $0[credential, default: [nil, nil]][slot.rawValue] = sequence }
    }

    func forget(_ credential: String) { known.withLock { $0[credential] = nil } }
}
