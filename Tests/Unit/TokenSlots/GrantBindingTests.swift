import Testing

@testable import TokenConfiguration
@testable import TokenControl
@testable import TokenFormats
@testable import TokenProviders
@testable import TokenScheduling
@testable import TokenSlots

/// K4: a refresh token is bound to the token URL's origin and the client that it was given to.
@Suite("Where a refresh token may be sent") struct GrantBindingTests {
    private let profile: ProviderProfile
    private let home = GrantBinding(origin: "https://id.example:443", clientID: "id")
    private let away = GrantBinding(origin: "https://other.example:443", clientID: "id")

    init() throws { profile = try Examples.credential().profile }

    private func at(_ seconds: Int64) -> Moment { Examples.noon.advanced(by: .seconds(seconds)) }

    /// RT2 came from `home`, after a rotation of the initial token RT1.
    private var rotated: CredentialRecord {
        var grant = Examples.held
        grant.refreshToken = Secret("RT2")
        grant.boundTo = home
        grant.initialTokenFingerprints = [CredentialRecord.fingerprint(of: Secret("RT1"))]
        grant.attempts.successes = 7
        return grant
    }

    private func plan(
        _ grant: CredentialRecord, initialToken: String?, to place: GrantBinding?,
        at second: Int64 = 100
    ) -> SlotRecord? {
        let record = SlotRecord(
            sequence: 4, state: .settled, attemptID: "s", kind: .refresh, sentAt: at(0),
            grant: grant)
        let plan = AttemptPlan.make(
            order: .renew(isManual: false),
            slots: SlotPair(a: .valid(SlotContents(record: record)), b: .empty),
            initialToken: initialToken.map { InitialToken(Secret($0)) }, place: place,
            profile: profile,
            attemptID: "a", now: at(second))
        guard case .send(var sent) = plan else { return nil }
        sent.goes(to: place ?? home)
        return sent
    }

    private func answered(_ record: SlotRecord, _ status: Int, _ body: String) -> CredentialRecord {
        var grant = record.grant
        let reading = record.reading(of: Examples.answer(status, body), profile: profile)
        grant.apply(reading, to: record, roundTrip: .zero, profile: profile)
        return grant
    }

    private func granted(_ record: SlotRecord, _ number: Int) -> CredentialRecord {
        answered(
            record, 200,
            #"{"access_token":"AT\#(number)","refresh_token":"RT\#(number)","expires_in":3600}"#)
    }

    private static let invalid = #"{"error":"invalid_grant"}"#

    @Test("another origin or client and a new token: the stored one is kept and never sent there")
    func candidateElsewhere() throws {
        let record = try #require(plan(rotated, initialToken: "NEW", to: away))
        #expect(record.refreshTokenToSend == Secret("NEW") && !record.sendsCandidate)
        #expect(record.grant.setAsideToken?.token == Secret("RT2"))
        #expect(record.grant.setAsideToken?.place == home)
        var grant = record.grant
        // Whatever the answers: until a sign-in is needed, and after that.
        for (second, status) in [(100, 400), (200, 503), (300, 400), (900, 400), (5000, 400)] {
            guard let next = plan(grant, initialToken: "NEW", to: away, at: Int64(second)) else {
                continue
            }
            #expect(next.refreshTokenToSend == Secret("NEW"))
            grant = answered(next, status, Self.invalid)
            #expect(grant.setAsideToken?.token == Secret("RT2"))
        }
        #expect(grant.attempts.isLoginRequired)
    }

    @Test("the configuration goes back: the stored one goes on as if nothing had been")
    func back() throws {
        let refused = answered(
            try #require(plan(rotated, initialToken: "CHANGEME", to: away)), 400, Self.invalid)
        // Also if only the URL was restored, and the wrong token is still configured.
        for initial in ["RT1", "CHANGEME", nil] {
            let record = try #require(plan(refused, initialToken: initial, to: home, at: 101))
            #expect(record.refreshTokenToSend == Secret("RT2") && !record.sendsCandidate)
            #expect(record.grant.attempts.failures == 0 && record.grant.setAsideToken == nil)
            let next = granted(record, 3)
            #expect(next.refreshToken == Secret("RT3") && next.boundTo == home)
        }
    }

    @Test("one wrong turn after another loses no token that works")
    func twoWrongTurns() throws {
        let third = GrantBinding(origin: "https://third.example:443", clientID: "id")
        let first = answered(
            try #require(plan(rotated, initialToken: "BAD1", to: away)), 400, Self.invalid)
        let second = answered(
            try #require(plan(first, initialToken: "BAD2", to: third, at: 101)), 400, Self.invalid)
        #expect(second.setAsideToken?.token == Secret("RT2"))
        let back = try #require(plan(second, initialToken: "BAD2", to: home, at: 102))
        #expect(back.refreshTokenToSend == Secret("RT2"))
    }

    @Test("the new one works: the former one is kept until it has been refreshed once, then gone")
    func adopted() throws {
        let first = granted(try #require(plan(rotated, initialToken: "NEW", to: away)), 10)
        #expect(first.boundTo == away && first.setAsideToken?.token == Secret("RT2"))
        #expect(first.previousRefreshToken == nil)
        // The former token is not tried when the new one is refused.
        let refused = answered(
            try #require(plan(first, initialToken: "NEW", to: away, at: 200)), 400, Self.invalid)
        #expect(refused.refreshToken == Secret("RT10"))
        let second = granted(try #require(plan(first, initialToken: "NEW", to: away, at: 200)), 11)
        #expect(second.setAsideToken == nil && second.refreshToken == Secret("RT11"))
        // Until then the configuration may change back and forth.
        let home = granted(try #require(plan(first, initialToken: "RT1", to: home, at: 200)), 3)
        #expect(home.setAsideToken?.token == Secret("RT10") && home.setAsideToken?.place == away)
        let again = try #require(plan(home, initialToken: "NEW", to: away, at: 201))
        #expect(again.refreshTokenToSend == Secret("RT10"))
    }

    @Test(
        "without a new token the stored one is tried at the new place, and bound to it by a grant")
    func withoutCandidate() throws {
        let record = try #require(plan(rotated, initialToken: "RT1", to: away))
        #expect(record.refreshTokenToSend == Secret("RT2") && record.grant.boundTo == home)
        #expect(answered(record, 503, "").boundTo == home)
        #expect(granted(record, 3).boundTo == away)
        // A provider that keeps the refresh token also confirms the grant.
        #expect(answered(record, 200, #"{"access_token":"A","expires_in":9}"#).boundTo == away)
    }

    @Test(
        "at the same place, or where it is not known, a candidate is proved beside the stored one")
    func same() throws {
        #expect(try #require(plan(rotated, initialToken: "NEW", to: home)).sendsCandidate)
        #expect(try #require(plan(rotated, initialToken: "NEW", to: nil)).sendsCandidate)
        var former = rotated
        former.boundTo = nil
        let record = try #require(plan(former, initialToken: "NEW", to: away))
        #expect(record.sendsCandidate && record.grant.boundTo == nil)
        let next = try #require(
            plan(answered(record, 400, Self.invalid), initialToken: "NEW", to: away))
        #expect(next.refreshTokenToSend == Secret("RT2"))
        #expect(granted(next, 3).boundTo == away)
    }

    @Test("a candidate refused at one place is tried at another one")
    func refusedBefore() throws {
        let refused = answered(
            try #require(plan(rotated, initialToken: "NEW", to: home)), 400, Self.invalid)
        #expect(refused.candidate?.state == .refused)
        let record = try #require(plan(refused, initialToken: "NEW", to: away, at: 101))
        #expect(record.refreshTokenToSend == Secret("NEW") && record.grant.candidate == nil)
    }

    @Test("one whose answers were lost stays in doubt where it is sent again")
    func inDoubt() throws {
        var grant = try #require(plan(rotated, initialToken: "NEW", to: home)).grant
        grant.candidate?.lostResponses = 2
        grant.candidate?.state = .maybeSpent
        let record = try #require(plan(grant, initialToken: "NEW", to: away, at: 101))
        #expect(record.grant.attempts.ambiguousAttempts == 2)
        #expect(answered(record, 400, Self.invalid).attempts.isLoginRequired)
    }

    @Test("a token that was never granted anything is for the place that it was first sent to")
    func unproved() throws {
        let first = try #require(plan(CredentialRecord(), initialToken: "RT1", to: nil))
        #expect(first.grant.boundTo == home)
        let lost = answered(first, 503, "")
        let record = try #require(plan(lost, initialToken: "NEW", to: away, at: 101))
        #expect(record.refreshTokenToSend == Secret("NEW"))
    }

    @Test("an untrusted state sets nothing aside, and its token is no second try elsewhere")
    func quarantined() throws {
        var record = try #require(plan(rotated, initialToken: "NEW", to: nil))
        record.goes(to: away)
        let adopted = granted(record, 10)
        #expect(adopted.refreshToken == Secret("RT10") && adopted.boundTo == away)
        #expect(
            adopted.previousRefreshToken == nil && adopted.setAsideToken?.token == Secret("RT2"))
    }

    @Test("results of earlier steps are left behind with the place")
    func steps() throws {
        var grant = rotated
        grant.steps = [
            StepResult(
                id: "app", values: [], pointed: [], host: "id.example", sentAt: at(0),
                lifetime: nil)
        ]
        grant.candidate = CandidateToken(Secret("NEW"), since: at(1))
        grant.turnToCandidate(for: away, at: at(2), profile: profile)
        #expect(grant.steps == [] && grant.refreshToken == Secret("NEW"))
    }

    @Test("a slot remembers all of it, and an answer that is read again is bound the same way")
    func stored() throws {
        let record = try #require(plan(rotated, initialToken: "NEW", to: away))
        let bytes = try #require(SlotLayout.encode(record, credential: "c", slotSize: 65_536))
        #expect(SlotContents(bytes: bytes, credential: "c")?.record == record)
        let answer = StoredResponse(
            raw: Examples.answer(200, #"{"access_token":"A","refresh_token":"RT9"}"#),
            roundTrip: .zero)
        let again = SlotContents(record: record, response: answer).grant(profile: profile)
        #expect(again.boundTo == away && again.refreshToken == Secret("RT9"))
    }

    // MARK: - The place itself

    @Test(
        "an origin is scheme, host and port, however they are spelled",
        arguments: [
            ("https://id.example/token", "https://id.example:443"),
            ("https://ID.Example:443", "https://id.example:443"),
            ("https://id.example:/a?b=c:1", "https://id.example:443"),
            ("https://id.example:8443/token", "https://id.example:8443"),
            ("http://127.0.0.1/t", "http://127.0.0.1:80"),
            ("http://[::1]/t", "http://[::1]:80"), ("http://[::1]:81/t", "http://[::1]:81"),
        ])
    func origins(url: String, origin: String) {
        #expect(EndpointURL.origin(of: url) == origin)
    }

    private func place(
        _ request: String, client: String? = "id", _ variables: [(String, String)] = []
    ) throws -> GrantBinding? {
        let more = variables.map { #""\#($0.0)": {"description": "d"}"# }.joined(separator: ",")
        let profile = try Examples.credential(
            providers: #""as": {\#(request), "variables": {\#(more)}}"#,
            extra: variables.isEmpty
                ? ""
                : #", "variables": {"#
                    + variables.map { #""\#($0.0)": "\#($0.1)""# }
                    .joined(separator: ",") + "}"
        ).profile
        var context = TemplateContext(nonce: Examples.nonce())
        context.set(.clientID, client)
        for (name, value) in variables { context.values[name] = .string(value) }
        return profile.place(in: context)
    }

    @Test("the rendered URL counts as far as its origin, and the client")
    func rendered() throws {
        let fixed = try place(#""request": {"url": "https://id.example/token"}"#)
        #expect(fixed == home)
        #expect(try place(#""request": {"url": "https://id.example/v2/oauth"}"#) == home)
        let template = #""request": {"url": "${base}/realms/${realm}/token"}"#
        let variables = [("base", "https://id.example"), ("realm", "one")]
        #expect(try place(template, variables) == home)
        #expect(try place(template, [("base", "https://id.example"), ("realm", "two")]) == home)
        #expect(try place(template, [("base", "https://other.example"), ("realm", "one")]) == away)
        #expect(try place(template, client: "other", variables) != home)
        #expect(try place(template, client: nil, variables) != home)
    }

    @Test("where an answer names the host, the request that this answer comes to counts")
    func fromAnswer() throws {
        let steps = #"""
            "steps": [
              {"id": "app", "request": {"url": "https://id.example/app"},
               "response": {"access_token": "/t", "keep": {"host": "/host"}}},
              {"id": "user", "request": {"url": "${steps.app.host}/token",
               "params": {"refresh_token": "${refresh_token}"}},
               "response": {"access_token": "/t"}}]
            """#
        #expect(try place(steps) == home)
    }

    // MARK: - Lifecycle

    /// A credential whose token is published and not due.
    private func served(_ random: inout RandomSource) throws -> CredentialLifecycle {
        var life = CredentialLifecycle(try Examples.credential())
        _ = life.start()
        for event in [
            LifecycleEvent.recovered(Ticket(1), .grant(rotated)), .published(Ticket(2), .complete),
        ] {
            _ = life.handle(event, now: at(1), mayAttempt: true, using: &random)
        }
        return life
    }

    @Test("a place without a token of its own is tried at once, and then as often as any failure")
    func triedOnce() throws {
        var random = RandomSource(seed: 1)
        var life = try served(&random)
        let handle = { (life: inout CredentialLifecycle, event: LifecycleEvent, second: Int64) in
            life.handle(event, now: at(second), mayAttempt: true, using: &random)
        }
        _ = handle(&life, .placeRead(away), 100)
        let actions = handle(&life, .woke, 100)
        #expect(actions == [.attempt(Ticket(3), .renew(isManual: false))])
        var record = try #require(plan(rotated, initialToken: nil, to: away))
        record.sentAt = at(100)
        let refusal = Refusal(.transient, httpStatus: 503, problem: "p")
        var failed = rotated
        failed.fail(refusal, of: record, profile: life.configuration.profile)
        _ = handle(
            &life,
            .attemptEnded(
                Ticket(3), AttemptReport(grant: failed, end: .refused(refusal), attemptID: "a")),
            101)
        let next = try #require(life.nextAttemptAt)
        #expect(next > at(101).uptime)
        _ = handle(&life, .placeRead(away), 101)
        #expect(life.nextAttemptAt == next)
    }

    @Test("a reload that leads elsewhere, also by a file it names, is tried at once, and once")
    func tried() throws {
        var random = RandomSource(seed: 1)
        var life = try served(&random)
        let handle = { (life: inout CredentialLifecycle, event: LifecycleEvent, second: Int64) in
            life.handle(event, now: at(second), mayAttempt: true, using: &random)
        }
        let planned = try #require(life.nextAttemptAt)
        _ = handle(&life, .placeRead(home), 100)
        #expect(life.nextAttemptAt == planned)
        _ = handle(&life, .placeRead(away), 100)
        #expect(life.nextAttemptAt == at(100).uptime)
        let actions = handle(&life, .woke, 100)
        #expect(actions == [.attempt(Ticket(3), .renew(isManual: false))])
        let record = try #require(plan(rotated, initialToken: "NEW", to: away))
        let report = AttemptReport(
            grant: answered(record, 400, Self.invalid),
            end: .refused(Refusal(.reauth, httpStatus: 400, problem: "p")), attemptID: "a")
        let ended = handle(&life, .attemptEnded(Ticket(3), report), 101)
        #expect(ended.first == .report(.tokenSetAside))
        #expect(life.state == .retrying)
        let next = life.nextAttemptAt
        _ = handle(&life, .placeRead(away), 102)
        #expect(life.nextAttemptAt == next)
        let status = CredentialStatus(life, now: at(103))
        #expect(status.warnings.contains { $0.contains("another server or client") })
        #expect(!String(decoding: status.json.serialized(), as: UTF8.self).contains("RT2"))
    }
}
