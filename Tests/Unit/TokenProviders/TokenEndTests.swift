import Testing

@testable import TokenConfiguration
@testable import TokenFormats
@testable import TokenProviders

/// K2: the earliest expiry in the response decides.
@Suite("The end of a token") struct TokenEndTests {
    /// The server's clock, an hour behind this host's clock.
    private static let date = ("Date", "Mon, 28 Oct 2013 11:12:54 GMT")
    private static let server: Int64 = 1_382_958_774

    private static let response = #"""
        {"expires": [{"from": "/expires_in"}, {"from": "/expires_at", "as": "epoch_seconds"}],
         "refresh_expires": [{"from": "/refresh_expires_in"},
           {"from": "/refresh_expires_at", "as": "epoch_seconds"}]EXTRA}
        """#

    private func read(
        _ fields: String, token: String = "AT2", isDated: Bool = true, extra: String = ""
    ) throws -> ResponseOutcome {
        let credential = try Examples.credential(
            providers: #""as": {"request": {"url": "https://id.example/token"}, "response": "#
                + Self.response.replacing("EXTRA", with: extra) + "}")
        let body =
            #"{"access_token":""# + token + #"","refresh_token":"RT2""#
            + (fields.isEmpty ? "" : "," + fields) + "}"
        return ResponseReader(profile: credential.profile, kind: .refresh).read(
            Examples.answer(200, body, headers: isDated ? [Self.date] : []),
            sentAt: WallTime(epochSeconds: Self.server + 3600))
    }

    private static func jwt(_ claims: String) -> String {
        "e30." + base64(Array(claims.utf8), urlSafe: true) + ".c2ln"
    }

    /// Two sources with different values: seconds, or `nil` for a token that has expired.
    @Test(
        "every pair of sources that can disagree",
        arguments: [
            (#""expires_in":3600,"expires_at":@300"#, "", 300),
            (#""expires_in":300,"expires_at":@3600"#, "", 300),
            (#""expires_in":3600"#, #"{"exp":@300}"#, 300),
            (#""expires_in":300"#, #"{"exp":@3600}"#, 300),
            (#""expires_in":3600"#, #"{"iat":@0,"exp":@300}"#, 300),
            (#""expires_at":@3600"#, #"{"exp":@300}"#, 300),
            (#""expires_at":@300"#, #"{"exp":@3600}"#, 300),
            (#""expires_in":3600"#, #"{"iat":@-600,"exp":@900}"#, 900),
            (#""expires_in":3600,"expires_at":@900"#, #"{"exp":@300}"#, 300),
            (#""expires_in":3600"#, #"{"exp":@-3600}"#, nil),
            (#""expires_in":-3600"#, #"{"exp":@-3600}"#, nil),
            (#""expires_in":-1,"expires_at":@3600"#, "", nil),
            (#""expires_in":0,"expires_at":@3600"#, "", nil),
            (#""expires_in":3600,"expires_at":@-30"#, "", nil), (#""expires_at":@-30"#, "", nil),
            (#""expires_at":0"#, "", nil), (#""expires_in":"0""#, "", nil),
            (#""expires_in":0.2"#, "", nil), (#""expires_in":"-5""#, "", nil),
            // A constant is ignored; so is a JWT that expired before it was issued, or in 1999.
            (#""expires_in":3600,"expires_at":1300000000"#, "", 3600),
            (#""expires_in":3600"#, #"{"iat":@50,"exp":@50}"#, 3600),
            (#""expires_in":3600"#, #"{"exp":930000000}"#, 3600),
        ] as [(String, String, Int64?)])
    func pairs(fields: String, claims: String, seconds: Int64?) throws {
        let reading = try read(
            Self.filled(fields), token: claims.isEmpty ? "AT2" : Self.jwt(Self.filled(claims)))
        #expect(reading.token?.lifetime.duration == seconds.map { .seconds($0) })
        #expect(reading.refreshToken?.reveal() == "RT2")
        guard seconds != nil else {
            #expect(reading.failure?.failureClass == .transient)
            #expect(reading.failure?.problem.contains("already ended") == true)
            return
        }
        // Each of these differs by more than the duration of a response.
        #expect(!reading.notes.isEmpty)
    }

    /// Replaces `@300` by the server's time in 300 s.
    private static func filled(_ text: String) -> String {
        let parts = text.split(separator: "@", omittingEmptySubsequences: false)
        return parts[0]
            + parts.dropFirst().map { part in
                let digits = part.prefix { $0 == "-" || $0.isNumber }
                return String(server + (Int64(digits) ?? 0)) + part.dropFirst(digits.count)
            }.joined()
    }

    @Test(
        "a number in quotes is a number",
        arguments: [
            ("\"3600 \"", 3600), ("\" 3599.97\"", 3599), ("\"+60\"", 60), ("\"3.6e3\"", 3600),
            ("\"3600\\n\"", 3600),
        ])
    func quoted(value: String, seconds: Int64) throws {
        let lifetime = try read("\"expires_in\":" + value).token?.lifetime.duration
        #expect(lifetime?.components.seconds == seconds)
    }

    @Test(
        "what is no number is no end",
        arguments: ["\"nan\"", "\"0x10\"", "\"inf\"", "\"1 2\"", "[]"])
    func noNumber(value: String) throws {
        let reading = try read("\"expires_in\":" + value)
        #expect(reading.token?.lifetime == .limited(.seconds(300)))
        #expect(reading.notes == [.expiryAssumed(.seconds(300))])
    }

    @Test("without the server's clock an absolute end counts only where nothing else was said")
    func undated() throws {
        let host = Self.server + 3600
        let both = try read("\"expires_in\":3600,\"expires_at\":\(host + 60)", isDated: false)
        #expect(both.token?.lifetime == .limited(.seconds(3600)))
        #expect(both.notes == [.expiryDisagrees(by: .seconds(3540))])
        let alone = try read("\"expires_at\":\(host + 60)", isDated: false)
        #expect(alone.token?.lifetime == .limited(.seconds(60)))
        let past = try read("\"expires_at\":\(host - 60)", isDated: false)
        #expect(past.token == nil)
        let claims = Self.jwt("{\"iat\":5000000000,\"exp\":5000000300}")
        let byIssue = try read("\"expires_in\":3600", token: claims, isDated: false)
        #expect(byIssue.token?.lifetime == .limited(.seconds(300)))
    }

    @Test("a JWT's milliseconds, and a profile that does not read JWTs")
    func jwtForms() throws {
        let milliseconds = Self.jwt("{\"exp\":\((Self.server + 300) * 1000)}")
        #expect(
            try read("\"expires_in\":3600", token: milliseconds).token?.lifetime
                == .limited(.seconds(300)))
        let off = try read(
            "\"expires_in\":3600", token: milliseconds, extra: ", \"jwt_expiry\": false")
        #expect(off.token?.lifetime == .limited(.seconds(3600)))
        #expect(off.notes == [])
    }

    @Test(
        "what a profile says of zero wins",
        arguments: [("never", TokenLifetime.never), ("unknown", .limited(.seconds(300)))])
    func zero(policy: String, lifetime: TokenLifetime) throws {
        let reading = try read("\"expires_in\":0", extra: ", \"zero_lifetime\": \"\(policy)\"")
        #expect(reading.token?.lifetime == lifetime)
        let error = try read("\"expires_in\":0", extra: ", \"zero_lifetime\": \"error\"")
        #expect(error.failure?.problem == "the new token has no time to live")
    }

    @Test(
        "the end of a refresh token is the earliest; zero and the past are none",
        arguments: [
            (#""refresh_expires_in":0"#, nil), (#""refresh_expires_in":-5"#, nil),
            (#""refresh_expires_in":600,"refresh_expires_at":@60"#, 60),
            (#""refresh_expires_in":60,"refresh_expires_at":@600"#, 60),
            (#""refresh_expires_in":0,"refresh_expires_at":@600"#, 600),
            (#""refresh_expires_in":"600 ""#, 600), (#""x":1"#, nil),
        ] as [(String, Int64?)])
    func refreshEnds(fields: String, seconds: Int64?) throws {
        let reading = try read(Self.filled(fields) + ",\"expires_in\":60")
        #expect(reading.token?.refreshLifetime == seconds.map { .seconds($0) })
    }
}
