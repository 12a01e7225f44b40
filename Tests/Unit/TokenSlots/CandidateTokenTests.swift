import Testing

@testable import TokenConfiguration
@testable import TokenFormats
@testable import TokenProviders
@testable import TokenSlots

/// K4: a new initial refresh token is proved before it replaces one that works.
@Suite("A candidate beside a token that works") struct CandidateTokenTests {
    let profile: ProviderProfile

    init() throws { profile = try Examples.credential().profile }

    func at(_ seconds: Int64) -> Moment { Examples.noon.advanced(by: .seconds(seconds)) }

    /// RT2 is stored, after a rotation of the initial token RT1.
    var rotated: CredentialRecord {
        var grant = Examples.held
        grant.refreshToken = Secret("RT2")
        grant.initialTokenFingerprints = [CredentialRecord.fingerprint(of: Secret("RT1"))]
        grant.noteSpent(Secret("RT1"), at: profile)
        return grant
    }

    func slots(_ grant: CredentialRecord, sequence: UInt64 = 4) -> SlotPair {
        let record = SlotRecord(
            sequence: sequence, state: .settled, attemptID: "s", kind: .refresh, sentAt: at(0),
            grant: grant)
        return SlotPair(a: .valid(SlotContents(record: record)), b: .empty)
    }

    func plan(
        _ grant: CredentialRecord, initialToken: String?, at second: Int64 = 100,
        isManual: Bool = false
    ) -> SlotRecord? {
        let plan = AttemptPlan.make(
            order: .renew(isManual: isManual), slots: slots(grant),
            initialToken: initialToken.map { InitialToken(Secret($0)) }, profile: profile,
            attemptID: "a",
            now: at(second))
        if case .send(let record) = plan { return record }
        return nil
    }

    func answered(_ record: SlotRecord, _ status: Int, _ body: String) -> CredentialRecord {
        var grant = record.grant
        let reading = record.reading(of: Examples.answer(status, body), profile: profile)
        grant.apply(reading, to: record, roundTrip: .zero, profile: profile)
        return grant
    }

    func granted(_ record: SlotRecord, _ token: String, _ refresh: String) -> CredentialRecord {
        answered(
            record, 200,
            "{\"access_token\":\"\(token)\",\"refresh_token\":\"\(refresh)\",\"expires_in\":3600}")
    }

    static let invalid = #"{"error":"invalid_grant"}"#

    @Test("the file reads CHANGEME, later RT1 again: RT2 goes on")
    func changeme() throws {
        let record = try #require(plan(rotated, initialToken: "CHANGEME"))
        #expect(record.sendsCandidate && record.refreshTokenToSend == Secret("CHANGEME"))
        #expect(record.grant.refreshToken == Secret("RT2"))
        let refused = answered(record, 400, Self.invalid)
        #expect(refused.candidate?.state == .refused)
        #expect(refused.refreshToken == Secret("RT2"))
        #expect(refused.attempts.failures == 0 && !refused.attempts.isLoginRequired)
        // The refused token is remembered, and not sent again.
        let next = try #require(plan(refused, initialToken: "CHANGEME"))
        #expect(next.refreshTokenToSend == Secret("RT2"))
        let back = try #require(plan(granted(next, "AT3", "RT3"), initialToken: "RT1"))
        #expect(back.refreshTokenToSend == Secret("RT3"))
        #expect(back.grant.candidate == nil)
    }

    @Test("a granted candidate takes over; the one before it is kept for one refresh, not as spent")
    func granted() throws {
        let record = try #require(plan(rotated, initialToken: "NEW"))
        let adopted = granted(record, "AT5", "NEW2")
        #expect(adopted.refreshToken == Secret("NEW2"))
        #expect(adopted.candidate == nil && adopted.previousRefreshToken == Secret("RT2"))
        let spent = { (token: String) in
            adopted.spent.contains(
                CredentialRecord.fingerprint(ofRefresh: Secret(token), at: profile))
        }
        #expect(spent("NEW") && !spent("RT2"))
        #expect(!adopted.isNew(InitialToken(Secret("NEW"))))
        let next = try #require(plan(adopted, initialToken: "NEW"))
        #expect(next.refreshTokenToSend == Secret("NEW2"))
        #expect(granted(next, "AT6", "NEW3").previousRefreshToken == nil)
    }

    @Test("the successor is refused before it was refreshed once: the displaced token goes on")
    func previousRefreshToken() throws {
        let adopted = granted(try #require(plan(rotated, initialToken: "NEW")), "AT5", "NEW2")
        let next = try #require(plan(adopted, initialToken: "NEW"))
        let back = answered(next, 400, Self.invalid)
        #expect(back.refreshToken == Secret("RT2") && back.previousRefreshToken == Secret("NEW2"))
        #expect(!back.attempts.isLoginRequired && back.attempts.reauthResponses == 0)
        let again = granted(try #require(plan(back, initialToken: "NEW")), "AT7", "RT7")
        #expect(again.refreshToken == Secret("RT7") && again.previousRefreshToken == nil)
    }

    @Test("one refusal may be a slip: where both are refused each has its tries before a person")
    func bothRefused() throws {
        var grant = granted(try #require(plan(rotated, initialToken: "NEW")), "AT5", "NEW2")
        grant.access = nil
        var sent: [String] = []
        for second in stride(from: Int64(200), to: 400, by: 10) {
            guard let next = plan(grant, initialToken: "NEW", at: second) else { break }
            sent.append(try #require(next.refreshTokenToSend).reveal())
            let bytes = try #require(SlotLayout.encode(next, credential: "c", slotSize: 65_536))
            #expect(SlotContents(bytes: bytes, credential: "c")?.record == next)
            grant = answered(next, 400, Self.invalid)
        }
        #expect(sent == ["NEW2", "RT2", "RT2", "RT2", "NEW2", "NEW2", "NEW2"])
        #expect(grant.attempts.isLoginRequired)
    }

    @Test(
        "what says nothing of a candidate leaves it untried, with backoff; the stored one goes on",
        arguments: [(401, #"{"error":"invalid_client"}"#), (503, ""), (429, "")])
    func unsaid(status: Int, body: String) throws {
        let record = try #require(plan(rotated, initialToken: "NEW"))
        let after = answered(record, status, body)
        #expect(after.candidate?.state == .untried && after.candidate?.failures == 1)
        #expect(after.attempts.failures == 0 && after.attempts.lastError == nil)
        #expect(
            try #require(plan(after, initialToken: "NEW", at: 101)).refreshTokenToSend
                == Secret("RT2"))
        #expect(try #require(plan(after, initialToken: "NEW", at: 102)).sendsCandidate)
    }

    @Test("a lost answer: one prompt retry, then it may be spent; the stored one is in no doubt")
    func lost() throws {
        let record = try #require(plan(rotated, initialToken: "NEW"))
        let interrupted = SlotContents(record: record).grant(profile: profile)
        #expect(interrupted.candidate?.lostResponses == 1)
        #expect(interrupted.attempts.ambiguousAttempts == 0)
        let again = try #require(plan(interrupted, initialToken: "NEW", at: 101))
        #expect(again.sendsCandidate)
        let twice = SlotContents(record: again).grant(profile: profile)
        #expect(twice.candidate?.state == .maybeSpent)
        let next = try #require(plan(twice, initialToken: "NEW", at: 5000))
        #expect(next.refreshTokenToSend == Secret("RT2"))
    }

    @Test("a response that is not understood, with a new refresh token in it, proves a candidate")
    func provedByToken() throws {
        let record = try #require(plan(rotated, initialToken: "NEW"))
        let after = answered(record, 200, #"{"access_token":"","refresh_token":"NEW2"}"#)
        #expect(after.refreshToken == Secret("NEW2") && after.previousRefreshToken == Secret("RT2"))
    }

    @Test(
        "the stored one is refused: a refused candidate is tried once more before a person is asked"
    )
    func lastResort() throws {
        var grant = answered(try #require(plan(rotated, initialToken: "NEW")), 400, Self.invalid)
        grant.access = nil
        for second in [200, 210, 220] as [Int64] {
            let record = try #require(plan(grant, initialToken: "NEW", at: second))
            #expect(!record.sendsCandidate)
            grant = answered(record, 400, Self.invalid)
        }
        #expect(!grant.attempts.isLoginRequired)
        let last = try #require(plan(grant, initialToken: "NEW", at: 230))
        #expect(last.sendsCandidate)
        grant = answered(last, 400, Self.invalid)
        grant = answered(try #require(plan(grant, initialToken: "NEW", at: 240)), 400, Self.invalid)
        #expect(grant.attempts.isLoginRequired)
        #expect(plan(grant, initialToken: "NEW", at: 250) == nil)
        #expect(plan(grant, initialToken: "NEW", at: 250, isManual: true)?.sendsCandidate == true)
    }

    @Test("a new refresh token inside a refusal is sent first; the old one after it was refused")
    func offered() throws {
        let record = try #require(plan(rotated, initialToken: nil))
        let body = #"{"error":"server_error","refresh_token":"RT3-offered"}"#
        let after = answered(record, 503, body)
        #expect(after.refreshToken == Secret("RT3-offered"))
        #expect(after.previousRefreshToken == Secret("RT2"))
        let next = try #require(plan(after, initialToken: nil))
        #expect(next.refreshTokenToSend == Secret("RT3-offered"))
        #expect(answered(next, 400, Self.invalid).refreshToken == Secret("RT2"))
        // After a lost answer the old token is not used.
        let interrupted = SlotContents(record: next).grant(profile: profile)
        let doubtful = try #require(plan(interrupted, initialToken: nil, at: 101))
        #expect(answered(doubtful, 400, Self.invalid).refreshToken == Secret("RT3-offered"))
        #expect(granted(next, "AT9", "RT4").previousRefreshToken == nil)
    }

    @Test(
        "what stands in a refusal instead of a token is none",
        arguments: [
            "The refresh token expired", "****6789", "xxxxxxxx1234", "abc...xyz12", "EXPIRED",
            "RT1", "RT2",
        ])
    func notOffered(text: String) throws {
        let record = try #require(plan(rotated, initialToken: nil))
        let after = answered(record, 503, "{\"refresh_token\":\"\(text)\"}")
        #expect(after.refreshToken == Secret("RT2") && after.previousRefreshToken == nil)
    }

    @Test("a former version refuses both slots while a candidate is open, and neither after that")
    func formerVersion() throws {
        let open = try #require(plan(rotated, initialToken: "NEW"))
        let bytes = try #require(SlotLayout.encode(open, credential: "c", slotSize: 65_536))
        #expect(bytes[8] == 2)
        #expect(SlotContents(bytes: bytes, credential: "c")?.record == open)
        let closed = open.settled(answered(open, 400, Self.invalid))
        let later = try #require(SlotLayout.encode(closed, credential: "c", slotSize: 65_536))
        #expect(later[8] == 1)
        #expect(SlotContents(bytes: later, credential: "c")?.record.grant == closed.grant)
    }

    @Test("a refused one stays refused, also when another one was configured in between")
    func refusedBefore() throws {
        let first = answered(try #require(plan(rotated, initialToken: "BAD1")), 400, Self.invalid)
        let second = answered(try #require(plan(first, initialToken: "BAD2")), 400, Self.invalid)
        let again = try #require(plan(second, initialToken: "BAD1"))
        #expect(again.refreshTokenToSend == Secret("RT2"))
    }

    @Test("a refresh token that the same answer replaced counts as spent")
    func replaced() throws {
        let record = try #require(plan(rotated, initialToken: nil))
        let after = answered(
            record, 200,
            #"{"access_token":"AT3","refresh_token":"RT3a","refresh_token":"RT3b","expires_in":9}"#)
        #expect(after.refreshToken == Secret("RT3b"))
        #expect(
            after.spent.contains(
                CredentialRecord.fingerprint(ofRefresh: Secret("RT3a"), at: profile)))
    }
}
