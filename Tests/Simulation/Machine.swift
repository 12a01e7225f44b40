import TokenCore
import TokenEngine

/// What outlives a process: the disk, the token files, the clocks.
struct Machine {
    static let slotSize = 64 * 1024

    struct Slots {
        var files: [[UInt8]]
        /// Changes when files are replaced by copies, as their inodes would.
        var identity: Int
        /// The identity that was noted beside them; `nil` before the first note.
        var noted: Int?
        /// What told that they are old.
        var problem: String?
    }

    var slots: [String: Slots] = [:]
    /// What other programs read; gone after a reboot.
    var outputs: [String: PublishedMark] = [:]
    var backup: [String: Slots] = [:]
    private var identities = 0

    var boot = 1
    var bootedAt: Duration = .zero
    var wallOffset: Duration = .zero

    /// No write works, or none that needs space, until then.
    var brokenUntil: Duration = .zero
    var fullUntil: Duration = .zero
    var slowUntil: Duration = .zero
    var outputsBrokenUntil: Duration = .zero

    func moment(at time: Duration) -> Moment {
        Moment(
            uptime: Uptime(time - bootedAt + .seconds(20)),
            wall: WallTime(.seconds(1_795_000_000) + time + wallOffset), bootID: "boot-\(boot)")
    }

    /// What was read of each slot since it was last written.
    private var readings: [String: [SlotPair.State?]] = [:]

    mutating func pair(_ name: String) -> SlotPair {
        guard let files = slots[name]?.files else { return SlotPair(a: .empty, b: .empty) }
        var known = readings[name] ?? [nil, nil]
        for index in 0...1 where known[index] == nil {
            known[index] = SlotPair.state(of: files[index], credential: name)
        }
        readings[name] = known
        return SlotPair(a: known[0] ?? .empty, b: known[1] ?? .empty)
    }

    private mutating func forgetReading(_ index: Int, of name: String) {
        readings[name]?[index] = nil
    }

    /// Flips a bit.
    mutating func damage(_ name: String, _ index: Int, byte: Int, bit: UInt8) {
        forgetReading(index, of: name)
        slots[name]?.files[index][byte] ^= 1 << bit
    }

    mutating func removeSlots(_ name: String) {
        (slots[name], readings[name]) = (nil, nil)
    }

    mutating func makeSlots(_ name: String) {
        guard slots[name] == nil else { return }
        identities += 1
        let empty = [UInt8](repeating: 0, count: Self.slotSize)
        slots[name] = Slots(files: [empty, empty], identity: identities)
    }

    /// - Parameter sectors: Which sectors of 512 bytes of it reach the disk.
    mutating func write(
        _ bytes: [UInt8], at offset: Int, to index: Int, of name: String,
        sectors: (Int) -> Bool = { _ in true }
    ) {
        guard slots[name] != nil else { return }
        forgetReading(index, of: name)
        for start in stride(from: 0, to: bytes.count, by: 512) where sectors(start / 512) {
            let end = min(start + 512, bytes.count)
            slots[name]?.files[index].replaceSubrange(
                offset + start..<offset + end, with: bytes[start..<end])
        }
    }

    /// A backup comes back as other files, or written over the old ones.
    mutating func restore(_ name: String, inPlace: Bool) {
        guard let old = backup[name], let current = slots[name] else { return }
        identities += 1
        readings[name] = nil
        slots[name] = Slots(
            files: old.files, identity: inPlace ? current.identity : identities,
            noted: inPlace ? current.noted : old.noted,
            problem: inPlace ? current.problem : old.problem)
    }

    /// Whether a slot can be read that holds this text.
    mutating func holds(_ text: String, _ name: String) -> Bool {
        let pair = pair(name)
        return [pair.a, pair.b].contains { Self.holds(text, $0) }
    }

    static func holds(_ text: String, _ state: SlotPair.State) -> Bool {
        guard case .valid(let contents) = state else { return false }
        if contents.record.grant.refreshToken?.reveal() == text { return true }
        return contents.answer.map { contains($0.raw.body, text + "\"") } ?? false
    }

    /// Whether the bytes of an access token lie in a slot, wherever.
    func holdsAccess(_ text: String, _ name: String) -> Bool {
        (slots[name]?.files ?? []).contains { file in
            [0, SlotLayout.answerOffset(slotSize: Self.slotSize)].contains {
                Self.contains(file[$0..<$0 + 4096], text)
            }
        }
    }

    static func contains(_ bytes: some Collection<UInt8>, _ text: String) -> Bool {
        let wanted = Array(text.utf8)
        return bytes.withContiguousStorageIfAvailable { bytes in
            guard bytes.count >= wanted.count else { return false }
            return (0...bytes.count - wanted.count).contains { start in
                bytes[start] == wanted[0]
                    && wanted.indices.allSatisfy { bytes[start + $0] == wanted[$0] }
            }
        } ?? false
    }
}
