import Testing

@testable import TokenConfiguration
@testable import TokenFormats
@testable import TokenProviders
@testable import TokenSlots

@Suite("Slots") struct SlotTests {
    static let size = 64 * 1024

    static func record(_ sequence: UInt64, _ token: String) -> SlotRecord {
        var grant = CredentialRecord()
        grant.refreshToken = Secret(token)
        grant.generation = Int64(sequence)
        return SlotRecord(
            sequence: sequence, state: .intent, attemptID: "attempt-\(sequence)", kind: .refresh,
            sentAt: Examples.noon, grant: grant)
    }

    static func slot(_ record: SlotRecord, answer: RawResponse? = nil) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: size)
        let head = try #require(
            SlotLayout.encode(record, credential: "mail", slotSize: size))
        bytes.replaceSubrange(0..<head.count, with: head)
        if let answer {
            let tail = SlotLayout.encode(
                answer, attemptID: record.attemptID, roundTrip: .milliseconds(5),
                credential: "mail", slotSize: size)
            let offset = SlotLayout.responseOffset(slotSize: size)
            bytes.replaceSubrange(offset..<offset + tail.count, with: tail)
        }
        return bytes
    }

    static let answer = Examples.answer(
        200, #"{"access_token":"AT","expires_in":60,"refresh_token":"RT-2"}"#,
        headers: [("Date", "Sun, 06 Nov 1994 08:49:37 GMT")])

    @Test("what is written is read back, answer included")
    func roundTrip() throws {
        let record = Self.record(7, "RT-1")
        let contents = try #require(
            SlotContents(bytes: try Self.slot(record, answer: Self.answer), credential: "mail"))
        #expect(contents.record == record)
        #expect(contents.response == StoredResponse(raw: Self.answer, roundTrip: .milliseconds(5)))
    }

    @Test("a whole grant survives: tokens, history, clocks, odd bytes")
    func wholeGrant() throws {
        var record = Self.record(1, "RT\u{0}\u{1F600}\"\\")
        record.grant.access = GrantedAccess(
            token: Secret("AT"), tokenType: "Bearer", scope: "a b", sentAt: Examples.noon,
            lifetime: .seconds(60), roundTrip: .milliseconds(7),
            keep: [JSONMember("instance_url", "https://x.example")])
        record.grant.refreshTokenSince = Examples.noon
        record.grant.refreshTokenLifetime = .days(60)
        record.grant.isRefreshTokenRefused = true
        record.grant.isKnownStatic = true
        record.grant.initialTokenFingerprints = ["aa", "bb"]
        record.grant.attempts.failures = 3
        record.grant.attempts.ambiguousAttempts = 2
        record.grant.attempts.reauthResponses = 1
        record.grant.attempts.firstReauthAt = Examples.noon
        record.grant.attempts.lastAttemptAt = Examples.noon
        record.grant.attempts.lastError = StoredError(
            failureClass: .rateLimited, httpStatus: 429, problem: "p", at: Examples.noon.wall,
            retryAfter: .seconds(5))
        record.grant.attempts.isLoginRequired = true
        let contents = SlotContents(bytes: try Self.slot(record), credential: "mail")
        #expect(contents?.record == record)
    }

    @Test("an answer to another attempt is no answer to this one")
    func staleAnswer() throws {
        var bytes = try Self.slot(Self.record(7, "RT-1"), answer: Self.answer)
        let newer = try #require(
            SlotLayout.encode(Self.record(9, "RT-2"), credential: "mail", slotSize: Self.size))
        bytes.replaceSubrange(0..<newer.count, with: newer)
        let contents = try #require(SlotContents(bytes: bytes, credential: "mail"))
        #expect(contents.record.sequence == 9)
        #expect(contents.response == nil)
    }

    @Test("a slot of another credential is no valid slot")
    func foreign() throws {
        let bytes = try Self.slot(Self.record(1, "RT-1"))
        #expect(SlotContents(bytes: bytes, credential: "drive") == nil)
    }

    @Test(
        "I3: each single bit of the written part flipped: never another token, the other slot wins")
    func bitRot() throws {
        let old = try Self.slot(Self.record(6, "RT-1"), answer: nil)
        let good = try Self.slot(Self.record(7, "RT-1"), answer: Self.answer)
        let offset = SlotLayout.responseOffset(slotSize: Self.size)
        let written = Array(0..<1024) + Array(offset..<offset + 512)
        let profile = try Examples.credential().profile
        for index in written {
            for bit in 0..<8 {
                var bytes = good
                bytes[index] ^= 1 << UInt8(bit)
                let pair = SlotPair(
                    a: SlotPair.state(of: old, credential: "mail"),
                    b: SlotPair.state(of: bytes, credential: "mail"))
                let grant = try #require(pair.winner?.contents.grant(profile: profile))
                let token = grant.refreshToken?.reveal()
                #expect(token == "RT-1" || token == "RT-2", "byte \(index) bit \(bit)")
                // If its newest answer is damaged, the old token must be known as maybe spent.
                if pair.winner?.index == .b, token == "RT-1" {
                    #expect(grant.attempts.ambiguousAttempts == 1, "byte \(index) bit \(bit)")
                }
            }
        }
    }

    @Test(
        "I3: a power cut after any 512-byte block of any write leaves RT(g) known spent, or RT(g+1)"
    )
    func tornWrites() throws {
        let profile = try Examples.credential().profile
        let before = try Self.slot(Self.record(6, "RT-1"))
        let target = try Self.slot(Self.record(5, "RT-0"), answer: Self.answer)
        let intent = try #require(
            SlotLayout.encode(Self.record(7, "RT-1"), credential: "mail", slotSize: Self.size))
        var withIntent = target
        withIntent.replaceSubrange(0..<intent.count, with: intent)
        let raw = SlotLayout.encode(
            Self.answer, attemptID: "attempt-7", roundTrip: .zero, credential: "mail",
            slotSize: Self.size)
        let offset = SlotLayout.responseOffset(slotSize: Self.size)
        // Any subset of a write's blocks may have reached the disk.
        func subsets(
            _ write: [UInt8], at offset: Int, over image: [UInt8], _ check: ([UInt8]) throws -> Void
        ) rethrows {
            let blocks = (write.count + 511) / 512
            for mask in 0..<(1 << min(blocks, 10)) {
                var image = image
                for block in 0..<blocks where mask & (1 << min(block, 9)) != 0 {
                    let range = block * 512..<min((block + 1) * 512, write.count)
                    image.replaceSubrange(
                        offset + range.lowerBound..<offset + range.upperBound, with: write[range])
                }
                try check(image)
            }
        }
        func grant(_ bytes: [UInt8]) -> CredentialRecord? {
            SlotPair(
                a: SlotPair.state(of: before, credential: "mail"),
                b: SlotPair.state(of: bytes, credential: "mail")
            ).winner?.contents.grant(profile: profile)
        }
        subsets(intent, at: 0, over: target) { image in
            #expect(grant(image)?.refreshToken?.reveal() == "RT-1")
        }
        subsets(raw, at: offset, over: withIntent) { image in
            let found = grant(image)
            let isOld =
                found?.refreshToken?.reveal() == "RT-1" && found?.attempts.ambiguousAttempts == 1
            #expect(isOld || found?.refreshToken?.reveal() == "RT-2")
        }
    }

    @Test("a body over 48 KiB is cut there and says so; headers give way to it")
    func largeBody() throws {
        var answer = Self.answer
        answer.body = [UInt8](repeating: 0x61, count: 100_000)
        answer.headers = (0..<100).map {
            HeaderField("Header-\($0)", String(repeating: "v", count: 90))
        }
        let bytes = try Self.slot(Self.record(1, "RT-1"), answer: answer)
        #expect(bytes.count == Self.size)
        let stored = try #require(SlotContents(bytes: bytes, credential: "mail")?.response)
        #expect(stored.raw.body.count == SlotLayout.maximumBody)
        #expect(stored.raw.isTruncated)
    }

    @Test("a record too large for its region is refused, not cut")
    func largeRecord() {
        let record = Self.record(1, String(repeating: "x", count: 20_000))
        #expect(SlotLayout.encode(record, credential: "mail", slotSize: Self.size) == nil)
        #expect(SlotLayout.encode(record, credential: "mail", slotSize: 2 * Self.size) != nil)
    }

    @Test("a larger slot_size leaves what was written before readable")
    func grown() throws {
        let bytes = try Self.slot(Self.record(1, "RT-1"), answer: Self.answer)
        let grown = bytes + [UInt8](repeating: 0, count: Self.size)
        #expect(SlotContents(bytes: grown, credential: "mail")?.response?.raw == Self.answer)
    }

    @Test("zeros are an empty slot, anything else unreadable is a damaged one")
    func states() {
        #expect(SlotPair.state(of: nil, credential: "mail") == .empty)
        #expect(SlotPair.state(of: [0, 0], credential: "mail") == .empty)
        #expect(SlotPair.state(of: [0, 1], credential: "mail") == .damaged)
        // A torn first write: nothing was sent, and the other slot was never written.
        #expect(!SlotPair(a: .empty, b: .damaged).isUnreadable)
        #expect(SlotPair(a: .damaged, b: .damaged).isUnreadable)
        #expect(!SlotPair(a: .empty, b: .empty).isUnreadable)
    }
}
