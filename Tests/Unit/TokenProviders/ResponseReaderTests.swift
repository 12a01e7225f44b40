import Testing

@testable import TokenConfiguration
@testable import TokenFormats
@testable import TokenProviders

@Suite("Reading answers") struct ResponseReaderTests {
    private func read(
        _ status: Int, _ body: String, headers: [(String, String)] = [],
        response: String = "{}", isCut: Bool = false
    ) throws -> ResponseOutcome {
        let credential = try Examples.credential(
            providers: #""as": {"request": {"url": "https://id.example/token"}, "response": "#
                + response + "}")
        var raw = Examples.answer(status, body, headers: headers)
        raw.isTruncated = isCut
        return ResponseReader(profile: credential.profile, kind: .refresh)
            .read(raw, sentAt: Examples.noon.wall)
    }

    @Test(
        "I23: no expires_in crashes it or makes a token live shorter than a moment",
        arguments: [
            ("\"x\":1", 300), ("\"expires_in\":null", 300), ("\"expires_in\":\"\"", 300),
            ("\"expires_in\":1e18", 300),
            ("\"expires_in\":1e400", 300), ("\"expires_in\":\"3600\"", 3600),
            ("\"expires_in\":3600.5", 3600), ("\"expires_in\":true", 300),
            ("\"expires_in\":9223372036854775808", 300),
            ("\"expires_in\":18446744073709551616", 300), ("\"expires_in\":[1]", 300),
            ("\"expires_in\":1795003600", 300),
            ("\"expires_in\":60", 60),
        ])
    func expiresIn(field: String, seconds: Int64) throws {
        let reading = try read(200, "{\"access_token\":\"a\",\(field)}")
        let lifetime = try #require(reading.token?.lifetime.duration)
        #expect(lifetime.components.seconds == seconds)
    }

    @Test(
        "I9: a refresh token that is absent, null, empty or no string keeps the old one",
        arguments: [
            "\"x\":1", "\"refresh_token\":null", "\"refresh_token\":\"\"",
            "\"refresh_token\":5", "\"refresh_token\":{}",
        ])
    func keepsOld(field: String) throws {
        let reading = try read(200, "{\"access_token\":\"a\",\"expires_in\":60,\(field)}")
        #expect(reading.token != nil)
        #expect(reading.refreshToken == nil)
    }

    @Test(
        "I19: a token with bytes outside VSCHAR is not published, its refresh token is kept",
        arguments: ["a\\r\\nb", "a\\u0000b", "caf\\u00e9", "\\ud83d\\ude00"])
    func oddBytes(token: String) throws {
        let reading = try read(
            200, "{\"access_token\":\"\(token)\",\"expires_in\":60,\"refresh_token\":\"new\"}")
        #expect(reading.token == nil)
        #expect(reading.refreshToken?.reveal() == "new")
        #expect(reading.failure?.failureClass == .transient)
    }

    @Test("a refresh token of any bytes is kept as it came")
    func oddRefreshToken() throws {
        let reading = try read(
            200, "{\"access_token\":\"a\",\"expires_in\":60,\"refresh_token\":\"n\\u0000é\"}")
        #expect(reading.refreshToken?.reveal() == "n\u{0}é")
    }

    @Test("I2: a cut answer whose refresh token is whole gives it up")
    func salvage() throws {
        let body = #"{"expires_in":60,"refresh_token":"new-\"one","access_tok"#
        let reading = try read(200, body, isCut: true)
        #expect(reading.refreshToken?.reveal() == "new-\"one")
        #expect(reading.notes == [.refreshTokenSalvaged])
    }

    @Test("a cut answer is ambiguous at every byte until its refresh token is whole")
    func cutAnywhere() throws {
        let body = #"{"access_token":"aaaa","refresh_token":"rrrr","expires_in":60}"#
        let end = try #require(body.firstRange(of: "rrrr\"")?.upperBound)
        let whole = body.distance(from: body.startIndex, to: end)
        for count in 0..<body.count {
            let reading = try read(200, String(body.prefix(count)), isCut: true)
            #expect(reading.token == nil, "\(count)")
            if count < whole {
                #expect(reading.failure?.failureClass == .ambiguous, "\(count)")
            } else {
                #expect(reading.refreshToken?.reveal() == "rrrr", "\(count)")
            }
        }
    }

    @Test("a cut refusal is ambiguous, never a dead token")
    func cutRefusal() throws {
        let reading = try read(400, #"{"error":"invalid_gr"#, isCut: true)
        #expect(reading.failure?.failureClass == .ambiguous)
    }

    @Test(
        "built-in classes",
        arguments: [
            (400, #"{"error":"invalid_grant"}"#, FailureClass.reauth),
            (403, #"{"error":"invalid_grant"}"#, .reauth),
            (200, #"{"error":"invalid_grant"}"#, .reauth),
            (400, #"{"error":"invalid_client"}"#, .config),
            (
                400, #"{"error":"invalid_request","error_description":"Too many requests"}"#,
                .rateLimited
            ),
            (401, #"{"error":"temporarily_unavailable"}"#, .transient), (429, "{}", .rateLimited),
            (503, "<html>", .transient), (500, "", .transient), (408, "", .transient),
            (400, "", .reauth), (401, "<html>", .reauth), (403, "", .reauth), (404, "{}", .config),
            (404, "", .config), (302, "", .config), (302, #"{"error":"invalid_grant"}"#, .config),
            (200, "<html>login</html>", .ambiguous),
            (200, "", .ambiguous), (200, "[]", .ambiguous), (200, "null", .ambiguous),
            (204, "", .ambiguous), (200, "{}", .ambiguous),
        ])
    func classes(status: Int, body: String, expected: FailureClass) throws {
        #expect(try read(status, body).failure?.failureClass == expected)
    }

    @Test("a refresh token outlives what is wrong elsewhere in the answer")
    func wrongElsewhere() throws {
        let plain = Array(
            #"{"access_token":"a","refresh_token":"new","expires_in":60,"user":"X"}"#.utf8)
        let profile = try Examples.credential().profile
        func read(_ bytes: [UInt8]) -> ResponseOutcome {
            ResponseReader(profile: profile, kind: .refresh).read(
                RawResponse(status: 200, body: bytes), sentAt: Examples.noon.wall)
        }
        let latin1 = plain.map { $0 == UInt8(ascii: "X") ? 0xE9 : $0 }
        #expect(read(latin1).token?.accessToken.reveal() == "a")
        #expect(read([0xEF, 0xBB, 0xBF] + plain).refreshToken?.reveal() == "new")
        let twice = Array(
            String(decoding: plain, as: UTF8.self).replacing("user", with: "expires_in").utf8)
        #expect(read(twice).refreshToken?.reveal() == "new")
        let cutInside = Array(latin1.dropLast(2))
        #expect(read(cutInside).refreshToken?.reveal() == "new")
    }

    @Test("no refusal, cut or whole, is searched for a refresh token")
    func refusalsAreNotSalvaged() throws {
        let body = #"{"errors":{"refresh_token":"has expired","#
        #expect(try read(400, body, isCut: true).refreshToken == nil)
        #expect(try read(400, body).refreshToken == nil)
    }

    @Test("Retry-After in seconds and as a date, capped at an hour")
    func retryAfter() throws {
        let date = ("Date", "Sun, 06 Nov 1994 08:49:37 GMT")
        let cases: [(String, Duration?)] = [
            ("120", .seconds(120)), ("999999", .seconds(3600)), ("-1", .zero), ("garbage", nil),
            ("Sun, 06 Nov 1994 08:50:07 GMT", .seconds(30)),
        ]
        for (value, expected) in cases {
            let reading = try read(429, "", headers: [("Retry-After", value), date])
            #expect(reading.failure?.retryAfter == expected, "\(value)")
        }
    }

    @Test("I29: nothing a server writes reaches the problem text unless it is a known code")
    func noEcho() throws {
        let echo = "RT-SECRET-0123456789"
        for body in [
            #"{"error":"\#(echo)"}"#,
            #"{"error":"invalid_request","error_description":"\#(echo)"}"#,
            echo, #"{"code":"\#(echo)"}"#,
        ] {
            let problem = try #require(try read(400, body).failure?.problem)
            #expect(!problem.contains("SECRET"), "\(problem)")
        }
    }

    @Test("form bodies, JWT expiry, zero and default lifetimes")
    func otherShapes() throws {
        let form = try read(
            200, "access_token=a%20b&expires_in=60&refresh_token=r",
            headers: [("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")])
        #expect(form.token?.accessToken.reveal() == "a b")
        #expect(form.token?.lifetime == .limited(.seconds(60)))
        let claims = base64(Array("{\"exp\":1795000090}".utf8), urlSafe: true)
        let jwt = try read(200, "{\"access_token\":\"e.\(claims).s\"}")
        #expect(jwt.token?.lifetime == .limited(.seconds(90)))
        let never = try read(
            200, #"{"access_token":"a","expires_in":0}"#, response: #"{"zero_lifetime":"never"}"#)
        #expect(never.token?.lifetime == .never)
        let hour = try read(
            200, #"{"access_token":"a"}"#, response: #"{"default_lifetime":"1h"}"#)
        #expect(hour.token?.lifetime == .limited(.seconds(3600)))
    }
}
