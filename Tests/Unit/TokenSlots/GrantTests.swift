import Testing

@testable import TokenConfiguration
@testable import TokenFormats
@testable import TokenProviders
@testable import TokenSlots

@Suite("What an attempt's end does to the grant") struct GrantTests {
    private func profile(
        _ lifecycle: String = "{}", acquire: Bool = false
    ) throws -> ProviderProfile {
        let more = acquire ? #", "acquire": {"extends": "client_credentials"}"# : ""
        return try Examples.credential(
            providers: #""as": {"request": {"url": "https://id.example/token"}, "lifecycle": "#
                + lifecycle + more + "}"
        ).profile
    }

    private func refuse(
        _ grant: inout CredentialRecord, _ failureClass: FailureClass,
        at moment: Moment = Examples.noon,
        hasNoErrorBody: Bool = false, profile: ProviderProfile
    ) {
        grant.fail(
            Refusal(failureClass, httpStatus: 400, problem: "p", hasNoErrorBody: hasNoErrorBody),
            spends: profile.usesRefreshToken, at: moment, profile: profile)
    }

    @Test("I8: no answer of any class erases a refresh token", arguments: FailureClass.allCases)
    func neverErased(failureClass: FailureClass) throws {
        for acquire in [true, false] {
            var grant = Examples.held
            for _ in 0..<5 {
                refuse(&grant, failureClass, profile: try profile(acquire: acquire))
            }
            #expect(grant.refreshToken == Secret("RT"))
            #expect(grant.access?.token == Secret("AT"))
        }
    }

    @Test("I34: reauth means login only after three answers over ten minutes")
    func threeAnswers() throws {
        let profile = try profile()
        var grant = Examples.held
        refuse(&grant, .reauth, profile: profile)
        refuse(&grant, .reauth, at: Examples.noon.advanced(by: .seconds(300)), profile: profile)
        #expect(!grant.attempts.isLoginRequired)
        refuse(&grant, .reauth, at: Examples.noon.advanced(by: .seconds(599)), profile: profile)
        #expect(!grant.attempts.isLoginRequired)
        refuse(&grant, .reauth, at: Examples.noon.advanced(by: .seconds(600)), profile: profile)
        #expect(grant.attempts.isLoginRequired)
    }

    @Test("a short-lived token shortens those ten minutes to its life")
    func shortLife() throws {
        let profile = try profile()
        var grant = Examples.held
        grant.access?.lifetime = .seconds(5)
        for second in [0, 2, 5] {
            refuse(
                &grant, .reauth, at: Examples.noon.advanced(by: .seconds(second)), profile: profile)
        }
        #expect(grant.attempts.isLoginRequired)
    }

    @Test("after an attempt whose answer never came the first refusal is enough, a bare 4xx too")
    func afterAmbiguity() throws {
        let profile = try profile()
        for (failureClass, hasNoErrorBody) in [(FailureClass.reauth, false), (.config, true)] {
            var grant = Examples.held
            refuse(&grant, .ambiguous, profile: profile)
            refuse(&grant, failureClass, hasNoErrorBody: hasNoErrorBody, profile: profile)
            #expect(grant.attempts.isLoginRequired)
            #expect(grant.attempts.lastError?.problem.contains("interrupted") == true)
        }
        var grant = Examples.held
        refuse(&grant, .ambiguous, profile: profile)
        refuse(&grant, .config, profile: profile)
        #expect(!grant.attempts.isLoginRequired)
    }

    @Test("where the profile can acquire, a dead refresh token needs no sign-in")
    func reacquire() throws {
        let profile = try profile(acquire: true)
        var grant = Examples.held
        refuse(&grant, .reauth, profile: profile)
        #expect(grant.isRefreshTokenRefused)
        #expect(!grant.attempts.isLoginRequired)
        #expect(grant.renewalKind(profile: profile) == .acquire)
    }

    @Test("after a lost answer a profile that can acquire does, unless it knows a grace")
    func acquireAfterAmbiguity() throws {
        for (lifecycle, kind) in [
            ("{}", ExchangeKind.acquire), (#"{"reuse_grace": "60s"}"#, .refresh),
        ] {
            let profile = try profile(lifecycle, acquire: true)
            var grant = Examples.held
            refuse(&grant, .ambiguous, profile: profile)
            #expect(grant.renewalKind(profile: profile) == kind)
            #expect(grant.refreshToken == Secret("RT"))
        }
    }

    @Test("any refusal after the refresh token's life has passed is reauth")
    func pastItsLife() throws {
        let profile = try profile(#"{"refresh_token_lifetime": "60d"}"#)
        var grant = Examples.held
        grant.refreshTokenSince = Examples.noon
        grant.refreshTokenLifetime = .days(60)
        refuse(&grant, .config, at: Examples.noon.advanced(by: .days(59)), profile: profile)
        #expect(grant.attempts.lastError?.failureClass == .config)
        refuse(&grant, .config, at: Examples.noon.advanced(by: .days(60)), profile: profile)
        #expect(grant.attempts.lastError?.failureClass == .reauth)
    }

    @Test("an access token that is the refresh token, new or sent, is no access token")
    func accessIsRefresh() throws {
        let rotating = try profile(#"{"refresh_token": "rotating"}"#)
        let own = try profile(#"{"refresh_token": "access_token"}"#)
        let record = SlotTests.record(1, "RT")
        func read(_ body: String, _ profile: ProviderProfile) -> ResponseOutcome {
            record.reading(of: Examples.answer(200, body), profile: profile)
        }
        for body in [
            #"{"access_token":"RT","expires_in":60}"#,
            #"{"access_token":"N","refresh_token":"N","expires_in":60}"#,
        ] {
            let reading = read(body, rotating)
            #expect(reading.failure?.failureClass == .config)
            #expect(
                reading.failure?.cause.kind == .tokenIsRefreshToken)
            #expect(read(body, own).token != nil)
        }
        // The new refresh token is kept nevertheless.
        #expect(
            read(#"{"access_token":"N","refresh_token":"N"}"#, rotating).refreshToken
                == Secret("N"))
    }

    @Test("a refresh token is found wherever a value repeats it, whatever stands around it")
    func echoes() {
        let token = #"r"e\f/1"#
        let texts = [token, "x" + token, token + "\u{301}", "\u{301}" + token + "\u{315}\u{300}"]
        for text in texts {
            let values: [JSONNode] = [
                .string(text), [.string("a"), .string(text)], .object([(text, .integer(1))]),
                .object([("deep", [.object([("deeper", .string(text))])])]),
            ]
            for value in values {
                var access = GrantedAccess(
                    token: Secret("AT"), sentAt: Examples.noon, lifetime: .seconds(60))
                access.scope = text
                access.tokenType = "Bearer"
                access.keep = [JSONMember("kept", value), JSONMember("other", "fine")]
                let clean = access.withoutEchoes(of: [Secret("none"), Secret(token)])
                #expect(clean.scope == nil)
                #expect(clean.tokenType == "Bearer")
                #expect(clean.keep == [JSONMember("other", "fine")], "\(value)")
            }
        }
    }

    @Test("a success ends the history of failures, and counts itself")
    func success() throws {
        let profile = try profile()
        var grant = Examples.held
        for failureClass in [FailureClass.transient, .ambiguous, .config, .reauth] {
            refuse(&grant, failureClass, profile: profile)
        }
        #expect(grant.attempts.isLoginRequired)
        let record = SlotTests.record(1, "RT")
        let body = #"{"access_token":"a","expires_in":60,"refresh_token":"RT2"}"#
        let reading = ResponseReader(profile: profile, kind: .refresh)
            .read(Examples.answer(200, body), sentAt: Examples.noon.wall)
        var expected = AttemptHistory()
        expected.lastAttemptAt = grant.attempts.lastAttemptAt
        expected.lastSuccessAt = record.sentAt
        expected.successes = grant.attempts.successes + 1
        grant.apply(reading, to: record, roundTrip: .zero, profile: profile)
        #expect(grant.attempts == expected)
    }

    @Test("an answer that repeats or omits the refresh token shows that it does not rotate")
    func staticTokens() throws {
        let profile = try profile()
        let reader = ResponseReader(profile: profile, kind: .refresh)
        let record = SlotTests.record(1, "RT")
        func apply(_ body: String) -> CredentialRecord {
            var grant = Examples.held
            grant.apply(
                reader.read(Examples.answer(200, body), sentAt: Examples.noon.wall), to: record,
                roundTrip: .zero, profile: profile)
            return grant
        }
        #expect(apply(#"{"access_token":"a","expires_in":60}"#).isKnownStatic)
        #expect(apply(#"{"access_token":"a","expires_in":60,"refresh_token":"RT"}"#).isKnownStatic)
        let rotated = apply(#"{"access_token":"a","expires_in":60,"refresh_token":"RT2"}"#)
        #expect(!rotated.isKnownStatic)
        #expect(rotated.refreshToken == Secret("RT2"))
        #expect(rotated.generation == 1)
    }
}

@Suite("What to do in an attempt, by what is on the disk") struct AttemptPlanningTests {
    private func plan(
        _ slots: SlotPair = SlotPair(a: .empty, b: .empty), initialToken: String?,
        order: AttemptOrder = .renew(isManual: false), provider: String = Examples.rfc
    ) throws -> AttemptPlan {
        AttemptPlan.make(
            order: order, slots: slots, initialToken: initialToken.map { InitialToken(Secret($0)) },
            profile: try Examples.credential(providers: provider).profile, attemptID: "id",
            now: Examples.noon)
    }

    private func settled(_ change: (inout CredentialRecord) -> Void) -> SlotPair {
        var record = SlotTests.record(5, "RT-own")
        record.state = .settled
        change(&record.grant)
        return SlotPair(a: .valid(SlotContents(record: record)), b: .empty)
    }

    @Test("the first attempt adopts the seed and sends it")
    func firstSeed() throws {
        guard case .send(let record) = try plan(initialToken: "seed-1") else {
            Issue.record("nothing is sent")
            return
        }
        #expect(record.grant.refreshToken == Secret("seed-1"))
        #expect(record.sequence == 1 && record.state == .intent)
        #expect(record.grant.initialTokenFingerprints.count == 1)
    }

    @Test("I24: the record holds when the attempt began, for a process after a crash")
    func timeOfAttempt() throws {
        guard case .send(let record) = try plan(initialToken: "seed-1") else {
            Issue.record("nothing is sent")
            return
        }
        #expect(record.grant.attempts.lastAttemptAt == Examples.noon)
    }

    @Test("a seed seen before never replaces what the daemon obtained; a new one does")
    func seeds() throws {
        let known = CredentialRecord.fingerprint(of: Secret("seed-1"))
        let slots = settled { $0.initialTokenFingerprints = [known] }
        guard case .send(let record) = try plan(slots, initialToken: "seed-1") else {
            Issue.record("nothing is sent")
            return
        }
        #expect(record.grant.refreshToken == Secret("RT-own"))
        #expect(record.sequence == 6)
        guard case .send(let renewed) = try plan(slots, initialToken: "seed-2") else {
            Issue.record("nothing is sent")
            return
        }
        #expect(renewed.refreshTokenToSend == Secret("seed-2"))
    }

    @Test("in login_required only a new seed or a person sends anything")
    func loginRequired() throws {
        let known = CredentialRecord.fingerprint(of: Secret("seed-1"))
        let slots = settled {
            $0.initialTokenFingerprints = [known]
            $0.attempts.isLoginRequired = true
        }
        guard case .needsLogin = try plan(slots, initialToken: "seed-1") else {
            Issue.record("something is sent")
            return
        }
        guard case .send = try plan(slots, initialToken: "seed-1", order: .renew(isManual: true))
        else {
            Issue.record("a manual refresh sends nothing")
            return
        }
        guard case .send(let record) = try plan(slots, initialToken: "seed-2") else {
            Issue.record("a new seed sends nothing")
            return
        }
        #expect(record.refreshTokenToSend == Secret("seed-2"))
    }

    @Test("without a refresh token: acquire where the profile can, otherwise a person must sign in")
    func withoutToken() throws {
        guard case .needsLogin = try plan(initialToken: nil) else {
            Issue.record("something is sent")
            return
        }
        let acquiring =
            #""as": {"request": {"url": "https://id.example/token"}, "acquire": {}}"#
        guard case .send(let record) = try plan(initialToken: nil, provider: acquiring) else {
            Issue.record("nothing is acquired")
            return
        }
        #expect(record.kind == .acquire)
    }

    @Test("with both slots damaged nothing is sent, until a person imports tokens")
    func quarantine() throws {
        let slots = SlotPair(a: .damaged, b: .damaged)
        #expect(try plan(slots, initialToken: "seed-1") == .unreadable)
        let tokens = ImportedTokens(refreshToken: Secret("imported"))
        guard case .write(let record) = try plan(slots, initialToken: nil, order: .adopt(tokens))
        else {
            Issue.record("the import is refused")
            return
        }
        #expect(record.grant.refreshToken == Secret("imported"))
        #expect(record.state == .settled)
    }
}
