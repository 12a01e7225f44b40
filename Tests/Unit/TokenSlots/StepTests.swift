import Testing

@testable import TokenConfiguration
@testable import TokenFormats
@testable import TokenProviders
@testable import TokenSlots

/// An exchange of several requests: what each step stores for the next one and for recovery.
@Suite("Steps") struct StepTests {
    private static let twoSteps = """
        "as": {"steps": [
          {"id": "oauth", "extends": "refresh_token", \(cache)
           "request": {"url": "https://id.example/token"},
           "response": {"keep": {"site": "/site", "region": "/region"}}},
          {"id": "login", "extends": "none",
           "request": {"url": "https://api.example/login", "encoding": "query",
                       "params": {"access_token": "${steps.oauth.access_token}"}},
           "response": {"access_token": "/session", "keep": {"region": "/region"},
             "token_type": {"step": "oauth", "path": "/token_type"},
             "expires": {"from": {"step": "oauth", "path": "/session_life"}}}}]}
        """
    private static let cache = ""

    private func profile(_ text: String = twoSteps) throws -> ProviderProfile {
        try Examples.credential(providers: text).profile
    }

    private let first = #"""
        {"access_token":"AT1","refresh_token":"RT2","token_type":"Odd","site":"s","region":"a",
         "session_life":600,"expires_in":60}
        """#

    private func plan(
        _ pair: SlotPair, _ profile: ProviderProfile, at now: Moment = Examples.noon
    ) throws -> SlotRecord {
        let plan = AttemptPlan.make(
            order: .renew(isManual: false), slots: pair, initialToken: InitialToken(Secret("RT1")),
            profile: profile,
            attemptID: "id", now: now)
        guard case .send(let record) = plan else { throw Stop() }
        return record
    }
    private struct Stop: Error {}

    private func apply(
        _ status: Int, _ body: String, to record: inout SlotRecord, _ profile: ProviderProfile
    ) {
        let reader = ResponseReader(
            profile: profile, kind: record.kind, step: record.step, steps: record.grant.steps)
        let reading = reader.read(Examples.answer(status, body), sentAt: record.sentAt.wall)
        record.grant.apply(reading, to: record, roundTrip: .zero, profile: profile)
    }

    @Test("the first step's refresh token is kept, its values go to the second")
    func twoSteps() throws {
        let profile = try profile()
        var record = try plan(SlotPair(a: .empty, b: .empty), profile)
        #expect(record.step == "oauth")
        apply(200, first, to: &record, profile)
        #expect(record.grant.refreshToken == Secret("RT2"))
        #expect(record.grant.access == nil, "nothing is published before the last step")
        #expect(record.grant.attempts.successes == 0)
        var next = try #require(
            record.next(grant: record.grant, profile: profile, now: Examples.noon))
        #expect(next.sequence == record.sequence + 1 && next.step == "login")
        #expect(next.attemptID != record.attemptID, "an answer to one is none to the other")
        let context = TemplateContext(
            CredentialValues(), profile: profile, record: next, nonce: Examples.nonce())
        let request = try profile.exchange(.refresh, step: "login").request.render(in: context)
        #expect(request.url == "https://api.example/login?access_token=AT1")
        apply(200, #"{"session":"S1","region":"b"}"#, to: &next, profile)
        let access = try #require(next.grant.access)
        #expect(access.token == Secret("S1") && access.tokenType == "Odd")
        #expect(access.lifetime == .seconds(600))
        #expect(JSONNode(.object(access.keep)) == ["site": "s", "region": "b"])
        #expect(next.grant.steps.isEmpty && next.grant.generation == 1)
        #expect(next.next(grant: next.grant, profile: profile, now: Examples.noon) == nil)
    }

    @Test("a crash after the first step's answer loses nothing: recovery reads it again")
    func crash() throws {
        let profile = try profile()
        let record = try plan(SlotPair(a: .empty, b: .empty), profile)
        let size = 65_536
        var bytes = try #require(SlotLayout.encode(record, credential: "mail", slotSize: size))
        let answer = SlotLayout.encode(
            Examples.answer(200, first), attemptID: record.attemptID, roundTrip: .zero,
            credential: "mail", slotSize: size)
        bytes += Array(repeating: 0, count: SlotLayout.responseOffset(slotSize: size) - bytes.count)
        let state = SlotPair.state(of: bytes + answer, credential: "mail")
        let again = try plan(SlotPair(a: state, b: .empty), profile)
        #expect(again.grant.refreshToken == Secret("RT2"))
        #expect(again.step == "oauth", "an interrupted exchange starts again")
        #expect(again.grant.attempts.failures == 0)
    }

    @Test("the second step's intent keeps what the first gave, through the slots")
    func record() throws {
        let profile = try profile()
        var record = try plan(SlotPair(a: .empty, b: .empty), profile)
        record.host = "id.example"
        apply(200, first, to: &record, profile)
        let next = try #require(
            record.next(grant: record.grant, profile: profile, now: Examples.noon))
        let bytes = try #require(
            SlotLayout.encode(next, credential: "mail", slotSize: 65_536))
        let read = try #require(SlotContents(bytes: bytes, credential: "mail"))
        #expect(read.record == next)
        // After an interruption there, no refresh token is in doubt.
        let grant = read.grant(profile: profile)
        #expect(grant.attempts.lastError?.failureClass == .transient)
        #expect(grant.attempts.ambiguousAttempts == 0)
        #expect(grant.refreshToken == Secret("RT2"))
    }

    @Test("a second step that fails leaves the new refresh token and the old token")
    func secondFails() throws {
        let profile = try profile()
        var record = try plan(SlotPair(a: .empty, b: .empty), profile)
        apply(200, first, to: &record, profile)
        for (status, expected) in [(500, FailureClass.transient), (401, .config)] {
            var next = try #require(
                record.next(grant: record.grant, profile: profile, now: Examples.noon))
            apply(status, "{}", to: &next, profile)
            #expect(next.grant.refreshToken == Secret("RT2"))
            #expect(next.grant.attempts.lastError?.failureClass == expected)
            #expect(!next.grant.attempts.isLoginRequired)
        }
    }

    @Test("a cached step is asked again only when its token has ended or was refused")
    func cached() throws {
        let text = Self.twoSteps.replacing(
            #""extends": "refresh_token","#, with: #""extends": "refresh_token", "cache": true,"#)
        let profile = try profile(text)
        var record = try plan(SlotPair(a: .empty, b: .empty), profile)
        apply(200, first, to: &record, profile)
        var next = try #require(
            record.next(grant: record.grant, profile: profile, now: Examples.noon))
        apply(200, #"{"session":"S1"}"#, to: &next, profile)
        #expect(next.grant.steps.map(\.id) == ["oauth"])
        next.state = .settled
        let pair = SlotPair(a: .empty, b: .valid(SlotContents(record: next)))
        let later = { Examples.noon.advanced(by: .seconds($0)) }
        #expect(try plan(pair, profile, at: later(30)).step == "login")
        #expect(try plan(pair, profile, at: later(50)).step == "oauth")
        var refused = next
        refused.state = .intent
        apply(401, "{}", to: &refused, profile)
        refused.state = .settled
        let after = SlotPair(a: .empty, b: .valid(SlotContents(record: refused)))
        #expect(try plan(after, profile, at: later(30)).step == "oauth")
    }

    @Test("a code exchanged in the first step is a refresh from there on")
    func signIn() throws {
        let profile = try profile()
        #expect(profile.authorizationCode.map(\.id) == ["oauth", "login"])
        let order = AttemptOrder.login(AuthorizationCode(code: Secret("c")))
        let plan = AttemptPlan.make(
            order: order, slots: SlotPair(a: .empty, b: .empty), initialToken: nil,
            profile: profile,
            attemptID: "id", now: Examples.noon)
        guard case .send(var record) = plan else { throw Stop() }
        #expect(record.kind == .authorizationCode && record.step == "oauth")
        record.grant.attempts.isLoginRequired = true
        apply(200, first, to: &record, profile)
        let next = try #require(
            record.next(grant: record.grant, profile: profile, now: Examples.noon))
        #expect(next.kind == .refresh && next.step == "login")
        #expect(!next.grant.attempts.isLoginRequired)
    }

    // MARK: Hosts out of answers (ProfileRules 4)

    private func secondURL(instance: String, keep: String = #""/instance""#) throws -> String {
        let profile = try profile(
            """
            "as": {"steps": [
              {"id": "one", "extends": "refresh_token",
               "request": {"url": "https://login.example.com/token"},
               "response": {"keep": {"instance": \(keep)}}},
              {"id": "two", "request": {"url": "${steps.one.instance}/token",
                                        "params": {"secret": "${client_secret}"}}}]}
            """)
        var record = try plan(SlotPair(a: .empty, b: .empty), profile)
        record.host = "login.example.com"
        let body: JSONNode = ["access_token": "AT", "instance": .string(instance)]
        apply(
            200, String(decoding: body.serialized(), as: UTF8.self), to: &record, profile)
        let next = try #require(
            record.next(grant: record.grant, profile: profile, now: Examples.noon))
        let context = TemplateContext(
            CredentialValues(clientSecret: "s"), profile: profile, record: next,
            nonce: Examples.nonce())
        return try profile.exchange(.refresh, step: "two").request.render(in: context).url
    }

    @Test("a host out of an answer must lie in the same domain as the host that answered")
    func sameDomain() throws {
        #expect(
            try secondURL(instance: "https://na1.example.com") == "https://na1.example.com/token")
        for forged in [
            "https://evil.example", "https://example.com.evil.example", "http://na1.example.com",
            "https://na1.example.com@evil.example", "https://evil.example/https://na1.example.com",
            "https://evil.example?", "https://evil.example#na1.example.com", "//evil.example",
            "https://xexample.com", "https://[::1]", "https://127.0.0.1", "https://com", "",
        ] {
            #expect(throws: RequestError.self, "\(forged)") { try secondURL(instance: forged) }
        }
    }

    @Test("unless the profile keeps it by an anchored pattern, which then decides alone")
    func anchored() throws {
        let keep = #"{"path": "/instance", "regex": "^https://[a-z0-9-]+\\.other\\.example$"}"#
        let found = try secondURL(instance: "https://na1.other.example", keep: keep)
        #expect(found == "https://na1.other.example/token")
        for forged in ["https://na1.example.com", "https://evil.example/.other.example"] {
            #expect(throws: RequestError.self) { try secondURL(instance: forged, keep: keep) }
        }
        let loose = #"{"path": "/instance", "regex": "https://[a-z0-9.-]+"}"#
        #expect(throws: RequestError.self) {
            try secondURL(instance: "https://evil.example", keep: loose)
        }
    }

    @Test("registries' own names are no common domain")
    func registries() {
        #expect(!EndpointURL.isSameSite("a.co.uk", "b.co.uk"))
        #expect(EndpointURL.isSameSite("x.a.co.uk", "y.a.co.uk"))
        #expect(!EndpointURL.isSameSite("10.0.0.1", "10.0.0.2"))
        #expect(!EndpointURL.isSameSite("localhost", "example"))
        #expect(EndpointURL.isSameSite("[::1]", "[::1]"))
    }
}
