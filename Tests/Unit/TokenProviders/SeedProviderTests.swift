import Testing

@testable import TokenFormats
@testable import TokenProviders

/// The documentation of three providers, quoted exactly; `Tests/run wire_profiles` compares the
/// bytes of a real connection.
@Suite("FebBox, Fxiaoke and Xee as their pages describe them") struct SeedProviderTests {
    private func request(
        _ provider: String, _ kind: ExchangeKind, _ more: [String: String] = [:],
        uuid: String = "11111111-2222-4333-8444-555555555555"
    ) throws -> RenderedRequest {
        let profile = try #require(BuiltInProfiles.profile(named: provider))
        var context = TemplateContext(nonce: Examples.nonce(uuid))
        for (name, variable) in profile.variables { context.values[name] = variable.defaultValue }
        context.set(.clientID, "client_id")
        context.set(.clientSecret, "client_secret")
        for (name, value) in more { context.values[name] = .string(value) }
        return try profile.exchange(kind).request.render(in: context)
    }

    private func read(
        _ provider: String, _ status: Int, _ body: String, kind: ExchangeKind = .refresh,
        headers: [(String, String)] = []
    ) throws -> ResponseOutcome {
        let profile = try #require(BuiltInProfiles.profile(named: provider))
        return ResponseReader(profile: profile, kind: kind)
            .read(Examples.answer(status, body, headers: headers), sentAt: Examples.noon.wall)
    }

    private func pairs(_ request: RenderedRequest) -> Set<String> {
        Set(
            String(decoding: request.body ?? [], as: UTF8.self).split(separator: "&").map(
                String.init))
    }

    // MARK: FebBox

    @Test("FebBox: the first token comes by client_credentials, as a form")
    func febBoxAcquire() throws {
        let request = try request("febbox", .acquire)
        #expect(request.method == "POST")
        #expect(request.url == "https://api.febbox.com/oauth/token")
        #expect(
            request.headers.contains(
                HeaderField("Content-Type", "application/x-www-form-urlencoded")))
        #expect(
            pairs(request) == [
                "client_id=client_id", "client_secret=client_secret",
                "grant_type=client_credentials",
            ])
    }

    @Test("FebBox: later ones by refresh_token, at the same place")
    func febBoxRefresh() throws {
        let request = try request("febbox", .refresh, ["refresh_token": "refresh_token"])
        #expect(request.url == "https://api.febbox.com/oauth/token")
        #expect(
            pairs(request) == [
                "client_id=client_id", "client_secret=client_secret", "grant_type=refresh_token",
                "refresh_token=refresh_token",
            ])
    }

    private static let febBoxSample = """
        {
          "code": 0,
          "msg": "string",
          "data": {
            "access_token": "string",
            "expires_in": 0,
            "token_type": "string",
            "scope": null,
            "refresh_token": "string"
          }
        }
        """

    @Test("FebBox: the page's sample has code 0, a failure although its fields are filled")
    func febBoxSampleIsAFailure() throws {
        let reading = try read("febbox", 200, Self.febBoxSample)
        #expect(reading.failure?.failureClass == .transient)
        #expect(reading.refreshToken == nil)
        #expect(reading.failure?.problem == "the provider answered 200 code 0, and no token")
    }

    @Test("FebBox: code 1 is success, with scope null and everything under data")
    func febBoxSuccess() throws {
        let body = Self.febBoxSample.replacing("\"code\": 0", with: "\"code\": 1")
            .replacing("\"expires_in\": 0", with: "\"expires_in\": 7200")
        let reading = try read("febbox", 200, body)
        #expect(reading.token?.accessToken.reveal() == "string")
        #expect(reading.token?.lifetime == .limited(.seconds(7200)))
        #expect(reading.token?.tokenType == "string")
        #expect(reading.token?.scope == nil)
        #expect(reading.refreshToken?.reveal() == "string")
    }

    @Test("FebBox: less than 1 is failure; a refused refresh token means: acquire anew")
    func febBoxFailures() throws {
        let refused = try read("febbox", 200, #"{"code":-1,"msg":"refresh_token is invalid"}"#)
        #expect(refused.failure?.failureClass == .reacquire)
        let other = try read("febbox", 200, #"{"code":-1,"msg":"busy"}"#)
        #expect(other.failure?.failureClass == .transient)
    }

    // MARK: Fxiaoke

    @Test("Fxiaoke: camelCase JSON to the cloud domain, with a trace id in the query")
    func fxiaokeRequest() throws {
        let request = try request("fxiaoke", .refresh, ["refresh_token": "xxxxxx"])
        #expect(
            request.url == "https://open.fxiaoke.com/oauth2.0/token"
                + "?thirdTraceId=11111111-2222-4333-8444-555555555555")
        #expect(request.headers.contains(HeaderField("Content-Type", "application/json")))
        let expected: JSONNode = [
            "grantType": "refresh_token", "appId": "client_id", "appSecret": "client_secret",
            "refreshToken": "xxxxxx",
        ]
        #expect(try JSONReader.read(request.body ?? []) == expected)
    }

    @Test("Fxiaoke: each request has a trace id of its own")
    func fxiaokeTraceIDs() throws {
        let first = try request("fxiaoke", .refresh, ["refresh_token": "x"], uuid: "a")
        let second = try request("fxiaoke", .refresh, ["refresh_token": "x"], uuid: "b")
        #expect(first.url.hasSuffix("=a") && second.url.hasSuffix("=b"))
    }

    private static let fxiaokeSample = """
        {
            "openUserId": "FSUID_xxxxx",
            "accessToken": "FSTOK_xxxxx",
            "refreshToken": "FSREFTOK_xxxxx",
            "expiresIn": 7200,
            "errorCode": 0,
            "errorMessage": "success",
            "traceId": "E-O.fkxxxxxx8bd6"
        }
        """

    @Test("Fxiaoke: the page's answer, with and without errorCode")
    func fxiaokeSuccess() throws {
        for body in [
            Self.fxiaokeSample, Self.fxiaokeSample.replacing("\"errorCode\": 0,", with: ""),
        ] {
            let reading = try read("fxiaoke", 200, body)
            #expect(reading.token?.accessToken.reveal() == "FSTOK_xxxxx")
            #expect(reading.refreshToken?.reveal() == "FSREFTOK_xxxxx")
            #expect(reading.token?.lifetime == .limited(.seconds(7200)))
            #expect(
                reading.token?.keep.map(\.key) == ["open_user_id", "trace_id"])
        }
    }

    @Test("Fxiaoke: an errorCode is an error whatever the HTTP status says")
    func fxiaokeFailure() throws {
        let busy = try read("fxiaoke", 200, #"{"errorCode":20016,"errorMessage":"retry"}"#)
        #expect(busy.failure?.failureClass == .transient)
        let filled = Self.fxiaokeSample.replacing("\"errorCode\": 0", with: "\"errorCode\": 10006")
        let reading = try read("fxiaoke", 200, filled)
        #expect(reading.token == nil)
        #expect(reading.refreshToken == nil)
        #expect(
            reading.failure?.problem
                == "the provider answered 200 errorCode 10006, and no token")
    }

    @Test("Fxiaoke: the refresh token lives two months")
    func fxiaokeLife() throws {
        let profile = try #require(BuiltInProfiles.profile(named: "fxiaoke"))
        #expect(profile.lifecycle.refreshTokenLifetime == .seconds(60 * 86_400))
    }

    // MARK: Xee

    @Test("Xee: Basic with the plain pair, two form parameters")
    func xeeRefresh() throws {
        let request = try request("xee", .refresh, ["refresh_token": "8eb66770"])
        #expect(request.method == "POST")
        #expect(request.url == "https://cloud.xee.com/v3/auth/access_token")
        #expect(
            request.headers.contains(
                HeaderField("Authorization", "Basic Y2xpZW50X2lkOmNsaWVudF9zZWNyZXQ=")))
        #expect(
            request.headers.contains(
                HeaderField("Content-Type", "application/x-www-form-urlencoded")))
        #expect(pairs(request) == ["grant_type=refresh_token", "refresh_token=8eb66770"])
    }

    @Test("Xee: the first request exchanges a code, with two parameters too")
    func xeeCode() throws {
        let request = try request("xee", .authorizationCode, ["code": "the code"])
        #expect(pairs(request) == ["grant_type=authorization_code", "code=the+code"])
        #expect(request.headers.contains { $0.name == "Authorization" })
    }

    private static let xeeSample = """
        {
            "access_token": "22fe0c13e995da4a44a63a7ff549badb5d337a42bf80f17424482e35d4cca91a",
            "expires_at": 1382962374,
            "expires_in": 3600,
            "refresh_token": "8eb667707535655f2d9e14fc6491a59f6e06f2e73170761259907d8de186b6a1",
            "token_type": "bearer"
        }
        """

    @Test("Xee: both expiries there and agreeing is no news")
    func xeeAgreeing() throws {
        let sent = WallTime(epochSeconds: 1_382_962_374 - 3600)
        let profile = try #require(BuiltInProfiles.profile(named: "xee"))
        let reading = ResponseReader(profile: profile, kind: .refresh)
            .read(Examples.answer(200, Self.xeeSample), sentAt: sent)
        #expect(reading.token?.lifetime == .limited(.seconds(3600)))
        #expect(reading.notes == [])
        #expect(reading.token?.tokenType == "bearer")
    }

    @Test("Xee: where they disagree expires_in rules and the difference is noted")
    func xeeDisagreeing() throws {
        let end = Examples.noon.wall.epochSeconds + 5000
        let body = Self.xeeSample.replacing("1382962374", with: String(end))
        let reading = try read("xee", 200, body)
        #expect(reading.token?.lifetime == .limited(.seconds(3600)))
        #expect(reading.notes == [.expiryDisagrees(by: .seconds(1400))])
    }

    @Test("Xee: expires_at alone is measured from the answer's own Date")
    func xeeAbsolute() throws {
        let body = Self.xeeSample.replacing("\"expires_in\": 3600,", with: "")
        let date = [("Date", "Mon, 28 Oct 2013 11:12:54 GMT")]  // 1382958774
        let reading = try read("xee", 200, body, headers: date)
        #expect(reading.token?.lifetime == .limited(.seconds(3600)))
    }

    @Test("Xee: both error shapes are configuration, for the page gives no way to tell more")
    func xeeErrors() throws {
        let array = """
            [
            	{
            		"type": "PARAMETERS_ERROR",
            		"message": "Missing parameter",
            		"tip": "Check you've set the grant_type and the refresh_token"
            	}
            ]
            """
        #expect(try read("xee", 400, array).failure?.failureClass == .config)
        let object = "{\n  \"message\": \"Invalid authentication\"\n}"
        #expect(try read("xee", 401, object).failure?.failureClass == .config)
        #expect(try read("xee", 200, array).failure?.failureClass == .config)
        #expect(try read("xee", 200, object).failure?.failureClass == .config)
    }
}
