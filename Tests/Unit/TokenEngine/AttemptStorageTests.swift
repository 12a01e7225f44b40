import Synchronization
import Testing

@testable import TokenEngine
@testable import TokenFormats
@testable import TokenProviders
@testable import TokenSlots

@Suite("Two records that alternate, on an emulated disk") struct AttemptStorageTests {
    private let world = RecordingWorld()

    private func storage() async throws -> any OpenAttempt { try await world.begin("mail") }

    private func record(_ sequence: UInt64, _ state: SlotRecord.State = .settled) -> SlotRecord {
        var grant = CredentialRecord()
        grant.refreshToken = Secret("RT-\(sequence)")
        return SlotRecord(
            sequence: sequence, state: state, attemptID: "a\(sequence)", kind: .refresh,
            sentAt: world.now(), grant: grant)
    }

    private func sequences() -> [UInt64?] {
        let pair = world.pair("mail")
        return [pair.a, pair.b].map { state in
            if case .valid(let contents) = state { contents.record.sequence } else { nil }
        }
    }

    @Test("a record never overwrites the newest one, also when the storage is opened again")
    func alternate() async throws {
        var storage = try await storage()
        _ = try await storage.recover()
        try await storage.settle(record(1), as: .adoption)
        #expect(sequences() == [1, nil])
        try await storage.beginIntent(record(2, .intent))
        #expect(sequences() == [1, 2])
        try await storage.settle(record(3), as: .outcome)
        #expect(sequences() == [3, 2])
        var again = try await self.storage()
        #expect(try await again.recover().records.map(\.sequence) == [3, 2])
        try await again.beginIntent(record(4, .intent))
        #expect(sequences() == [3, 4])
    }

    @Test("a withdrawal takes the place of its intent; the record before it stays")
    func withdrawal() async throws {
        var storage = try await storage()
        try await storage.settle(record(1), as: .adoption)
        try await storage.beginIntent(record(2, .intent))
        try await storage.settle(record(2), as: .withdrawal)
        #expect(sequences() == [1, 2])
        #expect(world.pair("mail").winner?.contents.record.state == .settled)
    }

    @Test("a response lies beside its intent, and its record can be read again")
    func response() async throws {
        var storage = try await storage()
        try await storage.settle(record(1), as: .adoption)
        try await storage.beginIntent(record(2, .intent))
        let raw = RawResponse(status: 200, body: Array("{}".utf8))
        try await storage.saveResponse(raw, to: record(2), roundTrip: .zero)
        let stored = try await storage.recover()
        #expect(stored.intent == record(2, .intent))
        #expect(stored.response?.raw == raw)
        #expect(stored.records.map(\.sequence) == [2, 1])
    }

    @Test("I5: a response is tried again through new descriptors, a record in its old slot")
    func failedWrites() async throws {
        var storage = try await storage()
        try await storage.settle(record(1), as: .adoption)
        world.state.withLock { $0.failingWrites = [2, 4] }
        await #expect(throws: StorageFailure.self) {
            try await storage.beginIntent(record(2, .intent))
        }
        // What the slot holds now may be nowhere but in memory.
        #expect(try await storage.recover().records.map(\.sequence) == [1])
        try await storage.beginIntent(record(2, .intent))
        let raw = RawResponse(status: 200, body: Array("{}".utf8))
        await #expect(throws: StorageFailure.self) {
            try await storage.saveResponse(raw, to: record(2), roundTrip: .zero)
        }
        try await storage.saveResponse(raw, to: record(2), roundTrip: .zero)
        #expect(world.deeds.filter { $0 == .opened("mail") }.count == 2)
        #expect(try await storage.recover().response?.raw == raw)
        #expect(sequences() == [1, 2])
    }

    @Test("an outcome that does not fit is left out: the response beside the intent says the same")
    func outcomeTooLarge() async throws {
        var storage = try await storage()
        try await storage.beginIntent(record(1, .intent))
        var large = record(2)
        large.grant.access = GrantedAccess(
            token: Secret(String(repeating: "x", count: 60_000)), sentAt: world.now(),
            lifetime: nil)
        try await storage.settle(large, as: .outcome)
        #expect(sequences() == [1, nil])
        // An adoption has no response beside it: it makes room.
        try await storage.settle(large, as: .adoption)
        #expect(sequences() == [1, 2])
    }

    @Test(
        "what memory knows stands in for a state that vanished, and is followed in the other slot")
    func memory() async throws {
        var storage = try await storage()
        let empty = try await storage.recover()
        let nothing = LastKnown(grant: CredentialRecord())
        #expect(nothing.completing(empty, now: world.now) == AttemptEvidence())
        var grant = CredentialRecord()
        (grant.refreshToken, grant.generation) = (Secret("RT"), 3)
        let latest = LastKnown(grant: grant).completing(empty, now: world.now).latest
        #expect(latest?.grant.refreshToken == Secret("RT"))
        #expect(latest?.sequence == 1)
        try await storage.beginIntent(record(2, .intent))
        #expect(sequences() == [nil, 2])
    }
}
