import Testing

@testable import TokenConfiguration
@testable import TokenFormats
@testable import TokenProviders

@Suite("Selectors and expiry notations of a profile") struct SelectorTests {
    private func read(
        _ response: String, _ body: String, status: Int = 200, headers: [(String, String)] = []
    ) throws -> ResponseOutcome {
        let profile = try Examples.credential(
            providers: """
                "as": {"request": {"url": "https://id.example/token"}, "response": \(response)}
                """
        ).profile
        return ResponseReader(profile: profile, kind: .refresh)
            .read(
                Examples.answer(status, body, headers: headers),
                sentAt: WallTime(epochSeconds: 1_767_323_045))
    }

    private func jwt(_ claims: String) -> String {
        ["{}", claims, "s"].map { base64(Array($0.utf8), urlSafe: true) }.joined(separator: ".")
    }

    @Test("a claim of the token itself, of another field, and inside another claim")
    func claims() throws {
        let token = jwt(#"{"exp":1767326645,"org":{"id":"o1"},"sub":"me"}"#)
        let found = try read(
            """
            {"expires": {"from": {"jwt_claim": "exp"}, "as": "epoch_seconds"},
             "keep": {"org": {"jwt_claim": "/org/id"},
                      "user": {"jwt_claim": "sub", "of": "/id_token"},
                      "none": {"jwt_claim": "missing"}}}
            """, #"{"access_token":"\#(token)","id_token":"\#(jwt(#"{"sub":"you"}"#))"}"#)
        #expect(found.token?.lifetime == .limited(.seconds(3600)))
        #expect(found.token.map { JSONNode(.object($0.keep)) } == ["org": "o1", "user": "you"])
    }

    @Test("what is no JWT has no claims")
    func noClaims() throws {
        for token in ["a.b", "a.!!.c", "a.e30", "....", "plain"] {
            let found = try read(
                #"{"expires": {"from": {"jwt_claim": "exp"}, "as": "epoch_seconds"}}"#,
                #"{"access_token":"\#(token)"}"#)
            #expect(found.token?.lifetime == .limited(ResponseReader.shortDefaultLifetime))
        }
    }

    @Test(
        "every notation",
        arguments: [
            ("seconds", "7200", 7200), ("seconds", #""7200""#, 7200),
            ("milliseconds", "7200000", 7200), ("minutes", "120", 7200), ("hours", "2", 7200),
            ("epoch_seconds", "1767330245", 7200), ("epoch_milliseconds", "1767330245000", 7200),
            ("rfc3339", #""2026-01-02T05:04:05Z""#, 7200),
            ("iso8601_duration", #""PT2H""#, 7200), ("text_duration", #""2 hours""#, 7200),
            ("days_hh_mm", #""0:02:00""#, 7200), ("auto", "7200", 7200),
            ("auto", "1767330245", 7200), ("auto", "1767330245000", 7200),
            ("auto", #""2026-01-02T05:04:05Z""#, 7200),
            ("datetime:yyyy-MM-dd HH:mm:ss", #""2026-01-02 05:04:05""#, 7200),
            ("datetime:yyyyMMddHHmmssSSSZ", #""20260102130405000+0800""#, 7200),
            ("datetime:yyyyMMddHHmmss", "20260102050405", 7200),
        ])
    func notations(notation: String, value: String, seconds: Int64) throws {
        let found = try read(
            #"{"expires": {"from": "/x", "as": "\#(notation)"}}"#,
            #"{"access_token":"AT","x":\#(value)}"#)
        #expect(found.token?.lifetime == .limited(.seconds(seconds)))
    }

    @Test("the zone of the profile, for a date without one")
    func zone() throws {
        let found = try read(
            """
            {"expires": {"from": "/x", "as": "datetime:yyyy-MM-dd HH:mm:ss", "zone": "+08:00"}}
            """, #"{"access_token":"AT","x":"2026-01-02 13:04:05"}"#)
        #expect(found.token?.lifetime == .limited(.seconds(7200)))
    }

    @Test("10^9 seconds look like a time, and are refused; the next notation is tried")
    func absoluteAsRelative() throws {
        let found = try read(
            #"{"expires": [{"from": "/x"}, {"from": "/x", "as": "epoch_seconds"}]}"#,
            #"{"access_token":"AT","x":1767330245}"#)
        #expect(found.token?.lifetime == .limited(.seconds(7200)))
    }

    @Test("headers, lists, patterns and constants")
    func others() throws {
        let found = try read(
            """
            {"access_token": ["/none", {"header": "X-Token", "regex": "t=([a-z]+)"}],
             "token_type": {"value": "Bearer"}, "expires": null, "default_lifetime": "1h",
             "keep": {"id": {"path": "/url", "regex": "user/([0-9]+)"}}}
            """, #"{"url":"https://x/user/42/me"}"#, headers: [("x-token", "v=1; t=abc")])
        #expect(found.token?.accessToken == Secret("abc"))
        #expect(found.token?.tokenType == "Bearer")
        #expect(found.token?.lifetime == .limited(.seconds(3600)))
        #expect(found.token.map { JSONNode(.object($0.keep)) } == ["id": "42"])
    }
}
