internal import TokenCore

/// The storage of one attempt, in the terms of the rotation protocol. Only this type knows which
/// slot a record goes to, and its layout there.
///
/// Two records alternate: a new one overwrites the older, so that the newest complete one survives
/// a failed write of its successor.
struct AttemptStorage {
    /// Pause between two tries to save a response: short enough to use a disk that is free again,
    /// long enough to limit journal entries.
    private static let savePause: Duration = .seconds(1)

    let credential: String
    let world: AttemptPorts
    let distrusted: DistrustedSlots
    private let slots: any OpenSlots
    /// Which slot has the newest record; `nil` while there is none.
    private var newest: SlotPair.Index?
    private var newestSequence: UInt64 = 0

    init(
        of credential: String, world: AttemptPorts, distrusted: DistrustedSlots
    ) async throws(StorageFailure) {
        (self.credential, self.world, self.distrusted) = (credential, world, distrusted)
        slots = try await world.slots.open(credential)
    }

    /// The contents of the slots, except one whose last write failed; from memory if they are
    /// empty.
    mutating func recover(_ memory: LastKnown) async throws(StorageFailure) -> SlotPair {
        var pair = try await slots.read()
        await distrusted.exclude(from: &pair, of: credential)
        if pair.winner == nil, let kept = memory.pair(at: world.clock.now()) { pair = kept }
        pair = pair.recalling(memory.grant.access)
        note(pair.winner)
        return pair
    }

    /// The newest record as it is now, with the response to it.
    mutating func reread() async throws(StorageFailure) -> SlotContents? {
        let winner = try await slots.read().winner
        note(winner)
        return winner?.contents
    }

    private mutating func note(_ winner: (contents: SlotContents, index: SlotPair.Index)?) {
        newest = winner?.index
        newestSequence = winner?.contents.record.sequence ?? 0
    }

    /// The record is on disk when this returns.
    mutating func write(
        _ record: SlotRecord, as purpose: AttemptMachine.RecordWrite
    ) async throws(StorageFailure) {
        switch purpose {
        case .intent, .notice, .adoption:
            try await append(record, encoded: encodedWithRoom(record))
        case .withdrawal:
            try await write(encodedWithRoom(record), of: record, to: newest ?? .a)
        case .outcome:
            // The response beside the intent contains everything.
            guard let bytes = encoded(record) else { return }
            try await append(record, encoded: bytes)
        }
    }

    private mutating func append(
        _ record: SlotRecord, encoded bytes: [UInt8]?
    ) async throws(StorageFailure) {
        assert(
            record.sequence > newestSequence, "a record is not newer than the one that it follows")
        let index = newest?.other ?? .a
        try await write(bytes, of: record, to: index)
        (newest, newestSequence) = (index, record.sequence)
    }

    private func write(
        _ bytes: [UInt8]?, of record: SlotRecord, to index: SlotPair.Index
    ) async throws(StorageFailure) {
        guard let bytes else { throw StorageFailure(Cause(.slotTooSmall)) }
        do throws(StorageFailure) {
            try await slots.write(bytes, at: 0, to: index, sequence: record.sequence)
        } catch {
            await distrusted.distrust(index, of: credential)
            throw error
        }
        await distrusted.trust(credential)
    }

    private func encoded(_ record: SlotRecord) -> [UInt8]? {
        SlotLayout.encode(record, credential: credential, slotSize: world.slots.slotSize)
    }

    /// Leaves out first the kept values, then the access token, which can be obtained again, then
    /// tokens that are not in use; never the refresh token in use.
    private func encodedWithRoom(_ record: SlotRecord) -> [UInt8]? {
        if let bytes = encoded(record) { return bytes }
        var record = record
        record.grant.access?.keep = []
        if let bytes = encoded(record) { return bytes }
        record.grant.leaveAccessOut()
        record.grant.elsewhere = nil
        return encoded(record)
    }

    /// The commit point (I3). A response that cannot be saved is held and tried again until the
    /// disk takes it: asking the server again could only lose it (I6).
    ///
    /// - Parameter onFailure: Called after each failed try, before the pause.
    func save(
        _ raw: RawAnswer, to record: SlotRecord, roundTrip: Duration,
        onFailure: (Cause) async -> Void
    ) async {
        let size = world.slots.slotSize
        let bytes = SlotLayout.encode(
            raw, attemptID: record.attemptID, roundTrip: roundTrip, credential: credential,
            slotSize: size)
        let offset = SlotLayout.answerOffset(slotSize: size)
        var reopened: (any OpenSlots)?
        defer { reopened?.close() }
        while true {
            do throws(StorageFailure) {
                return try await (reopened ?? slots).write(
                    bytes, at: offset, to: newest ?? .a, sequence: nil)
            } catch {
                await onFailure(error.cause)
                await world.pause(Self.savePause)
                // The same pages are no proof after an error (I5): through a new descriptor.
                if let fresh = try? await world.slots.open(credential) {
                    reopened?.close()
                    reopened = fresh
                }
            }
        }
    }

    func release() { slots.close() }
}
