import Testing

@testable import TokenConfiguration
@testable import TokenFormats
@testable import TokenProviders

/// The questions of `evertoken add`, and the file that results from the answers.
@Suite("new credentials") struct NewCredentialTests {
    private func new(_ provider: String, in directory: String = "/etc/evertoken") throws
        -> NewCredential
    {
        let profile = try #require(BuiltInProfiles.profile(named: provider))
        return NewCredential(name: "crm", profile: profile, directory: directory)
    }

    private func text(_ node: JSONNode) -> String {
        String(decoding: node.serialized(), as: UTF8.self)
    }

    @Test("secrets go to files of their own, all else into the drop-in")
    func document() throws {
        var credential = try new("xee")
        #expect(credential.missing.map(\.name) == ["client_id", "client_secret"])
        try credential.answer("client_id", "the id")
        try credential.answer("client_secret", "s3cret")
        #expect(credential.missing.isEmpty)
        let written = text(credential.document)
        #expect(
            written == #"{"credentials":{"crm":{"provider":"xee","client_id":"the id","#
                + #""client_secret":{"file":"/etc/evertoken/crm.client_secret"}}}}"#)
        #expect(credential.secrets.map(\.file) == ["crm.client_secret"])
        #expect(credential.secrets.map { $0.text.reveal() } == ["s3cret"])
        let file = ConfigurationFile(path: "x", bytes: Array(written.utf8), mode: 0o640)
        _ = try Configuration.read(main: file)
    }

    @Test("a place instead of a secret stays as it is; a relative directory stays relative")
    func places() throws {
        var credential = try new("xee", in: ".")
        try credential.answer("client_id", "i")
        try credential.answer("client_secret", ["credential": "crm-secret"])
        try credential.answer("refresh_token", "seed")
        let written = text(credential.document)
        #expect(written.contains(#""client_secret":{"credential":"crm-secret"}"#))
        #expect(written.contains(#""refresh_token":{"file":"crm.refresh_token"}"#))
        #expect(credential.secrets.map(\.file) == ["crm.refresh_token"])
    }

    @Test("required variables are asked for with what the profile says of them")
    func variables() throws {
        var credential = try new("shopify")
        let shop = try #require(credential.questions.first { $0.name == "shop" })
        #expect(shop.isRequired && shop.isVariable && !shop.notes.isEmpty)
        try credential.answer("shop", "my-shop")
        #expect(text(credential.document).contains(#""variables":{"shop":"my-shop"}"#))
    }

    @Test(
        "what cannot be right is refused, and not repeated",
        arguments: [
            ("client_id", ""), ("client_id", "a\nb"), ("client_secret", "a\tb"),
            ("no_such", "x"), ("shop", "not a shop/../x"),
        ])
    func refused(name: String, value: String) throws {
        var credential = try new("shopify")
        let error = #expect(throws: RequestError.self) {
            try credential.answer(name, .string(value))
        }
        #expect(error?.problem.contains(name) == true)
        #expect(!credential.isAnswered(name))
        if !value.isEmpty, value != "x" { #expect(error?.problem.contains(value) == false) }
    }

    @Test("every built-in profile's questions lead to a credential that passes the check")
    func shipped() throws {
        for name in BuiltInProfiles.shippedNames {
            var credential = try new(name)
            for question in credential.missing {
                let variable = credential.profile.variables[question.name]
                let example = variable?.example?.canonicalText ?? "x"
                let value: JSONNode =
                    question.isMultiline ? ["file": "/etc/evertoken/key.pem"] : .string(example)
                try credential.answer(question.name, value)
            }
            let bytes = credential.document.serialized()
            let file = ConfigurationFile(path: name, bytes: bytes, mode: 0o640)
            #expect(throws: Never.self, "\(name)") { try Configuration.read(main: file) }
        }
    }

    @Test("answers in lines, whatever ends them, and in JSON")
    func written() throws {
        let lines = try WrittenAnswers(Array("client_id=i\r\n\r\nclient_secret=a=b \n".utf8))
        #expect(lines.members.map(\.name) == ["client_id", "client_secret"])
        #expect(lines.members.map { $0.value.text } == ["i", "a=b "])
        let json = try WrittenAnswers(Array(#" {"k": {"file": "/x"}}"#.utf8))
        #expect(json.members.map(\.name) == ["k"])
        for bad in ["secret-without-mark", "{\"a\": ", "\u{00}"] {
            let error = #expect(throws: RequestError.self) { try WrittenAnswers(Array(bad.utf8)) }
            #expect(error?.problem.contains("secret-without") == false)
        }
        #expect(throws: RequestError.self) { try WrittenAnswers([0xFF, 0x3D]) }
    }

    @Test("a profile of the configuration's own can be named too, and a slip is told")
    func ownProfile() throws {
        let own = #"{"providers": {"acme": {"request": {"url": "https://id.example/token"}}}}"#
        let files = [ConfigurationFile(path: "x", bytes: Array(own.utf8), mode: 0o640)]
        #expect(try Configuration.profile(named: "acme", files: files).name == "acme")
        #expect(try Configuration.profile(named: "xee", files: files).name == "xee")
        let error = #expect(throws: ConfigurationMistakes.self) {
            try Configuration.profile(named: "acmee", files: files)
        }
        #expect(error?.all.first?.remedy.contains("acme") == true)
    }
}
