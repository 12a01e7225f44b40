import Testing

@testable import TokenConfiguration
@testable import TokenFormats
@testable import TokenProviders
@testable import TokenSlots

@Suite("The cause of an answer that grants nothing") struct CauseOfAnswerTests {
    private func refusal(
        _ status: Int, _ body: String, type: String? = "application/json",
        kind: ExchangeKind = .refresh
    ) throws -> Refusal {
        let credential = try Examples.credential()
        var reader = ResponseReader(profile: credential.profile, kind: kind)
        reader.origin = "https://id.example"
        let headers = type.map { [("Content-Type", $0)] } ?? []
        let reading = reader.read(
            Examples.answer(status, body, headers: headers), sentAt: Examples.noon.wall)
        return try #require(reading.failure)
    }

    @Test(
        "a code of a refusal is its cause",
        arguments: [
            (401, "invalid_client", CauseKind.clientRefused),
            (400, "invalid_grant", .refreshTokenRefused), (400, "login_required", .signInWanted),
            (400, "interaction_required", .signInWanted),
            (400, "unauthorized_client", .clientMayNot),
            (400, "unsupported_grant_type", .grantTypeUnsupported),
            (400, "invalid_scope", .scopeRefused), (400, "invalid_target", .resourceRefused),
            (403, "access_denied", .accessDenied), (400, "use_dpop_nonce", .dpopDemanded),
            (400, "invalid_dpop_proof", .dpopDemanded), (400, "invalid_request", .requestRefused),
            (503, "server_error", .providerFails), (400, "temporarily_unavailable", .providerFails),
            (429, "slow_down", .rateLimited), (404, "not_found", .endpointUnknown),
            (401, "odd", .clientRefused), (403, "odd", .requestRefused),
        ])
    func codes(_ status: Int, _ code: String, _ kind: CauseKind) throws {
        #expect(try refusal(status, #"{"error": "\#(code)"}"#).cause.kind == kind)
    }

    @Test("a page in the provider's place is told as one, whatever its status but 5xx")
    func pages() throws {
        let page = "<!DOCTYPE html><html><body>Log in</body></html>"
        for status in [200, 400, 401, 403] {
            for type in ["text/html", "text/html; charset=utf-8", nil] {
                #expect(try refusal(status, page, type: type).cause.kind == .answerIsPage)
            }
        }
        let unknown = try refusal(404, page, type: "text/html").cause
        #expect(unknown.kind == .endpointUnknown && unknown.facts.contentType == .html)
        #expect(try refusal(502, page, type: "text/html").cause.kind == .providerFails)
        #expect(try refusal(302, page, type: "text/html").cause.kind == .answerRedirects)
    }

    @Test("other content types come from a closed list")
    func types() throws {
        let cause = { (type: String) in try refusal(200, "<x/>", type: type).cause }
        #expect(try cause("Application/XML; charset=x").problem.contains("application/xml where"))
        let odd = try cause("application/x-secret-0123456789")
        #expect(odd.kind == .answerOfOtherType && odd.facts.contentType == .other)
        #expect(!odd.problem.contains("secret"))
        #expect(
            try refusal(200, "{}", type: "application/jwt+json").cause.kind == .answerWithoutToken)
        #expect(try refusal(200, " ").cause.kind == .answerEmpty)
        #expect(try refusal(200, "no json").cause.kind == .answerUnreadable)
    }

    @Test("a code that is refused at a sign-in says nothing of a refresh token")
    func signIn() throws {
        let refused = try refusal(400, #"{"error": "invalid_grant"}"#, kind: .authorizationCode)
        #expect(refused.cause.kind == .signInRefused)
        #expect(refused.problem.contains("issued no tokens (400 invalid_grant)"))
    }

    @Test("a refresh token that came by a rotation and was never sent tells of another host")
    func unspent() throws {
        let profile = try Examples.credential().profile
        let refused = Refusal(
            .reauth, Cause(.refreshTokenRefused, CauseFacts(status: 400)), httpStatus: 400)
        var grant = Examples.held
        grant.fail(refused, spends: true, at: Examples.noon, profile: profile)
        #expect(grant.attempts.lastError?.cause.kind == .refreshTokenRefused)
        grant = Examples.held
        (grant.spent, grant.attempts.successes) = (["f"], 2)
        grant.fail(refused, spends: true, at: Examples.noon, profile: profile)
        #expect(grant.attempts.lastError?.cause.kind == .refreshTokenRefusedUnspent)
        grant.attempts.ambiguousAttempts = 1
        grant.fail(refused, spends: true, at: Examples.noon, profile: profile)
        #expect(grant.attempts.lastError?.cause.kind == .refreshTokenProbablySpent)
    }

    @Test("until a person is asked for is told, and half of what was left at the latest")
    func until() throws {
        let profile = try Examples.credential().profile
        var grant = Examples.held
        var early = Examples.noon
        early.uptime = early.uptime.advanced(by: .seconds(3000))
        early.wall = early.wall.advanced(by: .seconds(3000))
        let refused = Refusal(.reauth, Cause(.refreshTokenRefused), httpStatus: 400)
        #expect(grant.attempts.personDueAt == nil)
        grant.fail(refused, spends: true, at: early, profile: profile)
        #expect(grant.attempts.personDueAt == early.wall.advanced(by: .seconds(300)))
        grant.fail(
            Refusal(.transient, Cause(.connectionRefused)), spends: true, at: early,
            profile: profile)
        #expect(grant.attempts.personDueAt == nil)
    }
}
