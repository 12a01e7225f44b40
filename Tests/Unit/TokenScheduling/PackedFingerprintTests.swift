import Testing

@testable import TokenConfiguration
@testable import TokenFormats
@testable import TokenScheduling
@testable import TokenSlots

@Suite("Fingerprints in memory") struct PackedFingerprintTests {
    private func packed(_ spent: [String], _ former: [String]) -> (CredentialRecord, Bool) {
        var record = Examples.held
        (record.spent, record.formerAccess) = (spent, former)
        let whole = record
        let packed = PackedFingerprints(takingFrom: &record)
        let isTaken = record.spent.isEmpty && record.formerAccess.isEmpty
        packed.restore(in: &record)
        #expect(record == whole)
        return (record, isTaken)
    }

    @Test("they are taken out of a record and put back as they were")
    func roundTrip() {
        let texts = ["0000000000000000", "00a1b2c3d4e5f607", "ffffffffffffffff"]
        #expect(packed(texts, texts.reversed()).1)
        #expect(packed([], []).1)
    }

    @Test("a list with any other text stays in the record")
    func otherTexts() {
        for text in ["", "+0a1b2c3d4e5f607", "00A1B2C3D4E5F607", "00a1b2c3d4e5f6070"] {
            #expect(!packed(["00a1b2c3d4e5f607", text], []).1)
        }
    }

    @Test("a lifecycle keeps them as numbers, and gives them back with its whole grant")
    func lifecycle() throws {
        var grant = Examples.held
        grant.spent = ["00a1b2c3d4e5f607"]
        let credential = try Examples.configuration(of: ["a"]).credentials[0]
        var life = CredentialLifecycle(credential)
        var random = RandomSource(seed: 1)
        guard case .recover(let ticket, _)? = life.start().first else {
            Issue.record("it does not begin with a recovery")
            return
        }
        _ = life.handle(
            .recovered(ticket, .grant(grant)), now: Examples.noon, mayAttempt: true,
            using: &random)
        #expect(life.grant.spent.isEmpty && life.wholeGrant == grant)
    }

    @Test("moments of one boot that are read from records share its text")
    func bootNames() throws {
        let json = Moment(
            uptime: Uptime(.seconds(1)), wall: WallTime(epochSeconds: 2),
            bootID: "6f1d1c9e-5d0e-4f0f-9f5b-000000000001"
        ).json
        let address = { (text: String) in
            text.utf8.withContiguousStorageIfAvailable { UInt(bitPattern: $0.baseAddress) }
        }
        let both = try (0..<2).map { _ in
            let read = try JSONReader.read(json.serialized())
            return try #require(Moment(json: read))
        }
        #expect(address(both[0].bootID) == address(both[1].bootID))
        #expect(both[0].bootID == "6f1d1c9e-5d0e-4f0f-9f5b-000000000001")
    }
}
