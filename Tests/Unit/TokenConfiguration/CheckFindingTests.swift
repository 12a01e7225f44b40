import Testing

@testable import TokenConfiguration
@testable import TokenFormats
@testable import TokenProviders

/// A configuration with one provider and credentials given as text.
func checkedConfiguration(
    _ credentials: String, provider: String = #""url": "https://id.example/token""#,
    more: String = "", whole: String = ""
) throws -> Configuration {
    let text = """
        {\(whole)"providers": {"as": {"request": {\(provider)}\(more)}},
         "credentials": {\(credentials)}}
        """
    return try Configuration.read(
        main: ConfigurationFile(path: "c.json", bytes: Array(text.utf8), mode: 0o600))
}

func crmEntry(_ more: String = "") -> String {
    #""crm": {"provider": "as", "client_id": "1", "client_secret": {"env": "S"}"# + more + "}"
}

@Suite("What a configuration shows to have no effect") struct SettingFindingTests {
    private func texts(
        _ credentials: String, provider: String = #""url": "https://id.example/token""#,
        more: String = "", whole: String = ""
    ) throws -> [String] {
        try checkedConfiguration(credentials, provider: provider, more: more, whole: whole)
            .settingFindings.map(\.text)
    }

    @Test("a scope that no request sends; one that a request or a sign-in sends is fine")
    func scope() throws {
        let set = crmEntry(#", "scope": "read""#)
        #expect(
            try texts(set) == [
                "crm.scope: has no effect: provider \"as\" never sends it; remove it, or name it "
                    + "in the provider's request"
            ])
        let sent = #""url": "https://id.example/token", "params": {"scope": "${scope}"}"#
        #expect(try texts(set, provider: sent) == [])
        let signIn = #", "authorization": {"url": "https://id.example/authorize"}"#
        #expect(try texts(set, more: signIn) == [])
    }

    @Test("a client secret that a public client never sends")
    func secret() throws {
        let provider = #""url": "https://id.example/token", "client_auth": "none""#
        #expect(
            try texts(crmEntry(), provider: provider).map { $0.prefix(33) } == [
                "crm.client_secret: has no effect:"
            ])
        let own = provider + #", "params": {"secret": "${client_secret}"}"#
        #expect(try texts(crmEntry(), provider: own) == [])
    }

    @Test("a variable that nothing names, of a credential and of a provider")
    func variables() throws {
        let set = crmEntry(#", "variables": {"tenant": "t", "teant": "t"}"#)
        let provider = #""url": "https://id.example/${tenant}/token""#
        #expect(
            try texts(set, provider: provider) == [
                "crm.variables.teant: has no effect: nothing in provider \"as\" names it; remove "
                    + "it, or correct its name"
            ])
        let declared = #", "variables": {"tenant": {"default": "t"}, "region": {"default": "r"}}"#
        #expect(
            try texts(crmEntry(), provider: provider, more: declared).map { $0.prefix(30) } == [
                "providers.as.variables.region:"
            ])
    }

    @Test(
        "what only a sign-in knows is not there at a refresh", arguments: ["code_verifier", "code"])
    func unknown(name: String) throws {
        let provider = #""url": "https://id.example/token", "params": {"v": "${\#(name)}"}"#
        #expect(
            try texts(crmEntry(), provider: provider) == [
                "crm.provider: a request names ${\(name)}, which is not known at a refresh: its "
                    + "part is left out; name it under \"authorization\" only"
            ])
    }

    @Test("an initial refresh token comes without the access token that the request names")
    func accessToken() throws {
        let provider = #""url": "https://id.example/token", "params": {"t": "${access_token}"}"#
        #expect(try texts(crmEntry(), provider: provider) == [])
        let seeded = crmEntry(#", "refresh_token": {"file": "s"}"#)
        let found = try texts(seeded, provider: provider)
        #expect(found.count == 1)
        #expect(found.first?.contains("evertoken login crm") == true)
        let own = #", "lifecycle": {"refresh_token": "access_token"}"#
        #expect(try texts(seeded, provider: provider, more: own) == [])
    }

    @Test("two files of format env whose variables have one name")
    func environment() throws {
        func entry(_ name: String, _ format: String) -> String {
            #""\#(name)": {"provider": "as", "client_id": "1", "client_secret": {"env": "S"}, "#
                + #""outputs": [{"path": "\#(name)/t", "format": "\#(format)"}]}"#
        }
        let both = entry("my-crm", "env") + ", " + entry("my.crm", "env")
        #expect(
            try texts(both) == [
                "my.crm.outputs: writes the variable MY_CRM_ACCESS_TOKEN, and so does \"my-crm\"; "
                    + "rename one, if one program reads both"
            ])
        #expect(try texts(entry("my-crm", "env") + ", " + entry("my.crm", "raw")) == [])
        #expect(try texts(entry("my-crm", "env") + ", " + entry("my.crn", "env")) == [])
    }

    @Test(
        "one initial refresh token for two credentials",
        arguments: [
            #"{"env": "RT"}"#, #"{"file": "s"}"#, #"{"command": ["/usr/bin/pass", "rt"]}"#,
            #""rt""#,
        ])
    func refreshTokens(source: String) throws {
        func entry(_ name: String) -> String {
            #""\#(name)": {"provider": "as", "client_id": "1", "client_secret": {"env": "S"}, "#
                + #""refresh_token": \#(source)}"#
        }
        let found = try texts(entry("a") + ", " + entry("b"))
        #expect(found.count == 1)
        #expect(found.first?.hasPrefix("b.refresh_token: ") == true)
        #expect(found.first?.contains("\"a\"") == true)
        #expect(try texts(entry("a")) == [])
    }

    @Test("a provider without a user is judged by its URL; with one that is a mistake as before")
    func unused() throws {
        let provider = #""url": "http://id.example/token""#
        #expect(try texts("", provider: provider).map { $0.prefix(13) } == ["providers.as:"])
        #expect(throws: ConfigurationMistakes.self) {
            try checkedConfiguration(crmEntry(), provider: provider)
        }
    }

    @Test(
        "no shipped profile, used as its page says, has a setting without effect",
        arguments: BuiltInProfiles.shippedNames)
    func shipped(name: String) throws {
        let profile = try #require(BuiltInProfiles.profile(named: name))
        var entry = ProfileDescription(profile).credential(named: "crm").members ?? []
        // Also sets every variable that it declares.
        for (variable, declared) in profile.variables.sorted(by: { $0.key < $1.key })
        where ContextVariable(rawValue: variable) == nil {
            var all = entry.first { $0.key == "variables" }?.value.members ?? []
            if all.contains(where: { $0.key == variable }) { continue }
            let value = declared.example ?? declared.defaultValue ?? "x"
            all.append(JSONMember(variable, value))
            entry.removeAll { $0.key == "variables" }
            entry.append(JSONMember("variables", JSONNode(.object(all))))
        }
        let document: JSONNode = ["credentials": ["crm": JSONNode(.object(entry))]]
        let found: [CheckFinding]
        do throws(ConfigurationMistakes) {
            found = try Configuration.read(
                main: ConfigurationFile(
                    path: "c.json", bytes: document.serialized(), mode: 0o600)
            ).settingFindings
        } catch {
            // The profile table checks whether an example matches its pattern.
            #expect(error.all.allSatisfy { $0.problem.contains("does not match") }, "\(error.all)")
            return
        }
        #expect(found.map(\.text) == [])
    }
}
