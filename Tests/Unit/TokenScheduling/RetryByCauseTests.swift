import Testing

@testable import TokenConfiguration
@testable import TokenFormats
@testable import TokenProviders
@testable import TokenScheduling
@testable import TokenSlots

/// K3: no wait of half an hour while a token is about to expire.
@Suite("Retry by cause") struct RetryByCauseTests {
    private let profile: ProviderProfile

    init() throws { profile = try Examples.credential().profile }

    private func at(_ seconds: Int64) -> Moment { Examples.noon.advanced(by: .seconds(seconds)) }

    private func config(_ status: Int? = 401, _ problem: String = "endpoint answered 401")
        -> Refusal
    {
        Refusal(.config, httpStatus: status, problem: problem)
    }

    private func wait(
        _ grant: CredentialRecord, left: Int64?, lifetime: Int64 = 3600, isRotating: Bool = true,
        seed: UInt64 = 1
    ) throws -> Duration {
        var random = RandomSource(seed: seed)
        let error = try #require(grant.attempts.lastError)
        return RetryPolicy(policy: RefreshPolicy(), rules: profile.lifecycle).delay(
            after: error.failureClass, history: grant.attempts,
            remaining: left.map { .init(life: .seconds($0), lifetime: .seconds(lifetime)) },
            isRotating: isRotating, using: &random)
    }

    @Test(
        "a refused request is tried again within half of what is left",
        arguments: [10, 40, 1000] as [Int64], 1...4)
    func soon(left: Int64, failures: Int) throws {
        var grant = Examples.held
        for _ in 0..<failures { grant.fail(config(), spends: true, at: at(0), profile: profile) }
        for seed in 1...50 {
            let wait = try wait(grant, left: left, seed: UInt64(seed))
            #expect(wait >= .seconds(1) && wait <= max(.seconds(1), .seconds(left) / 2))
            #expect(wait <= .seconds(45))
        }
    }

    @Test("five equal refusals over three minutes make it slow: a tenth of what is left, or 30 min")
    func slow() throws {
        var grant = Examples.held
        for second in [0, 50, 100, 150] as [Int64] {
            grant.fail(config(), spends: true, at: at(second), profile: profile)
        }
        #expect(!grant.attempts.isMisconfigured)
        grant.fail(config(), spends: true, at: at(179), profile: profile)
        #expect(!grant.attempts.isMisconfigured)
        grant.fail(config(), spends: true, at: at(180), profile: profile)
        #expect(grant.attempts.isMisconfigured)
        #expect(try wait(grant, left: 3000) == .seconds(300))
        #expect(try wait(grant, left: 30) == .seconds(45))
        #expect(try wait(grant, left: nil) == .seconds(1800))
    }

    @Test("fewer than five equal refusals are not slow, however long there is between them")
    func few() throws {
        var grant = Examples.held
        for second in [0, 180, 360, 540] as [Int64] {
            grant.fail(config(), spends: true, at: at(second), profile: profile)
            #expect(!grant.attempts.isMisconfigured)
        }
    }

    @Test("another refusal in between begins the count anew; a success ends it")
    func unequal() throws {
        var grant = Examples.held
        for second in 0..<20 as Range<Int64> {
            let status = second % 4 == 3 ? 403 : 401
            grant.fail(
                config(status, "endpoint answered \(status)"), spends: true, at: at(second * 20),
                profile: profile)
        }
        #expect(!grant.attempts.isMisconfigured)
        #expect(grant.attempts.equalRefusals == 1)
    }

    @Test("a secret that cannot be read is looked for within 8 s, later within 45 s, for ever")
    func secrets() throws {
        var grant = Examples.held
        var refusal = config(nil, "cannot read /run/secret: No such file or directory")
        refusal.cause = Cause(.secretMissing, CauseFacts(detail: "not there"))
        for second in 0..<100 as Range<Int64> {
            grant.fail(refusal, spends: true, at: at(second * 15), profile: profile)
            for left in [nil, 5, 3000] as [Int64?] {
                let wait = try wait(grant, left: left, seed: UInt64(second) + 1)
                #expect(wait >= .seconds(1) && wait <= .seconds(second < 39 ? 8 : 45))
            }
        }
    }

    @Test(
        "invalid_request is about the refresh token only where its words say so",
        arguments: [
            ("The refresh_token is invalid.", FailureClass.reauth),
            ("Refresh token expired", .reauth), ("refresh token not found", .reauth),
            ("refresh_token was already used", .reauth), ("The token is inactive.", .config),
            ("Missing required parameter: refresh_token", .config),
            ("refresh_token is required and must not be invalid", .config),
            ("unsupported refresh token, unknown", .config), ("invalid redirect_uri", .config),
            ("Too many requests: refresh token used", .rateLimited),
        ])
    func invalidRequest(words: String, expected: FailureClass) throws {
        let body = #"{"error":"invalid_request","error_description":""# + words + "\"}"
        let reading = ResponseReader(profile: profile, kind: .refresh)
            .read(Examples.answer(400, body), sentAt: at(0).wall)
        #expect(reading.failure?.failureClass == expected)
    }

    @Test("a person is asked for after three refusals, over half of what was left")
    func login() throws {
        for (age, span) in [(3000, 300), (0, 600), (3590, 30), (3700, 30)] as [(Int64, Int64)] {
            var grant = Examples.held
            grant.access = GrantedAccess(
                token: Secret("AT"), sentAt: at(0), lifetime: .seconds(3600))
            let refuse = { (grant: inout CredentialRecord, second: Int64) in
                grant.fail(
                    Refusal(.reauth, httpStatus: 400, problem: "p"), spends: true,
                    at: at(second), profile: profile)
            }
            refuse(&grant, age)
            #expect(grant.attempts.reauthSpan == .seconds(span))
            let wait = try wait(grant, left: max(1, 3600 - age))
            #expect(wait == min(.seconds(60), .seconds(span) / 3))
            refuse(&grant, age + 1)
            refuse(&grant, age + span - 1)
            #expect(!grant.attempts.isLoginRequired)
            refuse(&grant, age + span)
            #expect(grant.attempts.isLoginRequired)
        }
    }

    @Test("a refused refresh token is tried once more every half hour after that")
    func afterLogin() throws {
        var grant = Examples.held
        (grant.attempts.isLoginRequired, grant.attempts.lastAttemptAt) = (true, at(0))
        let record = SlotRecord(
            sequence: 4, state: .settled, attemptID: "a", kind: .refresh, sentAt: at(0),
            grant: grant)
        let slots = SlotPair(a: .valid(SlotContents(record: record)), b: .empty)
        let plan = { (second: Int64) in
            AttemptPlan.make(
                order: .renew(isManual: false), slots: slots, initialToken: nil, profile: profile,
                attemptID: "b", now: at(second))
        }
        #expect(plan(1799) == .needsLogin(grant))
        guard case .send = plan(1800) else {
            Issue.record("nothing is sent after half an hour")
            return
        }
    }

    @Test(
        "no other class shortens the wait after a lost answer; a whole 5xx or 429 has its own"
    )
    func ambiguity() throws {
        var grant = Examples.held
        for _ in 0..<2 {
            grant.fail(
                Refusal(.ambiguous, problem: "lost"), spends: true, at: at(0), profile: profile)
        }
        let long = try wait(grant, left: 3000)
        #expect(long >= .seconds(2600))
        for refusal in [config(), Refusal(.transient, problem: "no connection")] {
            var other = grant
            other.fail(refusal, spends: true, at: at(1), profile: profile)
            #expect(try wait(other, left: 3000) == long)
            #expect(try wait(other, left: 3000, isRotating: false) <= .seconds(45))
        }
        for (status, failureClass) in [(503, .transient), (429, .rateLimited)]
            as [(Int, FailureClass)]
        {
            var other = grant
            other.fail(
                Refusal(failureClass, httpStatus: status, problem: "busy"), spends: true,
                at: at(1), profile: profile)
            #expect(try wait(other, left: 3000) <= .seconds(45))
        }
    }

    @Test("a cached token that was counted down to zero is asked for again a second after its end")
    func countedDown() throws {
        let record = SlotRecord(
            sequence: 2, state: .intent, attemptID: "a", kind: .refresh, sentAt: at(3),
            grant: Examples.held)
        var grant = Examples.held
        grant.access = GrantedAccess(token: Secret("AT"), sentAt: at(0), lifetime: .seconds(3))
        for (token, isSame) in [("AT", true), ("AT2", false)] {
            let body = "{\"access_token\":\"\(token)\",\"expires_in\":0}"
            let reading = record.reading(of: Examples.answer(200, body), profile: profile)
            var after = grant
            after.apply(reading, to: record, roundTrip: .zero, profile: profile)
            #expect(after.attempts.isCountedDown == isSame)
            #expect(after.access?.token.reveal() == "AT")
            #expect(after.attempts.lastError?.failureClass == .transient)
            guard isSame else { continue }
            #expect(try wait(after, left: 2, lifetime: 3) == .seconds(3))
            #expect(try wait(after, left: nil) <= .seconds(2))
            let again = SlotRecord(
                sequence: 3, state: .settled, attemptID: "b", kind: .refresh, sentAt: at(3),
                grant: after)
            let bytes = try #require(
                SlotLayout.encode(again, credential: "c", slotSize: 65_536))
            #expect(SlotContents(bytes: bytes, credential: "c")?.record.grant == after)
        }
    }
}
