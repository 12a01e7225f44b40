import Testing

@testable import TokenFormats
@testable import TokenProviders

@Suite("Signing in: answers by the browser, of devices, of metadata") struct SignInAnswerTests {
    @Test("a redirect's query") func query() throws {
        let answer = try #require(
            AuthorizationResponse(query: "state=a%2Bb&code=c+d%2F&iss=https://i"))
        #expect(answer.outcome == .code(Secret("c d/")) && answer.issuer == "https://i")
        #expect(answer.answers(state: Secret("a+b")))
        #expect(!answer.answers(state: Secret("a+c")) && !answer.answers(state: Secret("a+b ")))
        #expect(
            AuthorizationResponse(query: "error=access_denied&state=s")?.outcome
                == .refused("access_denied"))
        #expect(AuthorizationResponse(query: "error=%3Cb%3E&code=c")?.outcome == .refused(nil))
    }

    @Test(
        "what is no answer",
        arguments: [
            "", "state=s", "code=", "code=a&code=b", "state=s&state=s&code=a", "code=%f",
            "code=%FF",
            "iss=a&iss=a&code=c", "error=a&error=b",
        ])
    func noAnswer(query: String) { #expect(AuthorizationResponse(query: query) == nil) }

    @Test("an answer without a state answers nothing") func stateless() {
        #expect(AuthorizationResponse(query: "code=a")?.answers(state: Secret("")) == false)
    }

    @Test("RFC 9207: another issuer, or none where one was promised") func issuer() throws {
        let named = try #require(AuthorizationResponse(query: "code=a&iss=https%3A%2F%2Fi.example"))
        let silent = try #require(AuthorizationResponse(query: "code=a"))
        #expect(named.issuerProblem(expected: "https://i.example", isRequired: true) == nil)
        #expect(named.issuerProblem(expected: nil, isRequired: true) == nil)
        #expect(named.issuerProblem(expected: "https://i.example/", isRequired: false) != nil)
        #expect(silent.issuerProblem(expected: "https://i.example", isRequired: false) == nil)
        #expect(silent.issuerProblem(expected: "https://i.example", isRequired: true) != nil)
    }

    @Test("what people paste") func pasted() {
        let url = " https://app.example/back?code=c%2F1&state=s#_=_ "
        #expect(AuthorizationResponse(pasted: url)?.outcome == .code(Secret("c/1")))
        #expect(AuthorizationResponse.redirectURI(ofPasted: url) == "https://app.example/back")
        #expect(AuthorizationResponse(pasted: " 4/0Ab+c \n")?.outcome == .code(Secret("4/0Ab+c")))
        #expect(AuthorizationResponse.redirectURI(ofPasted: "4/0Ab") == nil)
        #expect(AuthorizationResponse(pasted: "https://app.example/back") == nil)
        #expect(AuthorizationResponse(pasted: "4f2c/9 +")?.outcome == .code(Secret("4f2c/9 +")))
        #expect(AuthorizationResponse(pasted: "https://a/?code=a b") == nil)
        #expect(AuthorizationResponse(pasted: "two\nlines") == nil)
        #expect(AuthorizationResponse(pasted: " ") == nil)
    }

    @Test("loopback redirects") func loopback() throws {
        let plain = try #require(LoopbackRedirect("http://localhost"))
        #expect(plain.uri(port: 81) == "http://localhost:81" && plain.requestPath == "/")
        let fixed = try #require(LoopbackRedirect("http://[::1]:8400/a/b"))
        #expect(fixed.port == 8400 && fixed.isIPv6 && fixed.requestPath == "/a/b")
        for other in [
            "https://127.0.0.1/cb", "http://127.0.0.1.example/cb", "http://127.0.0.1@evil/cb",
            "http://localhost:0/", "http://localhost:99999/", "http://127.0.0.2/", "urn:ietf:oob",
            "http://localhost/?a=b", "http://localhost/#a", "http://localhost:80 /",
        ] { #expect(LoopbackRedirect(other) == nil, "\(other)") }
    }

    private func device(_ body: String, status: Int = 200) throws -> DeviceAuthorization {
        try DeviceAuthorization.read(Examples.answer(status, body))
    }

    @Test("RFC 8628 section 3.2, and Google's older name") func devices() throws {
        let full = try device(
            #"{"device_code": "GmRh", "user_code": "WDJB-MJHT", "verification_uri":"#
                + #""https://e.example/d", "verification_uri_complete":"#
                + #""https://e.example/d?c=WDJB", "expires_in": 1800, "interval": 7}"#)
        #expect(full.userCode == "WDJB-MJHT" && full.lifetime == .seconds(1800))
        #expect(full.interval == .seconds(7) && full.completeURI == "https://e.example/d?c=WDJB")
        let google = try device(
            #"{"device_code": "a", "user_code": "b", "verification_url": "https://g.example/d"}"#)
        #expect(google.interval == .seconds(5) && google.verificationURI == "https://g.example/d")
    }

    @Test(
        "devices' answers that are none",
        arguments: [
            "", "[]", "{}", #"{"device_code": "a", "user_code": "b"}"#,
            #"{"device_code": "a", "user_code": "\u001b[2J", "verification_uri": "https://e/d"}"#,
            #"{"device_code": "a", "user_code": "b", "verification_uri": "javascript:x"}"#,
            #"{"device_code": "a", "user_code": "b", "verification_uri": "https://e/\u001b"}"#,
            #"{"error": "invalid_client", "error_description": "the SECRET"}"#,
        ])
    func badDevices(body: String) {
        let error = #expect(throws: RequestError.self) { try device(body) }
        #expect(error?.problem.contains("SECRET") == false)
    }

    // MARK: RFC 8414

    @Test("where the metadata are: RFC 8414 section 3.1, then OpenID Connect's place")
    func locations() throws {
        #expect(
            try ServerMetadata.locations(of: "https://id.example/a/b/") == [
                "https://id.example/.well-known/oauth-authorization-server/a/b",
                "https://id.example/a/b/.well-known/openid-configuration",
            ])
        #expect(
            try ServerMetadata.locations(of: "https://id.example")[0]
                == "https://id.example/.well-known/oauth-authorization-server")
        for bad in ["http://id.example", "ftp://id.example", "https://id.example?a", "https://a@b"]
        {
            #expect(throws: RequestError.self, "\(bad)") { try ServerMetadata.locations(of: bad) }
        }
    }

    private func metadata(_ more: String, status: Int = 200) throws -> ServerMetadata? {
        try ServerMetadata.read(
            Examples.answer(status, #"{"issuer": "https://id.example"\#(more)}"#),
            issuer: "https://id.example")
    }

    @Test("what is taken of a document") func reading() throws {
        let found = try #require(
            try metadata(
                #", "authorization_endpoint": "https://www.other.example/a","#
                    + #""device_authorization_endpoint": "https://d.id.example/d","#
                    + #""code_challenge_methods_supported": ["S256"],"#
                    + #""authorization_response_iss_parameter_supported": true"#))
        #expect(found.authorizationEndpoint == "https://www.other.example/a")
        #expect(found.deviceEndpoint == "https://d.id.example/d" && found.namesIssuer)
        #expect(found.challengeMethods == ["S256"])
    }

    @Test("documents that are none") func noDocument() throws {
        #expect(try metadata("", status: 404) == nil)
        let read = { (body: String) in
            try ServerMetadata.read(Examples.answer(200, body), issuer: "https://id.example")
        }
        #expect(try read("<html>") == nil)
        #expect(try read("[1]") == nil)
    }

    @Test(
        "documents that must not be used",
        arguments: [
            #"{"issuer": "https://id.example/"}"#, #"{"issuer": "https://evil.example"}"#, "{}",
            #"{"issuer": ["https://id.example"]}"#,
            #"{"issuer": "https://id.example", "authorization_endpoint": "http://a.example/"}"#,
            #"{"issuer": "https://id.example", "authorization_endpoint": ["https://a.test"]}"#,
            #"{"issuer": "https://id.example", "authorization_endpoint": "https://u@a.test/"}"#,
            #"{"issuer": "https://id.example", "device_authorization_endpoint": "https://a.test"}"#,
        ])
    func hostile(body: String) {
        #expect(throws: RequestError.self) {
            try ServerMetadata.read(Examples.answer(200, body), issuer: "https://id.example")
        }
    }

    @Test("a document that is cut") func cut() {
        var answer = Examples.answer(200, #"{"issuer": "https://id.example"}"#)
        answer.isTruncated = true
        #expect(throws: RequestError.self) {
            try ServerMetadata.read(answer, issuer: "https://id.example")
        }
    }

    // MARK: The page

    @Test("the page: a name, a heading, nothing of another server's, everything escaped")
    func page() {
        let name = #"<script>"&'"#
        let failures = SignInFailure.Kind.allCases.map { kind in
            SignInPage.Outcome.failed(SignInFailure(kind, problem: name, remedy: name))
        }
        for outcome in [SignInPage.Outcome.signedIn] + failures {
            let subject = SignInPage.Subject(credential: name, provider: name, host: name)
            let html = SignInPage(outcome, subject).html
            #expect(!html.contains("<script") && !html.contains("&'"))
            #expect(html.contains("&lt;script&gt;&quot;&amp;&#39;"))
            #expect(html.contains("<html lang=\"en\">") && html.contains("<h1>"))
            #expect(!html.contains("http"))
        }
        let policy = SignInPage.headers.first { $0.name == "Content-Security-Policy" }?.value
        #expect(policy?.hasPrefix("default-src 'none'; style-src 'sha256-") == true)
    }

    @Test("the page says whose sign-in it is, and in a command's own form what to run next")
    func pageWords() {
        let subject = SignInPage.Subject(credential: "crm", provider: "acme", host: "web-3")
        let done = SignInPage(.signedIn, subject).html
        #expect(
            done.contains(
                "<strong>crm</strong> at <strong>acme</strong>, on <strong>web-3</strong>"
            ))
        let command = { (words: [String]) in
            "<code>" + words.map { "<span>\($0)</span>" }.joined(separator: " ") + "</code>"
        }
        #expect(done.contains("Check: " + command(["evertoken", "status", "crm"])))
        let failure = SignInFailure(Cause(redirectError: "access_denied"), credential: "crm")
        let denied = SignInPage(.failed(failure), subject).html
        #expect(denied.contains(failure.problem))
        #expect(denied.contains("run: " + command(["evertoken", "login", "crm"]) + "."))
        let alone = SignInPage(.signedIn, .init(credential: "crm", provider: nil, host: nil)).html
        #expect(alone.contains("<strong>crm</strong> is signed in.") && !alone.contains(" at <"))
    }

    @Test("every end of a sign-in has a look and a title of its own, and a stranger learns no name")
    func pageLooks() {
        let subject = SignInPage.Subject(credential: "crm", provider: "acme", host: "web-3")
        let kinds = [SignInFailure.Kind.denied, .tryAgain, .wrongSettings]
        let outcomes =
            [.signedIn, .unexpected]
            + kinds.map {
                SignInPage.Outcome.failed(SignInFailure($0, problem: "p", remedy: "r"))
            }
        let pages = outcomes.map { SignInPage($0, subject).html }
        let pattern = { (html: String, start: String, end: String) -> String in
            let rest = html.firstRange(of: start).map { html[$0.upperBound...] } ?? ""
            return String(rest.prefix { !end.contains($0) })
        }
        #expect(Set(pages.map { pattern($0, "<title>", "<") }).count == outcomes.count)
        #expect(Set(pages.map { pattern($0, "<main class=\"", "\"") }).count == outcomes.count)
        #expect(Set(pages.map { pattern($0, "aria-hidden=\"true\">", "<") }).count == 5)
        let stranger = SignInPage(.unexpected, .init()).html
        #expect(stranger.contains("Go back to the terminal.") && !stranger.contains("crm"))
    }
}
