import Testing

@testable import TokenConfiguration
@testable import TokenFormats
@testable import TokenProviders

@Suite("What a peer says, before it is shown") struct PeerFilterTests {
    private static let secret = "S3cret-Canary/7f:9z"
    private let filter = PeerFilter([Secret(secret), Secret("short"), Secret("x")])

    private func passes(_ text: String) -> Bool { filter.passed(PeerText(text)) != nil }

    @Test("plain names pass as they are")
    func plain() {
        for text in ["login.example.com", "Acme CA 2", "id.example:8443", "C=DE, O=Acme (1)"] {
            #expect(filter.passed(PeerText(text)) == text)
        }
    }

    @Test("nothing passes that is long, empty or of odd characters")
    func shape() {
        #expect(passes(String(repeating: "a", count: 64)))
        for text in [
            "", String(repeating: "a", count: 65), "a\nb", "a\u{1B}[31m", "ä", "a\u{0}b", "<b>",
            "\u{202E}abc", "a\"b", "a`b`", "$(id)", "a;b", "a\\b", "a{b}", "a[b]",
        ] {
            #expect(!passes(text), "\(text)")
        }
    }

    @Test("no part of a secret of eight bytes passes, wherever it stands and in whatever case")
    func parts() {
        let bytes = Array(Self.secret.utf8)
        for start in 0...(bytes.count - 8) {
            let part = String(decoding: bytes[start..<(start + 8)], as: UTF8.self)
            for text in [part, "x.\(part).y", part.uppercased(), part.lowercased()] {
                #expect(!passes(text), "\(text)")
            }
        }
        let seven = String(decoding: bytes[..<7], as: UTF8.self)
        #expect(passes("\(seven)-\(seven)"))
        // A short secret counts as a whole; a single letter does not count.
        #expect(!passes("a.SHORT.b"))
        #expect(passes("x.example"))
    }

    @Test("nor does one that is percent-encoded or in base 64, at any place, once or twice")
    func encoded() {
        let part = Array(Self.secret.utf8)[3..<13]
        let percent = { (bytes: [UInt8]) in
            bytes.map { "%" + hexadecimal([$0]) }.joined()
        }
        #expect(!passes(percent(Array(part))))
        #expect(!passes("%" + percent(Array(part))))
        #expect(!passes("%zz" + percent(Array(part)) + "%f"))
        for padding in 0..<4 {
            let bytes = Array(repeating: UInt8(ascii: "q"), count: padding) + part
            for text in [base64(bytes), base64(bytes, urlSafe: true)] {
                #expect(!passes(text), "\(padding)")
                #expect(!passes("a" + text + ".example"), "\(padding)")
                #expect(!passes(text.lowercased()), "\(padding)")
            }
            let twice = base64(Array(base64(bytes, urlSafe: true).utf8), urlSafe: true)
            #expect(!passes(twice))
        }
        #expect(!passes(base64(Array(percent(Array(part.prefix(8))).utf8), urlSafe: true)))
    }

    @Test("where the secrets are not known nothing passes, and a peer's text shows itself nowhere")
    func closed() {
        #expect(PeerFilter.closed.passed(PeerText("login.example.com")) == nil)
        #expect(filter.passed(nil) == nil)
        let text = PeerText("login.example.com")
        #expect("\(text) \(String(reflecting: text))" == "«peer» «peer»")
    }

    @Test("no fact of an answer holds what a server echoes of a secret")
    func canary() throws {
        let canary = "Canary0123456789abcdef"
        let profile = try Examples.credential(providers: Examples.rfc(lifecycle: "{}")).profile
        var reader = ResponseReader(profile: profile, kind: .refresh)
        reader.filter = PeerFilter([Secret(canary)])
        (reader.origin, reader.requestPath) = ("https://id.example", "/token")
        let spelled = [
            canary, canary.lowercased(), String(canary.prefix(8)), base64(Array(canary.utf8)),
            base64(Array(canary.utf8), urlSafe: true).lowercased(),
            canary.utf8.map { "%" + hexadecimal([$0]) }.joined(),
        ]
        for echo in spelled {
            let answers = [
                RawResponse(
                    status: 302,
                    headers: [HeaderField("Location", "https://\(echo).example/token")],
                    body: []),
                RawResponse(
                    status: 200, headers: [HeaderField("Content-Type", "text/\(echo)")],
                    body: Array("no token".utf8)),
                RawResponse(
                    status: 400, headers: [HeaderField("Content-Type", "application/json")],
                    body: Array(#"{"error": "\#(echo)", "code": "\#(echo)"}"#.utf8)),
            ]
            for answer in answers {
                let reading = reader.read(answer, sentAt: Examples.noon.wall)
                guard case .failure(let refusal) = reading.result else {
                    Issue.record("no refusal")
                    continue
                }
                let place = RemedyPlace(credential: "c", state: .retrying, hasSignIn: true)
                let stored = String(
                    decoding: refusal.cause.json()?.serialized() ?? [], as: UTF8.self)
                let text = [refusal.problem, refusal.cause.remedy(for: place), stored]
                    .joined(separator: " ").lowercased()
                #expect(!text.contains(echo.lowercased()), "\(text)")
                #expect(!text.contains(canary.lowercased().prefix(8)), "\(text)")
            }
        }
    }

    @Test("a redirect is told by its host, and by whether the path is the same")
    func redirect() throws {
        var reader = ResponseReader(
            profile: try Examples.credential(providers: Examples.rfc(lifecycle: "{}")).profile,
            kind: .refresh)
        reader.filter = filter
        (reader.origin, reader.requestPath) = ("https://id.example", "/token?a=b")
        let problem = { (location: String) -> String in
            let answer = RawResponse(
                status: 302, headers: [HeaderField("Location", location)], body: [])
            guard
                case .failure(let refusal) = reader.read(answer, sentAt: Examples.noon.wall).result
            else { return "" }
            #expect(refusal.cause.kind == .answerRedirects)
            return refusal.problem
        }
        #expect(
            problem("https://login.example/token?a=b").contains("the same path of login.example"))
        #expect(problem("https://login.example/else").contains("another path of login.example"))
        #expect(problem("/else").contains("another path of id.example"))
        #expect(!problem("https://login.example/\(Self.secret)").contains("Canary"))
        #expect(!problem("https://a@b;c/").contains(";"))
    }
}
