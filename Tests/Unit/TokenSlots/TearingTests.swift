import Testing

@testable import TokenConfiguration
@testable import TokenFormats
@testable import TokenProviders
@testable import TokenSlots

/// A disk with two slots that loses power during any write, with any subset of its sectors written.
/// Each write is flushed, so only the last one can be torn.
@Suite("Slots after a power cut: every write torn in every way") struct TearingTests {
    private static let size = 64 * 1024
    private static let sector = 512

    /// The two files, up to the end of what is ever written.
    private struct Disk {
        var files: [[UInt8]]
        var pair: SlotPair {
            let states = files.map { SlotPair.state(of: $0, credential: "mail") }
            return SlotPair(a: states[0], b: states[1])
        }
        mutating func write(_ bytes: [UInt8], _ offset: Int, _ index: SlotPair.Index, _ set: Int) {
            for start in stride(from: 0, to: bytes.count, by: TearingTests.sector)
            where set >> (start / TearingTests.sector) & 1 == 1 {
                let end = min(start + TearingTests.sector, bytes.count)
                files[index.rawValue].replaceSubrange(
                    offset + start..<offset + end, with: bytes[start..<end])
            }
        }
    }

    /// What must hold for the disk during and after a write.
    private struct Promise {
        /// Refresh tokens that recovery may find.
        var tokens: Set<String>
        /// Whether a request with the first of them may have been sent.
        var isSent: Bool
    }

    private var states = 0
    private var disk = Disk(files: Array(repeating: Array(repeating: 0, count: size), count: 2))
    private let profile: ProviderProfile

    init() throws {
        profile = try Examples.credential(
            providers: Examples.rfc(lifecycle: #"{"refresh_token": "rotating"}"#)
        ).profile
    }

    /// Checks the disk with each subset of the write's sectors, then completes the write.
    private mutating func write(
        _ bytes: [UInt8], at offset: Int, to index: SlotPair.Index, _ promise: Promise
    ) throws {
        let sectors = (bytes.count + Self.sector - 1) / Self.sector
        try #require(sectors <= 12)
        for set in 0..<1 << sectors {
            var torn = disk
            torn.write(bytes, offset, index, set)
            states += 1
            check(torn.pair, promise)
        }
        disk.write(bytes, offset, index, .max)
    }

    private func check(_ pair: SlotPair, _ promise: Promise) {
        let initialToken = InitialToken(Secret("RT-0"))
        let plan = AttemptPlan.make(
            order: .renew(isManual: false), slots: pair, initialToken: initialToken,
            profile: profile,
            attemptID: "next", now: Examples.noon.advanced(by: .seconds(60)))
        guard case .send(let record) = plan, let token = record.grant.refreshToken
        else {
            Issue.record("\(plan) after a cut: \(promise)")
            return
        }
        #expect(promise.tokens.contains(token.reveal()))
        // The next write must not overwrite the slot that this was read from.
        #expect(pair.winner.map { $0.index != pair.oldest } ?? true)
        if promise.isSent, token.reveal() == promise.tokens.min() {
            #expect(record.grant.attempts.ambiguousAttempts > 0, "spent, and not known as such")
        }
    }

    /// One refresh in the daemon's order: intent, answer, settled record.
    private mutating func rotate(_ number: Int, padding: Int) throws {
        let plan = AttemptPlan.make(
            order: .renew(isManual: false), slots: disk.pair,
            initialToken: InitialToken(Secret("RT-0")),
            profile: profile, attemptID: "attempt-\(number)",
            now: Examples.noon.advanced(by: .seconds(60)))
        guard case .send(let record) = plan else { throw Stop() }
        let index = disk.pair.oldest
        let old = try #require(record.grant.refreshToken).reveal()
        let new = "RT-\(number)" + String(repeating: "x", count: padding)
        try write(
            try #require(SlotLayout.encode(record, credential: "mail", slotSize: Self.size)),
            at: 0, to: index, Promise(tokens: [old], isSent: false))
        let raw = Examples.answer(
            200, #"{"access_token":"AT-\#(number)","refresh_token":"\#(new)","expires_in":60}"#)
        try write(
            SlotLayout.encode(
                raw, attemptID: record.attemptID, roundTrip: .zero, credential: "mail",
                slotSize: Self.size),
            at: SlotLayout.responseOffset(slotSize: Self.size), to: index,
            Promise(tokens: [old, new], isSent: true))
        let reading = ResponseReader(profile: profile, kind: .refresh)
            .read(raw, sentAt: record.sentAt.wall)
        var grant = record.grant
        grant.apply(reading, to: record, roundTrip: .zero, profile: profile)
        try write(
            try #require(
                SlotLayout.encode(
                    record.settled(grant), credential: "mail", slotSize: Self.size)),
            at: 0, to: index.other, Promise(tokens: [new], isSent: false))
    }
    private struct Stop: Error {}

    @Test("I3: old or new, never neither, and what may be spent is known; tokens short and long")
    mutating func rotations() throws {
        for number in 1...6 { try rotate(number, padding: number % 2 == 0 ? 0 : 900) }
        for number in 7...8 { try rotate(number, padding: 2400) }
        print("slot protocol: \(states) torn images, none of them lost")
        #expect(states > 200)
    }

    @Test("an answer torn in every way leaves the token known as maybe spent, across restarts")
    mutating func twoCrashes() throws {
        try rotate(1, padding: 0)
        // Sent without an answer; then again.
        for attempt in 1...3 {
            let plan = AttemptPlan.make(
                order: .renew(isManual: false), slots: disk.pair, initialToken: nil,
                profile: profile,
                attemptID: "lost-\(attempt)",
                now: Examples.noon.advanced(by: .seconds(Int64(60 * attempt))))
            guard case .send(let record) = plan else { throw Stop() }
            let index = disk.pair.oldest
            #expect(record.grant.refreshToken == Secret("RT-1"))
            #expect(record.grant.attempts.ambiguousAttempts == attempt - 1)
            try write(
                try #require(SlotLayout.encode(record, credential: "mail", slotSize: Self.size)),
                at: 0, to: index, Promise(tokens: ["RT-1"], isSent: attempt > 1))
        }
    }
}
