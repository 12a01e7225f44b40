import Testing

@testable import TokenConfiguration
@testable import TokenFormats

@Suite("Secrets in the configuration itself") struct InlineSecretTests {
    private let pem = "-----BEGIN PRIVATE KEY-----\\nMC4\\n-----END PRIVATE KEY-----"

    private func read(
        _ text: String, mode: UInt32
    ) -> Result<(Configuration, warnings: [ConfigurationMistake]), ConfigurationMistakes> {
        do throws(ConfigurationMistakes) {
            return .success(
                try Configuration.readTolerantly(
                    main: ConfigurationFile(path: "c.json", bytes: Array(text.utf8), mode: mode)))
        } catch { return .failure(error) }
    }

    /// Read as `check` and a reload do.
    private func strictPaths(_ text: String, mode: UInt32) -> [String] {
        let file = ConfigurationFile(path: "c.json", bytes: Array(text.utf8), mode: mode)
        do throws(ConfigurationMistakes) {
            _ = try Configuration.read(main: file)
            return []
        } catch { return error.all.map(\.path) }
    }

    private func document(variables: String, more: String = "") -> String {
        """
        {"providers": {"as": {"request": {"url": "https://id.example/t"},
           "variables": {"key": {"secret": true}, "region": {}}}}\(more),
         "credentials": {"crm": {"provider": "as", "client_id": "c",
           "client_secret": {"file": "s"}, "refresh_token": {"file": "r"},
           "variables": {\(variables)}}}}
        """
    }

    @Test("every one of them is refused in a file that others can read, and fine in a private one")
    func refused() {
        let cases = [
            (document(variables: #""key": "k""#), "credentials.crm.variables.key"),
            (document(variables: "\"region\": \"\(pem)\""), "credentials.crm.variables.region"),
            (
                document(variables: #""region": "{\"kty\":\"oct\",\"k\":\"AA\"}""#),
                "credentials.crm.variables.region"
            ),
            (document(variables: "", more: #", "proxy": "http://u:p@proxy.example:1""#), "proxy"),
            (
                document(variables: #""private_key": "bWVtYmVy""#),
                "credentials.crm.variables.private_key"
            ),
            (
                document(variables: "").replacing(
                    #""region": {}"#, with: #""region": {"secret": true, "default": "d"}"#),
                "providers.as.variables.region.default"
            ),
        ]
        for (text, path) in cases {
            #expect(strictPaths(text, mode: 0o644) == [path])
            #expect(strictPaths(text, mode: 0o640) == [], "\(path)")
        }
        for text in [
            document(variables: #""key": {"file": "k"}, "region": "eu""#),
            document(variables: #""private_key": "/etc/evertoken/key.pem""#),
            document(variables: "", more: #", "proxy": "http://u@proxy.example:1""#),
        ] {
            #expect(strictPaths(text, mode: 0o644) == [])
        }
    }

    @Test("a start that the version before made goes on, and says what will be refused")
    func tolerated() throws {
        let text = document(variables: #""key": "k""#)
        let (_, warnings) = try read(text, mode: 0o644).get()
        #expect(warnings.map(\.path) == ["credentials.crm.variables.key"])
        let old = text.replacing(#"{"file": "s"}"#, with: #""inline""#)
        guard case .failure(let mistakes) = read(old, mode: 0o644) else {
            Issue.record("what was refused before is refused at a start too")
            return
        }
        #expect(
            mistakes.all.map(\.path)
                == ["credentials.crm.client_secret", "credentials.crm.variables.key"])
    }
}
