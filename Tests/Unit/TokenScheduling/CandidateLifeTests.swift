import Testing

@testable import TokenConfiguration
@testable import TokenControl
@testable import TokenFormats
@testable import TokenProviders
@testable import TokenScheduling
@testable import TokenSlots

/// The lifecycle of a credential with a candidate.
extension CandidateTokenTests {
    @Test("after a start one that was not decided is tried at once, with its backoff")
    func afterStart() throws {
        var random = RandomSource(seed: 1)
        var life = CredentialLifecycle(try Examples.credential())
        let stored = answered(try #require(plan(rotated, initialToken: "NEW")), 503, "")
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
        let refused = answered(
            try #require(plan(rotated, initialToken: "NEW", at: 101)), 400, Self.invalid)
        var report = AttemptReport(
            grant: refused, end: .refused(Refusal(.reauth, httpStatus: 400, problem: "p")),
            attemptID: "a")
        report.isOfCandidate = true
        let ended = handle(&life, .attemptEnded(Ticket(3), report), 102)
        #expect(ended == [.report(.candidateFailed(.refused, problem: "p"))])
        #expect(life.state == .fresh && life.failures == 0)
        let next = try #require(life.nextAttemptAt)
        // Allows for the jitter of the schedule.
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
        let refused = answered(
            try #require(plan(rotated, initialToken: "BAD", at: 100)), 400, Self.invalid)
        var report = AttemptReport(
            grant: refused, end: .refused(Refusal(.reauth, httpStatus: 400, problem: "p")),
            attemptID: "a")
        report.isOfCandidate = true
        _ = handle(&life, .attemptEnded(Ticket(3), report), 101)
        #expect(life.renewalsEnded == 0)
        let due = try #require(life.nextAttemptAt)
        #expect(due.sinceBoot <= at(120).uptime.sinceBoot)
        #expect(handle(&life, .woke, 120) == [.attempt(Ticket(4), .renew(isManual: false))])
        let next = try #require(plan(refused, initialToken: "BAD", at: 120))
        #expect(next.refreshTokenToSend == Secret("RT2"))
        let done = AttemptReport(
            grant: granted(next, "AT3", "RT3"), end: .granted([]), attemptID: "b")
        _ = handle(&life, .attemptEnded(Ticket(4), done), 121)
        #expect(life.renewalsEnded == 1)
    }

    @Test("of several steps the last one does not end the time of a displaced token")
    func steps() throws {
        let steps = #"""
            "as": {"lifecycle": {"refresh_token": "rotating"}, "steps": [
              {"id": "oauth", "extends": "refresh_token",
               "request": {"url": "https://id.example/token"}},
              {"id": "session", "request": {"url": "https://id.example/session",
                "params": {"session_for": "${steps.oauth.access_token}"}},
               "response": {"access_token": "/access_token",
                "expires": {"from": "/expires_in"}}}]}
            """#
        let profile = try Examples.credential(providers: steps).profile
        var grant = rotated
        for (number, hasDisplaced) in [(5, true), (6, false)] {
            let found = AttemptPlan.make(
                order: .renew(isManual: false), slots: slots(grant),
                initialToken: InitialToken(Secret("NEW")), profile: profile, attemptID: "a",
                now: at(Int64(100 * number)))
            guard case .send(let first) = found else {
                Issue.record("nothing is sent")
                return
            }
            let body = #"{"access_token":"A","refresh_token":"NEW\#(number)","expires_in":60}"#
            grant = first.grant
            grant.apply(
                first.reading(of: Examples.answer(200, body), profile: profile), to: first,
                roundTrip: .zero, profile: profile)
            let last = try #require(
                first.next(grant: grant, profile: profile, now: at(Int64(100 * number))))
            grant.apply(
                last.reading(
                    of: Examples.answer(200, #"{"access_token":"S","expires_in":60}"#),
                    profile: profile), to: last, roundTrip: .zero, profile: profile)
            #expect(grant.refreshToken == Secret("NEW\(number)"))
            #expect((grant.previousRefreshToken != nil) == hasDisplaced)
        }
    }
}
