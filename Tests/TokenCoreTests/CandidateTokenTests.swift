import Testing

@testable import TokenCore

/// K4: a new initial refresh token is proved before it replaces one that works.
@Suite("A candidate beside a token that works") struct CandidateTokenTests {
    private let profile: ProviderProfile

    init() throws { profile = try Examples.credential().profile }

    private func at(_ seconds: Int64) -> Moment { Examples.noon.advanced(by: .seconds(seconds)) }

    /// RT2 is stored, after a rotation of the seed RT1.
    private var rotated: StoredGrant {
        var grant = Examples.held
        grant.refreshToken = Secret("RT2")
        grant.seedFingerprints = [StoredGrant.fingerprint(of: Secret("RT1"))]
        grant.noteSpent(Secret("RT1"), at: profile)
        return grant
    }

    private func slots(_ grant: StoredGrant, sequence: UInt64 = 4) -> SlotPair {
        let record = SlotRecord(
            sequence: sequence, state: .settled, attemptID: "s", kind: .refresh, sentAt: at(0),
            grant: grant)
        return SlotPair(a: .valid(SlotContents(record: record)), b: .empty)
    }

    private func plan(
        _ grant: StoredGrant, seed: String?, at second: Int64 = 100, isManual: Bool = false
    ) -> SlotRecord? {
        let plan = AttemptPlan.make(
            order: .renew(isManual: isManual), slots: slots(grant),
            seed: seed.map { InitialToken(Secret($0)) }, profile: profile, attemptID: "a",
            now: at(second))
        if case .send(let record, _) = plan { return record }
        return nil
    }

    private func answered(_ record: SlotRecord, _ status: Int, _ body: String) -> StoredGrant {
        var grant = record.grant
        let reading = record.reading(of: Examples.answer(status, body), profile: profile)
        grant.apply(reading, to: record, roundTrip: .zero, profile: profile)
        return grant
    }

    private func granted(_ record: SlotRecord, _ token: String, _ refresh: String) -> StoredGrant {
        answered(
            record, 200,
            "{\"access_token\":\"\(token)\",\"refresh_token\":\"\(refresh)\",\"expires_in\":3600}")
    }

    private static let invalid = #"{"error":"invalid_grant"}"#

    @Test("the file reads CHANGEME, later RT1 again: RT2 goes on")
    func changeme() throws {
        let record = try #require(plan(rotated, seed: "CHANGEME"))
        #expect(record.sendsCandidate && record.refreshTokenToSend == Secret("CHANGEME"))
        #expect(record.grant.refreshToken == Secret("RT2"))
        let refused = answered(record, 400, Self.invalid)
        #expect(refused.candidate?.state == .refused)
        #expect(refused.refreshToken == Secret("RT2"))
        #expect(refused.attempts.failures == 0 && !refused.attempts.isLoginRequired)
        // It is remembered, and not sent again.
        let next = try #require(plan(refused, seed: "CHANGEME"))
        #expect(next.refreshTokenToSend == Secret("RT2"))
        let back = try #require(plan(granted(next, "AT3", "RT3"), seed: "RT1"))
        #expect(back.refreshTokenToSend == Secret("RT3"))
        #expect(back.grant.candidate == nil)
    }

    @Test("a granted candidate takes over; the one before it is kept for one refresh, not as spent")
    func granted() throws {
        let record = try #require(plan(rotated, seed: "NEW"))
        let adopted = granted(record, "AT5", "NEW2")
        #expect(adopted.refreshToken == Secret("NEW2"))
        #expect(adopted.candidate == nil && adopted.displaced == Secret("RT2"))
        let spent = { (token: String) in
            adopted.spent.contains(
                StoredGrant.fingerprint(ofRefresh: Secret(token), at: profile))
        }
        #expect(spent("NEW") && !spent("RT2"))
        #expect(!adopted.isNew(InitialToken(Secret("NEW"))))
        let next = try #require(plan(adopted, seed: "NEW"))
        #expect(next.refreshTokenToSend == Secret("NEW2"))
        #expect(granted(next, "AT6", "NEW3").displaced == nil)
    }

    @Test("the successor is refused before it was refreshed once: the displaced token goes on")
    func displaced() throws {
        let adopted = granted(try #require(plan(rotated, seed: "NEW")), "AT5", "NEW2")
        let next = try #require(plan(adopted, seed: "NEW"))
        let back = answered(next, 400, Self.invalid)
        #expect(back.refreshToken == Secret("RT2") && back.displaced == nil)
        #expect(!back.attempts.isLoginRequired && back.attempts.reauthAnswers == 0)
        #expect(
            back.spent.contains(StoredGrant.fingerprint(ofRefresh: Secret("NEW2"), at: profile)))
    }

    @Test(
        "what says nothing of a candidate leaves it untried, with backoff; the stored one goes on",
        arguments: [(401, #"{"error":"invalid_client"}"#), (503, ""), (429, "")])
    func unsaid(status: Int, body: String) throws {
        let record = try #require(plan(rotated, seed: "NEW"))
        let after = answered(record, status, body)
        #expect(after.candidate?.state == .untried && after.candidate?.failures == 1)
        #expect(after.attempts.failures == 0 && after.attempts.lastError == nil)
        #expect(try #require(plan(after, seed: "NEW", at: 101)).refreshTokenToSend == Secret("RT2"))
        #expect(try #require(plan(after, seed: "NEW", at: 102)).sendsCandidate)
    }

    @Test("a lost answer: one prompt retry, then it may be spent; the stored one is in no doubt")
    func lost() throws {
        let record = try #require(plan(rotated, seed: "NEW"))
        let interrupted = SlotContents(record: record).grant(profile: profile)
        #expect(interrupted.candidate?.lostAnswers == 1)
        #expect(interrupted.attempts.ambiguousAttempts == 0)
        let again = try #require(plan(interrupted, seed: "NEW", at: 101))
        #expect(again.sendsCandidate)
        let twice = SlotContents(record: again).grant(profile: profile)
        #expect(twice.candidate?.state == .maybeSpent)
        let next = try #require(plan(twice, seed: "NEW", at: 5000))
        #expect(next.refreshTokenToSend == Secret("RT2"))
    }

    @Test("a response that is not understood, with a new refresh token in it, proves a candidate")
    func provedByToken() throws {
        let record = try #require(plan(rotated, seed: "NEW"))
        let after = answered(record, 200, #"{"access_token":"","refresh_token":"NEW2"}"#)
        #expect(after.refreshToken == Secret("NEW2") && after.displaced == Secret("RT2"))
    }

    @Test(
        "the stored one is refused: a refused candidate is tried once more before a person is asked"
    )
    func lastResort() throws {
        var grant = answered(try #require(plan(rotated, seed: "NEW")), 400, Self.invalid)
        grant.access = nil
        for second in [200, 210, 220] as [Int64] {
            let record = try #require(plan(grant, seed: "NEW", at: second))
            #expect(!record.sendsCandidate)
            grant = answered(record, 400, Self.invalid)
        }
        #expect(!grant.attempts.isLoginRequired)
        let last = try #require(plan(grant, seed: "NEW", at: 230))
        #expect(last.sendsCandidate)
        grant = answered(last, 400, Self.invalid)
        grant = answered(try #require(plan(grant, seed: "NEW", at: 240)), 400, Self.invalid)
        #expect(grant.attempts.isLoginRequired)
        #expect(plan(grant, seed: "NEW", at: 250) == nil)
        #expect(plan(grant, seed: "NEW", at: 250, isManual: true)?.sendsCandidate == true)
    }

    @Test("a new refresh token inside a refusal is sent first; the old one after it was refused")
    func offered() throws {
        let record = try #require(plan(rotated, seed: nil))
        let body = #"{"error":"server_error","refresh_token":"RT3-offered"}"#
        let after = answered(record, 503, body)
        #expect(after.refreshToken == Secret("RT3-offered"))
        #expect(after.displaced == Secret("RT2"))
        let next = try #require(plan(after, seed: nil))
        #expect(next.refreshTokenToSend == Secret("RT3-offered"))
        #expect(answered(next, 400, Self.invalid).refreshToken == Secret("RT2"))
        // Beside a lost answer the old one is not used.
        let interrupted = SlotContents(record: next).grant(profile: profile)
        let doubtful = try #require(plan(interrupted, seed: nil, at: 101))
        #expect(answered(doubtful, 400, Self.invalid).refreshToken == Secret("RT3-offered"))
        #expect(granted(next, "AT9", "RT4").displaced == nil)
    }

    @Test(
        "what stands in a refusal instead of a token is none",
        arguments: [
            "The refresh token expired", "****6789", "xxxxxxxx1234", "abc...xyz12", "EXPIRED",
            "RT1", "RT2",
        ])
    func notOffered(text: String) throws {
        let record = try #require(plan(rotated, seed: nil))
        let after = answered(record, 503, "{\"refresh_token\":\"\(text)\"}")
        #expect(after.refreshToken == Secret("RT2") && after.displaced == nil)
    }

    @Test("a former version refuses both slots while a candidate is open, and neither after that")
    func formerVersion() throws {
        let open = try #require(plan(rotated, seed: "NEW"))
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
        let first = answered(try #require(plan(rotated, seed: "BAD1")), 400, Self.invalid)
        let second = answered(try #require(plan(first, seed: "BAD2")), 400, Self.invalid)
        let again = try #require(plan(second, seed: "BAD1"))
        #expect(again.refreshTokenToSend == Secret("RT2"))
    }

    @Test("a refresh token that the same answer replaced counts as spent")
    func replaced() throws {
        let record = try #require(plan(rotated, seed: nil))
        let after = answered(
            record, 200,
            #"{"access_token":"AT3","refresh_token":"RT3a","refresh_token":"RT3b","expires_in":9}"#)
        #expect(after.refreshToken == Secret("RT3b"))
        #expect(
            after.spent.contains(StoredGrant.fingerprint(ofRefresh: Secret("RT3a"), at: profile)))
    }

    @Test("after a start one that was not decided is tried at once, with its backoff")
    func afterStart() throws {
        var random = RandomSource(seed: 1)
        var life = CredentialLifecycle(try Examples.credential())
        let stored = answered(try #require(plan(rotated, seed: "NEW")), 503, "")
        _ = life.start()
        _ = life.handle(
            .recovered(Ticket(1), .grant(stored)), now: at(101), mayAttempt: true, using: &random)
        #expect(life.nextAttemptAt == nil || life.nextAttemptAt == at(102).uptime)
        _ = life.handle(
            .published(Ticket(2), .complete), now: at(101), mayAttempt: true, using: &random)
        #expect(life.nextAttemptAt == at(102).uptime)
    }

    @Test("a life: what the configuration names anew is tried at once, and the schedule stays")
    func life() throws {
        var random = RandomSource(seed: 1)
        var life = CredentialLifecycle(try Examples.credential())
        let handle = { (life: inout CredentialLifecycle, event: LifecycleEvent, second: Int64) in
            life.handle(event, now: at(second), mayAttempt: true, using: &random)
        }
        _ = life.start()
        _ = handle(&life, .recovered(Ticket(1), .grant(rotated)), 1)
        _ = handle(&life, .published(Ticket(2), .complete), 1)
        let planned = try #require(life.nextAttemptAt)
        let seed = InitialToken(Secret("NEW"))
        let found = handle(&life, .initialTokenRead(seed), 100)
        #expect(found == [.report(.candidateFound)])
        #expect(handle(&life, .initialTokenRead(seed), 101) == [])
        #expect(life.wantsAttempt(at: at(101).uptime))
        let actions = handle(&life, .woke, 101)
        #expect(actions == [.attempt(Ticket(3), .renew(isManual: false))])
        let refused = answered(try #require(plan(rotated, seed: "NEW", at: 101)), 400, Self.invalid)
        var report = AttemptReport(
            grant: refused, end: .refused(Refusal(.reauth, httpStatus: 400, problem: "p")),
            attemptID: "a")
        report.isOfCandidate = true
        let ended = handle(&life, .attemptEnded(Ticket(3), report), 102)
        #expect(ended == [.report(.candidateFailed(.refused, problem: "p"))])
        #expect(life.state == .fresh && life.failures == 0)
        let next = try #require(life.nextAttemptAt)
        // Within the jitter of a schedule.
        #expect(next.sinceBoot > planned.sinceBoot - .seconds(400))
        let status = CredentialStatus(life, now: at(103))
        #expect(status.warnings.contains { $0.contains("was refused") && $0.contains("goes on") })
        #expect(!String(decoding: status.json.serialized(), as: UTF8.self).contains("NEW"))
    }

    @Test(
        "a refresh that is asked for is made with the stored token where the candidate is refused")
    func wished() throws {
        var random = RandomSource(seed: 1)
        var life = CredentialLifecycle(try Examples.credential())
        let handle = { (life: inout CredentialLifecycle, event: LifecycleEvent, second: Int64) in
            life.handle(event, now: at(second), mayAttempt: true, using: &random)
        }
        _ = life.start()
        _ = handle(&life, .recovered(Ticket(1), .grant(rotated)), 1)
        _ = handle(&life, .published(Ticket(2), .complete), 1)
        _ = handle(&life, .refreshRequested, 100)
        #expect(handle(&life, .woke, 100) == [.attempt(Ticket(3), .renew(isManual: false))])
        let refused = answered(try #require(plan(rotated, seed: "BAD", at: 100)), 400, Self.invalid)
        var report = AttemptReport(
            grant: refused, end: .refused(Refusal(.reauth, httpStatus: 400, problem: "p")),
            attemptID: "a")
        report.isOfCandidate = true
        _ = handle(&life, .attemptEnded(Ticket(3), report), 101)
        #expect(life.renewalsEnded == 0)
        let due = try #require(life.nextAttemptAt)
        #expect(due.sinceBoot <= at(120).uptime.sinceBoot)
        #expect(handle(&life, .woke, 120) == [.attempt(Ticket(4), .renew(isManual: false))])
        let next = try #require(plan(refused, seed: "BAD", at: 120))
        #expect(next.refreshTokenToSend == Secret("RT2"))
        let done = AttemptReport(
            grant: granted(next, "AT3", "RT3"), end: .granted([]), attemptID: "b")
        _ = handle(&life, .attemptEnded(Ticket(4), done), 121)
        #expect(life.renewalsEnded == 1)
    }
}
