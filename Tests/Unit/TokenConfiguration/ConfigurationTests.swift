import Foundation
import Testing

@testable import TokenConfiguration
@testable import TokenFormats
@testable import TokenProviders

@Suite("Configuration") struct ConfigurationTests {
    static func read(
        _ text: String, mode: UInt32 = 0o640, dropIns: [(String, String)] = []
    ) -> Result<Configuration, ConfigurationMistakes> {
        do throws(ConfigurationMistakes) {
            return .success(
                try Configuration.read(
                    main: ConfigurationFile(path: "main.json", bytes: Array(text.utf8), mode: mode),
                    dropIns: dropIns.map {
                        ConfigurationFile(path: $0.0, bytes: Array($0.1.utf8), mode: 0o640)
                    }))
        } catch { return .failure(error) }
    }

    static func mistakes(_ text: String, dropIns: [(String, String)] = []) -> [ConfigurationMistake]
    {
        if case .failure(let mistakes) = read(text, dropIns: dropIns) { mistakes.all } else { [] }
    }

    @Test("the example in config/ is valid")
    func example() throws {
        let path = repositoryRoot.appending(path: "config/evertoken.json")
        let text = try String(contentsOf: path, encoding: .utf8)
        let configuration = try Self.read(text).get()
        #expect(configuration.credentials.map(\.name) == ["car", "crm", "files"])
    }

    @Test("ten mistakes are ten messages, each with its line and column")
    func tenMistakes() {
        let text = """
            {
              "ready_timeout": 60,
              "tokendir": "/run/evertoken",
              "max_in_flight": 0,
              "providers": {"acme": {"request": {"url": "http://id.acme.example/token"}}},
              "credentials": {
                "crm": {
                  "provider": "fxiaokee",
                  "client_id": "id",
                  "client_secret": {"file": "/a", "env": "B"},
                  "refresh": {"at": 0.67, "margin": "60"}
                },
                "Drive": {"provider": "acme"},
                "car": {
                  "provider": "xee", "client_id": "id", "client_secret": {"file": "/s"},
                  "outputs": [{"path": "../token", "mode": 640}]
                }
              }
            }
            """
        let found = Self.mistakes(text)
        let places = found.map { "\($0.line):\($0.column) \($0.path)" }
        #expect(
            Set(places) == [
                "2:20 ready_timeout", "3:3 tokendir", "4:20 max_in_flight",
                "8:19 credentials.crm.provider", "10:24 credentials.crm.client_secret",
                "11:25 credentials.crm.refresh.at", "11:41 credentials.crm.refresh.margin",
                "13:5 credentials.Drive", "16:28 credentials.car.outputs[0].path",
                "16:48 credentials.car.outputs[0].mode",
            ])
        #expect(found.count == 10)
        let unknown = found.first { $0.path == "tokendir" }
        #expect(
            unknown?.description
                == "main.json:3:3: tokendir: unknown key; write \"token_dir\"")
        #expect(found.first { $0.line == 8 }?.remedy == "write \"fxiaoke\"")
    }

    @Test("drop-ins add to the whole; a name given twice names both files")
    func dropIns() throws {
        let credential =
            #"{"credentials":{"NAME":{"provider":"xee","client_id":"i","#
            + #""client_secret":{"env":"S"}}}}"#
        let first = credential.replacing("NAME", with: "a")
        let second = credential.replacing("NAME", with: "b")
        let whole = try Self.read(first, dropIns: [("conf.d/b.json", second)]).get()
        #expect(whole.credentials.map(\.name) == ["a", "b"])
        let twice = Self.mistakes(first, dropIns: [("conf.d/a.json", first)])
        #expect(twice.count == 1)
        #expect(twice[0].file == "conf.d/a.json")
        #expect(
            twice[0].problem.contains("main.json") && twice[0].problem.contains("conf.d/a.json"))
        let misplaced = Self.mistakes("{}", dropIns: [("conf.d/x.json", #"{"token_dir":"/x"}"#)])
        #expect(misplaced.map(\.path) == ["token_dir"])
    }

    @Test("an inline secret in a file that others can read is refused, with the chmod to run")
    func readableSecret() {
        let text =
            #"{"credentials":{"a":{"provider":"xee","client_id":"i","client_secret":"s"}}}"#
        guard case .failure(let mistakes) = Self.read(text, mode: 0o644) else {
            Issue.record("it was accepted")
            return
        }
        #expect(mistakes.all.map(\.remedy) == ["run: chmod 0640 main.json"])
        #expect(throws: Never.self) { try Self.read(text, mode: 0o640).get() }
    }

    @Test("a profile may extend any other; positions are those of the file it stands in")
    func extending() throws {
        let text = """
            {"providers": {
              "base": {"extends": "xee", "request": {"url": "https://a.example/t"}},
              "mine": {"extends": "base", "request": {"client_auth": "client_secret_post"}}},
             "credentials": {"a": {"provider": "mine", "client_id": "i",
               "client_secret": {"env": "S"}}}}
            """
        let profile = try Self.read(text).get().credentials[0].profile
        #expect(profile.refresh[0].request.clientAuthentication == .post)
        #expect(profile.refresh[0].response.expires.count == 2)
        #expect(profile.lifecycle.refreshToken == .rotating)
        let circle = Self.mistakes(
            #"{"providers": {"a": {"extends": "b"}, "b": {"extends": "a"}}}"#)
        #expect(circle.allSatisfy { $0.problem.contains("extends itself") } && !circle.isEmpty)
    }

    @Test("grant_type in a credential replaces the base")
    func grantType() throws {
        let text = """
            {"credentials": {"a": {"provider": "febbox", "grant_type": "client_credentials",
             "client_id": "i", "client_secret": {"env": "S"}}}}
            """
        let profile = try Self.read(text).get().credentials[0].profile
        #expect(!profile.usesRefreshToken)
        #expect(profile.refresh[0].response.root == JSONPointer("/data"))
    }

    // MARK: The table that also tests the schema (`Tests/run schema`)

    struct Document: Sendable, CustomTestStringConvertible {
        var kind: String, name: String, text: String
        var testDescription: String { "\(kind): \(name)" }
    }

    static let documents: [Document] = {
        let path = repositoryRoot.appending(path: "Tests/Unit/Fixtures/documents.json")
        guard let data = try? Data(contentsOf: path), let table = try? JSONReader.read(Array(data))
        else { return [] }
        return ["good", "bad", "semantic"].flatMap { kind in
            (table[kind]?.elements ?? []).map { entry in
                let document = entry["document"] ?? nil
                return Document(
                    kind: kind, name: entry["name"]?.text ?? "",
                    text: String(decoding: document.serialized(), as: UTF8.self))
            }
        }
    }()

    @Test("the table is there") func table() { #expect(Self.documents.count > 400) }

    @Test("loader and schema agree on every document", arguments: documents)
    func agrees(document: Document) {
        let found = Self.mistakes(document.text)
        if document.kind == "good" {
            #expect(found == [])
        } else {
            #expect(found != [])
        }
    }
}
