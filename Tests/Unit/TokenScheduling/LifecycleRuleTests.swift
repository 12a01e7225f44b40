import Testing

@testable import TokenConfiguration
@testable import TokenFormats
@testable import TokenProviders
@testable import TokenScheduling
@testable import TokenSlots

/// The effects of a profile's `lifecycle`.
@Suite("Lifecycle rules of a profile") struct LifecycleRuleTests {
    private func profile(_ lifecycle: String) throws -> ProviderProfile {
        try Examples.credential(providers: Examples.rfc(lifecycle: lifecycle)).profile
    }

    @Test("burned_on_failure: one refusal ends the refresh token, an outage leaves it in doubt")
    func burned() throws {
        let profile = try profile(#"{"burned_on_failure": true}"#)
        for (failureClass, hasExpired) in [
            (FailureClass.reauth, true), (.config, true), (.transient, false),
        ] {
            var grant = Examples.held
            grant.fail(
                Refusal(failureClass, httpStatus: 400, problem: "p"), spends: true,
                at: Examples.noon, profile: profile)
            #expect(grant.attempts.isLoginRequired == hasExpired)
            if !hasExpired { #expect(grant.attempts.ambiguousAttempts == 1) }
            #expect(grant.refreshToken == Secret("RT"))
        }
        var unsent = Examples.held
        unsent.fail(
            Refusal(.transient, problem: "no route"), spends: true, at: Examples.noon,
            profile: profile)
        #expect(unsent.attempts.ambiguousAttempts == 0, "nothing was answered")
    }

    private static let own = """
        "as": {"extends": "none",
          "request": {"method": "GET", "url": "https://id.example/refresh", "encoding": "query",
                      "params": {"access_token": "${access_token}"}},
          "response": {"expires": {"from": "/expires_in"}},
          "lifecycle": {"refresh_token": "access_token", "must_refresh_before_expiry": true}}
        """

    @Test("an access token that is its own refresh credential is kept, sent and replaced as one")
    func accessTokenGrant() throws {
        let profile = try Examples.credential(providers: Self.own).profile
        #expect(profile.usesRefreshToken)
        let plan = AttemptPlan.make(
            order: .renew(isManual: false), slots: SlotPair(a: .empty, b: .empty),
            initialToken: InitialToken(Secret("LONG1")), profile: profile, attemptID: "id",
            now: Examples.noon)
        guard case .send(var record) = plan else {
            Issue.record("\(plan)")
            return
        }
        let context = TemplateContext(
            CredentialValues(), profile: profile, record: record, nonce: Examples.nonce())
        #expect(
            try profile.refresh[0].request.render(in: context).url
                == "https://id.example/refresh?access_token=LONG1")
        let reading = ResponseReader(profile: profile, kind: .refresh)
            .read(
                Examples.answer(200, #"{"access_token":"LONG2","expires_in":5184000}"#),
                sentAt: Examples.noon.wall)
        record.grant.apply(reading, to: record, roundTrip: .zero, profile: profile)
        #expect(record.grant.refreshToken == Secret("LONG2"))
        #expect(record.grant.access?.token == Secret("LONG2"))
        // Its expiry is announced like that of any refresh token.
        #expect(
            record.grant.refreshTokenExpiresAt == Examples.noon.wall.advanced(by: .days(60)))
    }

    @Test("must_refresh_before_expiry: refused after its end, a person is asked at once")
    func mustRefresh() throws {
        let profile = try Examples.credential(providers: Self.own).profile
        var grant = Examples.held
        grant.refreshTokenSince = Examples.noon
        grant.refreshTokenLifetime = .seconds(3600)
        grant.fail(
            Refusal(.config, httpStatus: 400, problem: "p"), spends: true,
            at: Examples.noon.advanced(by: .seconds(3601)), profile: profile)
        #expect(grant.attempts.isLoginRequired)
    }

    @Test("a tokens import of an access token begins such a grant")
    func importAccessToken() throws {
        let profile = try Examples.credential(providers: Self.own).profile
        let tokens = ImportedTokens(accessToken: Secret("LONG"), lifetime: .days(60))
        let plan = AttemptPlan.make(
            order: .adopt(tokens), slots: SlotPair(a: .empty, b: .empty), initialToken: nil,
            profile: profile, attemptID: "id", now: Examples.noon)
        guard case .write(let record) = plan else {
            Issue.record("\(plan)")
            return
        }
        #expect(record.grant.refreshToken == Secret("LONG"))
        #expect(record.grant.renewalKind(profile: profile) == .refresh)
    }

    @Test("revokes_previous_access_token: after a lost answer there is no life worth saving")
    func revokes() {
        var rules = LifecycleRules()
        var history = AttemptHistory()
        (history.failures, history.ambiguousAttempts) = (2, 2)
        let remaining = RetryPolicy.Remaining(life: .seconds(3000), lifetime: .seconds(3600))
        func wait() -> Duration {
            var random = RandomSource(seed: 1)
            return RetryPolicy(policy: RefreshPolicy(), rules: rules).delay(
                after: .ambiguous, history: history, remaining: remaining, isRotating: true,
                using: &random)
        }
        #expect(wait() >= .seconds(2600), "the old token is worth its life")
        rules.revokesPreviousAccessToken = true
        #expect(wait() <= .seconds(2))
        rules.overlap = .seconds(300)
        #expect(wait() == .seconds(150))
    }

    // MARK: rate_limit

    /// Credentials whose slots have been read, and their next orders.
    private func credentials(_ key: String, limit: String = "2/10m") throws -> (
        CredentialSet, [CredentialSet.DueAction]
    ) {
        let members = ["a", "b", "c", "d"].map { name in
            """
            "\(name)": {"provider": "as", "client_id": "\(name == "d" ? "other" : "id")",
                        "client_secret": "s", "refresh_token": "RT-\(name)"}
            """
        }
        let text = """
            {"providers": {\(Examples.rfc(
                lifecycle: #"{"rate_limit": "\#(limit)", "rate_limit_key": "\#(key)"}"#))},
             "credentials": {\(members.joined(separator: ","))}}
            """
        let configuration = try Configuration.read(
            main: ConfigurationFile(path: "t", bytes: Array(text.utf8), mode: 0o600))
        var credentials = CredentialSet(maxInFlight: 64, seed: 1)
        let (orders, _) = credentials.configure(configuration, now: Examples.noon)
        #expect(orders.count == 4)
        var begun: [CredentialSet.DueAction] = []
        for order in orders {
            guard case .recover(let ticket, _) = order.action else { continue }
            #expect(begun.isEmpty, "a request was sent before all slots were read")
            let event = LifecycleEvent.recovered(ticket, .grant(CredentialRecord()))
            begun = credentials.handle(event, for: order.credential, now: Examples.noon)
        }
        return (credentials, begun)
    }

    private func attempts(_ orders: [CredentialSet.DueAction]) -> [String] {
        orders.compactMap { if case .attempt = $0.action { $0.credential } else { nil } }.sorted()
    }

    @Test(
        "requests of one key share the window: the rest wait for its end, and no longer",
        arguments: [("client", 3), ("account", 2), ("refresh_token", 4)])
    func window(key: String, atOnce: Int) throws {
        var (credentials, begun) = try credentials(key)
        #expect(attempts(begun).count == atOnce)
        let early = Examples.noon.advanced(by: .seconds(599))
        #expect(attempts(credentials.wake(now: early)).isEmpty)
        let end = Examples.noon.advanced(by: .seconds(600))
        if atOnce < 4 { #expect(credentials.wakeAt == end.uptime) }
        #expect(attempts(credentials.wake(now: end)).count == min(2, 4 - atOnce))
    }

    @Test("a burst within the limit is no reason to wait")
    func burst() throws {
        #expect(attempts(try credentials("account", limit: "20/1d").1).count == 4)
    }
}
