package import TokenFormats
internal import TokenProviders
package import TokenSlots

// Below the storage port: an ``AttemptStore`` over two slot files for each credential. The state
// directory, the tests and the simulation differ only in how they read and write these files.

/// The slot files of every credential.
package protocol SlotStore: AttemptStore {
    /// Bytes of one slot file; this limits the stored response.
    var slotSize: Int { get }
    /// One for each process.
    var distrusted: DistrustedSlots { get }
    /// The contents of the slots and their marks; creates no files.
    func read(_ credential: String) async throws(StorageFailure) -> SlotPair
    /// Opens both slots for one attempt; creates and preallocates missing ones first, so that a
    /// full disk cannot fail the attempt's later writes.
    func open(_ credential: String) async throws(StorageFailure) -> any OpenSlots
}

/// Two open slot files. Every write is durable (fdatasync) when it returns.
package protocol OpenSlots: Sendable {
    /// Both slots and their marks, read from disk again.
    func read() async throws(StorageFailure) -> SlotPair
    /// - Parameters:
    ///   - bytes: What is written, in whole blocks.
    ///   - offset: Where in the file, in bytes.
    ///   - slot: The slot to write to.
    ///   - sequence: The sequence of the written record, which becomes the slot's mark
    ///     (`SlotMarks`); `nil` for a response. A mark that cannot be set is not an error.
    func write(_ bytes: [UInt8], at offset: Int, to slot: SlotPair.Index, sequence: UInt64?)
        async throws(StorageFailure)
    /// Closes both files. Call it once, whatever was written.
    func close()
}

extension SlotStore {
    /// As `AttemptStore` says.
    package func evidence(
        of credential: String
    ) async throws(StorageFailure) -> AttemptEvidence { try await read(credential).evidence }

    /// As `AttemptStore` says.
    package func begin(_ credential: String) async throws(StorageFailure) -> any OpenAttempt {
        SlotAttempt(of: credential, in: self, slots: try await open(credential))
    }
}

/// Slots whose last write failed. What is read from them may exist in the page cache only, in pages
/// that are marked clean (I5): they count as damaged until a write to them succeeds.
package actor DistrustedSlots {
    private var slots: [String: SlotPair.Index] = [:]

    /// Without any such slot, as at the start of a process.
    package init() {}

    func distrust(_ index: SlotPair.Index, of credential: String) { slots[credential] = index }
    func trust(_ credential: String) { slots[credential] = nil }

    func exclude(from pair: inout SlotPair, of credential: String) {
        switch slots[credential] {
        case .a where pair.b != .empty: pair.a = .damaged
        case .b where pair.a != .empty: pair.b = .damaged
        // The other one was never written: this is a first attempt, to be repeated from an empty
        // state.
        case .a: pair.a = .empty
        case .b: pair.b = .empty
        case nil: break
        }
    }
}

/// One attempt on two open slot files: ``SlotAlternation`` says what is written where.
struct SlotAttempt: OpenAttempt {
    private let credential: String
    private let store: any SlotStore
    private let slots: any OpenSlots
    private var alternation: SlotAlternation
    /// The same files through new descriptors, after a response could not be saved.
    private var reopened: (any OpenSlots)?
    private var isUnsaved = false

    init(of credential: String, in store: any SlotStore, slots: any OpenSlots) {
        (self.credential, self.store, self.slots) = (credential, store, slots)
        alternation = SlotAlternation(credential: credential, slotSize: store.slotSize)
    }

    mutating func recover() async throws(StorageFailure) -> AttemptEvidence {
        var pair = try await slots.read()
        await store.distrusted.exclude(from: &pair, of: credential)
        alternation.note(pair)
        return pair.evidence
    }

    mutating func beginIntent(_ record: SlotRecord) async throws(StorageFailure) {
        try await write(alternation.intent(record))
    }

    mutating func settle(
        _ record: SlotRecord, as purpose: AttemptMachine.RecordWrite
    ) async throws(StorageFailure) {
        let write = alternation.settled(record, as: purpose)
        // The response beside the intent contains everything.
        if write == nil, purpose == .outcome { return }
        try await self.write(write)
    }

    private mutating func write(_ write: SlotWrite?) async throws(StorageFailure) {
        guard let write else { throw StorageFailure(Cause(.slotTooSmall)) }
        do throws(StorageFailure) { try await perform(write, in: slots) } catch {
            await store.distrusted.distrust(write.slot, of: credential)
            throw error
        }
        alternation.note(write)
        await store.distrusted.trust(credential)
    }

    mutating func saveResponse(
        _ raw: RawResponse, to record: SlotRecord, roundTrip: Duration
    ) async throws(StorageFailure) {
        // The same pages are no proof after an error (I5): through a new descriptor.
        if isUnsaved, let fresh = try? await store.open(credential) {
            reopened?.close()
            reopened = fresh
        }
        isUnsaved = true
        let write = alternation.response(raw, to: record, roundTrip: roundTrip)
        try await perform(write, in: reopened ?? slots)
        isUnsaved = false
        reopened?.close()
        reopened = nil
    }

    private func perform(_ write: SlotWrite, in slots: any OpenSlots) async throws(StorageFailure) {
        try await slots.write(
            write.bytes, at: write.offset, to: write.slot, sequence: write.sequence)
    }

    func release() {
        reopened?.close()
        slots.close()
    }
}
