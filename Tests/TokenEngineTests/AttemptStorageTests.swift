import Testing
import TokenCore

@testable import TokenEngine

@Suite("Two records that alternate, on an emulated disk") struct AttemptStorageTests {
    private let world = RecordingWorld()

    private func storage() async throws -> AttemptStorage {
        try await AttemptStorage(
            of: "mail", world: world.attemptPorts, distrusted: DistrustedSlots())
    }

    private func record(_ sequence: UInt64, _ state: SlotRecord.State = .settled) -> SlotRecord {
        var grant = StoredGrant()
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
        let memory = LastKnown(grant: StoredGrant())
        _ = try await storage.recover(memory)
        try await storage.write(record(1), as: .adoption)
        #expect(sequences() == [1, nil])
        try await storage.write(record(2, .intent), as: .intent)
        #expect(sequences() == [1, 2])
        try await storage.write(record(3), as: .outcome)
        #expect(sequences() == [3, 2])
        var again = try await self.storage()
        #expect(try await again.recover(memory).winner?.contents.record.sequence == 3)
        try await again.write(record(4, .intent), as: .intent)
        #expect(sequences() == [3, 4])
    }

    @Test("a withdrawal takes the place of its intent; the record before it stays")
    func withdrawal() async throws {
        var storage = try await storage()
        try await storage.write(record(1), as: .adoption)
        try await storage.write(record(2, .intent), as: .intent)
        try await storage.write(record(2), as: .withdrawal)
        #expect(sequences() == [1, 2])
        #expect(world.pair("mail").winner?.contents.record.state == .settled)
    }

    @Test("a response lies beside its intent, and its record can be read again")
    func response() async throws {
        var storage = try await storage()
        try await storage.write(record(1), as: .adoption)
        try await storage.write(record(2, .intent), as: .intent)
        await storage.save(
            RawAnswer(status: 200, body: Array("{}".utf8)), to: record(2), roundTrip: .zero
        ) { _ in Issue.record("the disk failed") }
        let latest = try await storage.reread()
        #expect(latest?.record.sequence == 2)
        #expect(latest?.answer?.raw.status == 200)
    }

    @Test("an outcome that does not fit is left out: the response beside the intent says the same")
    func outcomeTooLarge() async throws {
        var storage = try await storage()
        try await storage.write(record(1, .intent), as: .intent)
        var large = record(2)
        large.grant.access = GrantedAccess(
            token: Secret(String(repeating: "x", count: 60_000)), sentAt: world.now(),
            lifetime: nil)
        try await storage.write(large, as: .outcome)
        #expect(sequences() == [1, nil])
        // An adoption has no response beside it: it makes room.
        try await storage.write(large, as: .adoption)
        #expect(sequences() == [1, 2])
    }

    @Test("what memory knows stands in for slots that vanished")
    func memory() async throws {
        var storage = try await storage()
        #expect(try await storage.recover(LastKnown(grant: StoredGrant())).winner == nil)
        var grant = StoredGrant()
        (grant.refreshToken, grant.generation) = (Secret("RT"), 3)
        let pair = try await storage.recover(LastKnown(grant: grant))
        #expect(pair.winner?.contents.record.grant.refreshToken == Secret("RT"))
    }
}
