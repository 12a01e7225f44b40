internal import TokenConfiguration
internal import TokenControl
internal import TokenEngine
internal import TokenFormats
internal import TokenProviders
internal import TokenScheduling
internal import TokenSlots

/// What survives a process: the disk, the token files, the clocks.
///
/// Only this file knows how a state lies on the disk: the slots and their marks, the store that the
/// engine's attempts are made on, and the faults that touch single slots.
struct Machine {
    static let slotSize = 64 * 1024

    struct Slots {
        var files: [[UInt8]]
        /// Changes when files are replaced by copies, as their inodes would.
        var identity: Int
        /// The identity recorded in the note beside them; `nil` before the first note.
        var noted: Int?
        /// The recorded evidence that they are old.
        var distrust: Cause?
        /// The marks of the files, and those that a power cut would leave.
        var marks = SlotMarks()
        var durableMarks = SlotMarks()
        var markedAt: Duration = .zero
    }

    var slots: [String: Slots] = [:]
    /// The token files; lost at a reboot.
    var outputs: [String: Secret] = [:]
    var backup: [String: Slots] = [:]
    private var identities = 0

    var boot = 1
    var bootedAt: Duration = .zero
    var wallOffset: Duration = .zero

    /// Until when no write succeeds, or none that needs space.
    var brokenUntil: Duration = .zero
    var fullUntil: Duration = .zero
    var slowUntil: Duration = .zero
    var outputsBrokenUntil: Duration = .zero

    func moment(at time: Duration) -> Moment {
        Moment(
            uptime: Uptime(time - bootedAt + .seconds(20)),
            wall: WallTime(.seconds(1_795_000_000) + time + wallOffset), bootID: "boot-\(boot)")
    }

    /// The parsed contents of each slot since its last write.
    private var readings: [String: [SlotPair.State?]] = [:]

    mutating func pair(_ name: String) -> SlotPair {
        guard let files = slots[name]?.files else { return SlotPair(a: .empty, b: .empty) }
        var known = readings[name] ?? [nil, nil]
        for index in 0...1 where known[index] == nil {
            known[index] = SlotPair.state(of: files[index], credential: name)
        }
        readings[name] = known
        return SlotPair(
            a: known[0] ?? .empty, b: known[1] ?? .empty,
            marks: slots[name]?.marks ?? SlotMarks())
    }

    /// A journal commits within half a minute.
    private static let flushedAfter: Duration = .seconds(30)

    /// Sets the mark of a file whose record is on disk.
    mutating func mark(_ sequence: UInt64, _ index: Int, of name: String, at time: Duration) {
        guard var slot = slots[name] else { return }
        if time - slot.markedAt > Self.flushedAfter { slot.durableMarks = slot.marks }
        slot.marks[keyPath: index == 0 ? \SlotMarks.a : \.b] = sequence
        slot.markedAt = time
        slots[name] = slot
    }

    /// Removes the marks durably.
    mutating func clearMarks(_ name: String) {
        slots[name]?.marks = SlotMarks()
        slots[name]?.durableMarks = SlotMarks()
    }

    /// - Parameter isLost: Whether marks that the journal has not committed are lost too.
    mutating func losePower(at time: Duration, isLost: (String) -> Bool) {
        for name in slots.keys.sorted() {
            guard var slot = slots[name] else { continue }
            if time - slot.markedAt <= Self.flushedAfter, isLost(name) {
                slot.marks = slot.durableMarks
            }
            slot.durableMarks = slot.marks
            slots[name] = slot
        }
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

    /// - Parameter sectors: Which of its sectors of 512 bytes reach the disk.
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

    /// Restores a backup as new files, or by overwriting the old ones, which keep their marks.
    mutating func restore(_ name: String, inPlace: Bool) {
        guard let old = backup[name], let current = slots[name] else { return }
        identities += 1
        readings[name] = nil
        var new = inPlace ? current : old
        new.files = old.files
        if !inPlace { new.identity = identities }
        // Includes `.origin`, the note beside the slots.
        (new.noted, new.distrust) = (old.noted, old.distrust)
        slots[name] = new
    }

    /// Whether a readable slot contains this text.
    mutating func holds(_ text: String, _ name: String) -> Bool {
        let pair = pair(name)
        return [pair.a, pair.b].contains { Self.holds(text, $0) }
    }

    /// Whether a slot holds a refresh token that another one displaced.
    mutating func keeps(_ text: String, _ name: String) -> Bool {
        let pair = pair(name)
        return [pair.a, pair.b].contains { state in
            guard case .valid(let contents) = state else { return false }
            let grant = contents.record.grant
            let kept = [grant.previousRefreshToken, grant.setAsideToken?.token]
            return kept.contains { $0?.reveal() == text }
        } || holds(text, name)
    }

    static func holds(_ text: String, _ state: SlotPair.State) -> Bool {
        guard case .valid(let contents) = state else { return false }
        if contents.record.grant.refreshToken?.reveal() == text { return true }
        return contents.response.map { contains($0.raw.body, text + "\"") } ?? false
    }

    /// Whether the bytes of an access token are anywhere in a slot.
    func holdsAccess(_ text: String, _ name: String) -> Bool {
        (slots[name]?.files ?? []).contains { file in
            [0, SlotLayout.responseOffset(slotSize: Self.slotSize)].contains {
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

extension Life: SlotStore {
    var slotSize: Int { Machine.slotSize }

    private func mustWork(_ what: String) throws(StorageFailure) {
        guard !hasExpired, simulation.machine.brokenUntil > simulation.now else { return }
        throw StorageFailure("simulated: cannot \(what): Input/output error")
    }

    func read(_ credential: String) async throws(StorageFailure) -> SlotPair {
        await wait(simulation.diskDelay())
        try mustWork("read \(credential)")
        return simulation.machine.pair(credential)
    }

    func open(_ credential: String) async throws(StorageFailure) -> any OpenSlots {
        await wait(simulation.diskDelay())
        simulation.operation(self)
        try mustWork("open \(credential)")
        if simulation.machine.slots[credential] == nil {
            guard hasExpired || simulation.machine.fullUntil <= simulation.now else {
                throw StorageFailure("simulated: cannot make slots: No space left on device")
            }
            if !hasExpired { simulation.machine.makeSlots(credential) }
        }
        if !hasExpired, try await origin(of: credential) == .own { noteOrigin(credential) }
        return LifeSlots(life: self, name: credential)
    }

    func names() async throws(StorageFailure) -> [String] {
        simulation.machine.slots.keys.sorted()
    }

    private func noteOrigin(_ credential: String) {
        guard !hasExpired, let identity = simulation.machine.slots[credential]?.identity else {
            return
        }
        simulation.machine.slots[credential]?.noted = identity
        simulation.machine.slots[credential]?.distrust = nil
    }

    func origin(of credential: String) async throws(StorageFailure) -> SlotOrigin {
        try mustWork("look at \(credential)")
        guard let slots = simulation.machine.slots[credential], let noted = slots.noted else {
            return .own
        }
        if let cause = slots.distrust { return .foreign(cause) }
        let copied = Cause(.stateCopied, CauseFacts(detail: "simulated: a copy"))
        return noted == slots.identity ? .own : .foreign(copied)
    }

    func accept(_ credential: String) async throws(StorageFailure) {
        decide("accept", [credential])
        await wait(simulation.diskDelay())
        try mustWork("accept \(credential)")
        guard !hasExpired else { return }
        if simulation.machine.pair(credential).isUnreadable {
            simulation.machine.removeSlots(credential)
        }
        simulation.machine.clearMarks(credential)
        noteOrigin(credential)
    }

    func distrust(_ credential: String, _ cause: Cause) async throws(StorageFailure) {
        decide("distrust", [credential, cause.kind.rawValue])
        await wait(simulation.diskDelay())
        simulation.operation(self)
        try mustWork("distrust \(credential)")
        if !hasExpired { simulation.machine.slots[credential]?.distrust = cause }
    }

    func erase(_ credential: String) async throws(StorageFailure) {
        decide("erase", [credential])
        try mustWork("erase \(credential)")
        if !hasExpired { simulation.machine.removeSlots(credential) }
    }

    /// Nothing is erased in a simulation.
    func spentTraces() async throws(StorageFailure) -> [String: SpentTraces] { [:] }
    func keep(_ traces: SpentTraces, of credential: String) async throws(StorageFailure) {
        decide("keep", [credential, String(traces.count)])
    }
}

/// Writes take time and can fail; a failed write leaves a part of its bytes.
final class LifeSlots: OpenSlots {
    let life: Life
    let name: String
    init(life: Life, name: String) { (self.life, self.name) = (life, name) }

    func read() async throws(StorageFailure) -> SlotPair { try await life.read(name) }

    func write(
        _ bytes: [UInt8], at offset: Int, to slot: SlotPair.Index, sequence: UInt64?
    ) async throws(StorageFailure) {
        let simulation = life.simulation
        guard !life.hasExpired else { return }
        simulation.decisions.noteWrite(
            simulation.now, name, slot: slot.rawValue, bytes: bytes, isRecord: offset == 0)
        let id = simulation.nextWrite()
        life.writes[id] = (bytes, offset, slot.rawValue, name)
        simulation.operation(life)
        await life.wait(simulation.diskDelay())
        guard !life.hasExpired else { return }
        life.writes[id] = nil
        if simulation.machine.brokenUntil > simulation.now || simulation.takeWriteFailure() {
            simulation.tear((bytes, offset, slot.rawValue, name))
            throw StorageFailure("simulated: cannot save \(name): Input/output error")
        }
        simulation.machine.write(bytes, at: offset, to: slot.rawValue, of: name)
        simulation.wrote(bytes, name)
        simulation.operation(life)
        // A separate operation after the write: a crash may happen between them.
        guard !life.hasExpired, let sequence else { return }
        simulation.machine.mark(sequence, slot.rawValue, of: name, at: simulation.now)
        simulation.operation(life)
    }

    func close() {}
}

extension Simulation {
    /// Bits flip in a slot whose counterpart is complete.
    func rot() {
        let name = randomName()
        guard let account = accounts[name], account.excuse == nil, machine.slots[name] != nil,
            life?.writes.values.contains(where: { $0.name == name }) != true,
            account.inFlight.isEmpty
        else { return }
        let pair = machine.pair(name)
        let index = Int.random(in: 0...1, using: &random)
        guard let winner = pair.winner?.contents,
            case .valid(let other) = index == 0 ? pair.b : pair.a,
            other.record.grant.refreshToken == winner.record.grant.refreshToken,
            account.kind.rotates ? winner.record.grant.refreshToken?.reveal() == account.live : true
        else { return }
        for _ in 0..<3 {
            let byte = Int.random(in: 0..<600, using: &random)
            let bit = UInt8.random(in: 0...7, using: &random)
            machine.damage(name, index, byte: byte, bit: bit)
        }
        report.count("a bit of a slot flipped")
    }

    /// Whether a client can detect that this state is old: by other files, or by marks of a later
    /// record than the files contain.
    func isTold(_ name: String) -> Bool {
        guard let slots = machine.slots[name] else { return false }
        if slots.distrust != nil { return true }
        if let noted = slots.noted, noted != slots.identity { return true }
        let pair = machine.pair(name)
        // With an unreadable slot the client decides.
        guard let winner = pair.winner, case (.valid, .valid) = (pair.a, pair.b) else {
            return pair.lostSequence != nil
        }
        return max(pair.marks.a, pair.marks.b) > winner.contents.record.sequence
    }
}
