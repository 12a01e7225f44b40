import Testing

@testable import TokenConfiguration
@testable import TokenFormats
@testable import TokenProviders

@Suite("What outputs say and where they may lie") struct OutputTests {
    private func token(_ type: String?, _ text: String = "AT") -> PublishedToken {
        var access = GrantedAccess(
            token: Secret(text), sentAt: Examples.noon, lifetime: .seconds(3600))
        access.tokenType = type
        return PublishedToken(credential: "mail", provider: "as", access: access)
    }

    private func text(_ token: PublishedToken, _ format: OutputSpecification.Format) -> String? {
        token.bytes(as: format).map { String(decoding: $0, as: UTF8.self) }
    }

    @Test(
        "the header names the type that the server gave, if a header can hold it",
        arguments: [
            (nil, "Bearer"), ("Bearer", "Bearer"), ("bearer", "Bearer"), ("BEARER", "Bearer"),
            (" bearer\n", "Bearer"), ("BearerToken", "Bearer"), ("N_A", "Bearer"), ("", "Bearer"),
            ("DPoP", "DPoP"), ("token", "token"), ("MAC", "MAC"),
            (
                "Zoho-oauthtoken",
                "Zoho-oauthtoken"
            ),
            ("two words", "Bearer"), ("a\r\nHost: evil", "Bearer"), ("ü", "Bearer"),
            ("b\u{301}earer", "Bearer"), ("urn:x:y", "Bearer"),
            (String(repeating: "x", count: 33), "Bearer"),
        ] as [(String?, String)])
    func scheme(type: String?, scheme: String) {
        #expect(text(token(type), .header) == "Authorization: \(scheme) AT\n")
        #expect(text(token(type), .curl) == "header = \"Authorization: \(scheme) AT\"\n")
    }

    @Test("a time becomes RFC 3339 or any other text, in UTC or in a zone")
    func times() throws {
        var token = token(nil)
        token.access.sentAt.wall = WallTime(epochSeconds: 1_795_000_000)
        let template = try Template(
            "${rfc3339(expires_at)} ${rfc3339(expires_at, '+08:00')} "
                + "${time(expires_at, 'dd.MM.yyyy HH:mm')}")
        #expect(
            text(token, .template(template))
                == "2026-11-18T12:06:40Z 2026-11-18T20:06:40+08:00 18.11.2026 12:06")
        for wrong in [
            "${rfc3339()}", "${rfc3339(expires_at, 'Mars')}", "${time(expires_at, 'Q')}",
            "${time(expires_at)}",
        ] {
            #expect(throws: (any Error).self) { try Template(wrong) }
        }
        #expect(GivenTime("-1") == nil && GivenTime("soon") == nil)
        #expect(GivenTime("253402300800") == nil, "the year 10000")
    }

    @Test("a JSON template is JSON whatever the provider wrote")
    func jsonTemplate() throws {
        let template = try Template(
            #"{"token": ${json(access_token)}, "name": ${json(keep.name)}, "#
                + #""until": ${json(rfc3339(expires_at))}}"#)
        var token = token("bearer", "a+b/c=")
        let name = "say \"hi\" \\ \n\u{1} {}"
        token.access.keep = [JSONMember("name", .string(name))]
        let bytes = try #require(token.bytes(as: .template(template)))
        let read = try JSONReader.read(bytes)
        #expect(read["token"]?.text == "a+b/c=" && read["name"]?.text == name)
        #expect(read["until"]?.text?.hasSuffix("Z") == true)
        let bare = try Template(#"{"name": "${keep.name}"}"#)
        let broken = try #require(token.bytes(as: .template(bare)))
        #expect(throws: (any Error).self) { try JSONReader.read(broken) }
    }

    private func mistakes(_ output: String) -> [String] {
        let text = """
            {"providers": {\(Examples.rfc(lifecycle: "{}"))},
             "credentials": {"mail": {"provider": "as", "client_id": "id", "client_secret": "s",
               "outputs": [\(output)]}}}
            """
        do throws(ConfigurationMistakes) {
            _ = try Configuration.read(
                main: ConfigurationFile(path: "t", bytes: Array(text.utf8), mode: 0o600))
            return []
        } catch { return error.all.map(\.description) }
    }

    @Test(
        "hidden files are outputs like others",
        arguments: [
            ".npmrc", ".netrc", "mail/.pgpass", "/home/x/.netrc", ".config/tool/token", "...",
            ".evertoken", "mail/.evertoken_token",
        ])
    func hidden(path: String) { #expect(mistakes(#"{"path": "\#(path)"}"#) == []) }

    @Test(
        "names that the daemon gives to its own files, and those that are none, are refused",
        arguments: [
            ".evertoken-lock", "mail/.evertoken-token.new", "/x/.evertoken-a", ".evertoken-d/token",
            ".", "mail/.", "mail/..", "mail//token", "mail/",
        ])
    func reserved(path: String) { #expect(mistakes(#"{"path": "\#(path)"}"#).count == 1) }

    @Test("a name that leaves no room for the temporary one is refused")
    func long() {
        let name = String(repeating: "n", count: 240)
        #expect(mistakes(#"{"path": "mail/\#(name)"}"#) == [])
        #expect(mistakes(#"{"path": "mail/\#(name)n"}"#).count == 1)
    }

    @Test("a file that is written in place stays, and its owner may write to it")
    func inPlace() throws {
        #expect(mistakes(#"{"path": "a", "write": "in-place"}"#) == [])
        #expect(mistakes(#"{"path": "a", "write": "replace", "on_expiry": "remove"}"#) == [])
        #expect(mistakes(#"{"path": "a", "write": "in-place", "on_expiry": "remove"}"#).count == 1)
        #expect(mistakes(#"{"path": "a", "write": "in-place", "mode": "0440"}"#).count == 1)
        #expect(mistakes(#"{"path": "a", "write": "truncate"}"#).count == 1)
        let text = #", "outputs": [{"path": "a", "write": "in-place"}, {"path": "b"}]"#
        let outputs = try Examples.credential(extra: text).outputs
        #expect(outputs.map(\.isWrittenInPlace) == [true, false])
    }

    @Test(
        "the way of writing has a default too, which goes with the others",
        arguments: [
            (#""write": "in-place""#, 0), (#""write": "in-place", "on_expiry": "remove""#, 1),
            (#""write": "in-place", "mode": "0440""#, 1), (#""write": "over""#, 1),
        ])
    func defaultWay(defaults: String, mistakes: Int) throws {
        let text = #"""
            {"defaults": {"output": {\#(defaults)}}, "credentials": {
              "one": {"provider": "xee", "client_id": "id", "client_secret": "s"},
              "two": {"provider": "xee", "client_id": "id", "client_secret": "s", "outputs": [
                {"path": "two/a"}, {"path": "two/b", "write": "replace"}]}}}
            """#
        let file = ConfigurationFile(path: "t.json", bytes: Array(text.utf8), mode: 0o600)
        let read = Result { () throws(ConfigurationMistakes) in
            try Configuration.read(main: file)
        }
        switch read {
        case .success(let configuration):
            #expect(mistakes == 0)
            let ways = configuration.credentials.map { $0.outputs.map(\.isWrittenInPlace) }
            #expect(ways == [[true, true], [true, false]])
        case .failure(let found): #expect(mistakes > 0 && found.all.count >= mistakes)
        }
    }
}
