import Testing

@testable import TokenControl
@testable import TokenFormats
@testable import TokenSlots

@Suite("Tokens that a person brings") struct ImportReadingTests {
    /// 2026-11-18T11:06:40Z.
    private static let now = WallTime(epochSeconds: 1_795_000_000)

    private func read(_ text: String, section: String? = nil) throws -> ImportReading {
        try ImportReading(Array(text.utf8), section: section, now: Self.now)
    }

    private func mistake(_ text: String, section: String? = nil) -> String {
        do throws(RequestError) {
            _ = try ImportReading(Array(text.utf8), section: section, now: Self.now)
            return "it was taken"
        } catch { return error.text }
    }

    /// An hour from now, in the format of each program.
    @Test(
        "what other programs store of a token is understood",
        arguments: [
            // RFC 6749, with a byte order mark.
            "\u{FEFF}{\"access_token\": \"AT\", \"refresh_token\": \"RT\", \"expires_in\": 3600}",
            // x/oauth2.
            """
            {"access_token":"AT","token_type":"Bearer","refresh_token":"RT",
             "expiry":"2026-11-18T13:06:40.123456789+01:00"}
            """,
            // requests-oauthlib.
            """
            {"access_token": "AT", "refresh_token": "RT", "expires_in": 7200,
             "token_type": "Bearer", "expires_at": 1795003600.41, "scope": ["a", "b"]}
            """,
            // google-auth.
            """
            {"token": "AT", "refresh_token": "RT", "token_uri": "https://x.example/token",
             "client_id": "c", "client_secret": "s", "scopes": ["a"],
             "expiry": "2026-11-18T12:06:40.5Z", "type": "authorized_user"}
            """,
            #"{"token": "AT", "refresh_token": "RT", "expiry": "2026-11-18T12:06:40.123456"}"#,
            #"{"token": "AT", "refresh_token": "RT", "expiry": "2026-11-18 12:06:40"}"#,
            // oidc-agent.
            """
            {"access_token": "AT", "refresh_token": "RT", "issuer": "https://i.example/",
             "expires_at": 1795003600}
            """,
            // google-auth-library for Node.js.
            #"{"access_token": "AT", "refresh_token": "RT", "expiry_date": 1795003600000}"#,
            #"{"accessToken": "AT", "refreshToken": "RT", "expiresAt": "1795003600"}"#,
            #"{"access_token": "AT", "refresh_token": "RT", "expiry": "2026-11-18T13:06:40+0100"}"#,
            // rclone.
            """
            [gdrive]
            type = drive
            token = {"access_token":"AT","token_type":"Bearer","refresh_token":"RT","expiry":\
            "2026-11-18T12:06:40Z"}\r
            team_drive =
            """,
            """
            {"d": {"type": "drive", "token": "{\\"access_token\\":\\"AT\\",\\"refresh_token\\":\
            \\"RT\\",\\"expiry\\":\\"2026-11-18T12:06:40Z\\"}"}, "l": {"type": "local"}}
            """,
        ])
    func formats(text: String) throws {
        let reading = try read(text)
        #expect(reading.tokens.accessToken == Secret("AT"))
        #expect(reading.tokens.refreshToken == Secret("RT"))
        let lifetime = try #require(reading.tokens.lifetime)
        #expect(lifetime >= .seconds(3600) && lifetime < .seconds(3601), "\(lifetime)")
        #expect(!reading.notes.contains { $0.contains("five minutes") })
    }

    @Test("the earliest end holds, a JWT's own among them")
    func earliest() throws {
        let claims = base64(Array(#"{"exp": 1795000300}"#.utf8), urlSafe: true)
        for (text, seconds) in [
            (#"{"access_token": "a.\#(claims).c", "expires_in": 3600}"#, 300),
            (#"{"access_token": "a.\#(claims).c"}"#, 300),
            (#"{"access_token": "a", "expires_in": 60, "expires_at": 1795003600}"#, 60),
            (#"{"access_token": "a", "expires_in": "3599.5 "}"#, 3599),
        ] {
            #expect(try read(text).tokens.lifetime?.components.seconds == Int64(seconds), "\(text)")
        }
    }

    @Test("an access token that has ended is left out, and said, where a refresh token is there")
    func ended() throws {
        for end in [
            #""expires_in": 0"#, #""expires_in": -5"#, #""expires_at": 1700000000"#,
            #""expiry": "2025-01-01T00:00:00Z""#,
        ] {
            let reading = try read(#"{"access_token": "AT", "refresh_token": "RT", \#(end)}"#)
            #expect(reading.tokens.accessToken == nil && reading.tokens.lifetime == nil)
            #expect(reading.tokens.refreshToken == Secret("RT"))
            #expect(reading.notes.contains { $0.contains("expired") })
            #expect(mistake(#"{"access_token": "AT", \#(end)}"#).contains("expired"))
        }
    }

    @Test("five minutes are never assumed in silence")
    func assumed() throws {
        for end in ["", #", "expiry": "0001-01-01T00:00:00Z""#, #", "expires_at": null"#] {
            let reading = try read(#"{"access_token": "AT", "refresh_token": "RT"\#(end)}"#)
            #expect(reading.tokens.lifetime == .seconds(300))
            #expect(reading.notes.contains { $0.contains("five minutes") }, "\(end)")
        }
        for end in [
            #""expiry": "tomorrow""#, #""expires_at": true"#, #""expires_in": "soon""#,
            #""expires_at": -1"#, #""expiry": 1e15"#,
        ] {
            let text = #"{"access_token": "AT", "refresh_token": "RT", \#(end)}"#
            #expect(mistake(text).contains("is not usable"), "\(end): \(mistake(text))")
        }
        let other = try read(
            #"{"access_token": "AT", "expiry": "tomorrow", "expires_in": 60}"#)
        #expect(other.tokens.lifetime == .seconds(60))
        #expect(other.notes == ["expiry is not usable; another end is"])
        #expect(try read(#"{"refresh_token": "RT", "expiry": "tomorrow"}"#).notes.isEmpty)
    }

    @Test("what was passed over is named, but nothing that may be a token")
    func passedOver() throws {
        let reading = try read(
            """
            {"refresh_token": "RT", "id_token": "x", "client_id": "c", "s3cretTOKEN9": 1,
             "refresh_tokn": "y", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa": null}
            """)
        #expect(
            reading.notes == [
                "not imported: id_token, client_id, refresh_tokn",
                "not imported: 1 of other names",
                "the credential's client_id must be the one that these tokens were given to",
            ])
        #expect(try read(#"{"refresh_token": "RT", "expires_in": 5}"#).notes == [])
    }

    private static let configuration = """
        # a comment, with token = nothing
        [gdrive]
        type = drive
        token = {"access_token":"","refresh_token":"RT-G"}
        [local]
        type = local
        [one drive]
        token={"refresh_token":"RT-O"}

        """

    @Test("of several tokens one must be named, and those there are are told")
    func sections() throws {
        let good = Self.configuration.replacing(#""access_token":"","#, with: "")
        #expect(mistake(good).contains("2 tokens: of [gdrive], [one drive]"))
        #expect(mistake(good).contains("--section"))
        #expect(mistake(good, section: "local").contains("[gdrive], [one drive]"))
        #expect(try read(good, section: "gdrive").tokens.refreshToken == Secret("RT-G"))
        #expect(try read(good, section: "one drive").tokens.refreshToken == Secret("RT-O"))
        let dump = #"{"a": {"token": "{\"refresh_token\": \"RT-A\"}"}, "b": {"token": "{}"}}"#
        #expect(mistake(dump).contains("[a], [b]"))
        #expect(try read(dump, section: "a").tokens.refreshToken == Secret("RT-A"))
        #expect(mistake(#"{"refresh_token": "RT"}"#, section: "a").contains("--section"))
    }

    @Test("what is none of these is refused without a word of it")
    func refused() {
        let texts = [
            "", "s3cret", "[]", #""s3cret""#, "{", #"{"refresh_token": 7, "s3cret": 1}"#, "{}",
            #"{"refresh_token": ""}"#, #"{"access_token": "AT", "scope": "a\u00e9s3cret"}"#,
            "RCLONE_ENCRYPT_V0:\ns3cret", "# Encrypted rclone configuration File\n\ns3cret",
            "[s3cret]\ntype = local", "token = {s3cret}", #"{"token": "{s3cret}"}"#,
        ]
        for text in texts {
            let said = mistake(text)
            #expect(said != "it was taken" && !said.contains("s3cret"), "\(text): \(said)")
        }
        #expect(mistake(texts[9]).contains("encrypted"))
        let wide: [UInt8] = [0xFF, 0xFE, 0x7B, 0x00, 0x7D, 0x00]
        #expect(throws: RequestError.self) { try ImportReading(wide, now: Self.now) }
    }

    @Test("what is handed on to the daemon is read there as the same")
    func handedOn() throws {
        for text in [
            #"{"refresh_token": "RT"}"#,
            """
            {"access_token": "AT", "refresh_token": "RT", "token_type": "Bearer", "scope": "a b",
             "expires_at": 1795003600}
            """,
        ] {
            let reading = try read(text)
            let again = try ImportReading(
                reading.tokens.json(now: Self.now).serialized(), now: Self.now)
            #expect(again == reading && again.notes == [])
        }
    }
}
