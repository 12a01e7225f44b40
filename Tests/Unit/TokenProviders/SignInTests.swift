import Testing

@testable import TokenConfiguration
@testable import TokenFormats
@testable import TokenProviders
@testable import TokenSlots

@Suite("Signing in: what is sent, and what may come back") struct SignInTests {
    private func signIn(
        _ authorization: String, wish: SignInRequest = SignInRequest(), extra: String = "",
        request: String = #"{"url": "https://id.example/token"}"#
    ) throws -> SignIn {
        let credential = try Examples.credential(
            providers: #""as": {"authorization": \#(authorization), "request": \#(request)}"#,
            extra: extra)
        return try SignIn(credential.profile, wish: wish, context: context(credential))
    }

    private func context(_ credential: CredentialConfiguration) -> TemplateContext {
        var values = CredentialValues(
            clientID: "the id", clientSecret: "pw", scope: credential.scope)
        for case (let name, .literal(let node)) in credential.variables {
            values.variables[name] = node
        }
        let record = SlotRecord(
            sequence: 0, state: .settled, attemptID: "", kind: .deviceCode, sentAt: Examples.noon,
            grant: CredentialRecord())
        return TemplateContext(
            values, profile: credential.profile, record: record, nonce: Examples.nonce())
    }

    @Test("RFC 7636 appendix B") func challenge() {
        let random: [UInt8] = [
            116, 24, 223, 180, 151, 153, 224, 37, 79, 250, 96, 125, 216, 173, 187, 186, 22, 212, 37,
            77, 105, 214, 191, 240, 91, 88, 5, 88, 83, 132, 141, 121,
        ]
        let verifier = CodeVerifier(random: random)
        #expect(verifier.verifier.reveal() == "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
        #expect(verifier.challenge == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM")
    }

    @Test("the authorization URL: every part under its name, and encoded")
    func url() throws {
        let browser = try signIn(
            #"{"url": "https://id.example/authorize?a=b", "scope": "offline", "params":"#
                + #"{"prompt": "consent", "tenant": "${tenant}", "gone": "${unset}"},"#
                + #""param_names": {"client_id": "appid", "redirect_uri": "back"}}"#,
            wish: SignInRequest(scope: "more write"),
            extra: #", "scope": "read write", "variables": {"tenant": "t&1"}"#
        ).browser()
        #expect(
            browser.address == "https://id.example/authorize?a=b&response_type=code"
                + "&appid=the%20id&scope=offline%20read%20write%20more&prompt=consent"
                + "&tenant=t%261")
        let url = browser.url(
            redirectURI: "http://127.0.0.1:9/cb", state: Secret("s t"),
            verifier: CodeVerifier(random: [1]))
        #expect(
            url.dropFirst(browser.address.count) == "&back=http%3A%2F%2F127.0.0.1%3A9%2Fcb"
                + "&state=s%20t&code_challenge=\(CodeVerifier(random: [1]).challenge)"
                + "&code_challenge_method=S256")
        #expect(BrowserSignIn(json: browser.json) == browser)
    }

    @Test("scopes: joined by the profile's separator, each once")
    func scopes() throws {
        let address = try signIn(
            #"{"url": "https://id.example/a", "scope": "a,b", "scope_separator": ","}"#,
            wish: SignInRequest(scope: "c b"), extra: #", "scope": "b,d""#
        ).browser().address
        #expect(address.hasSuffix("&scope=a%2Cb%2Cd%2Cc"))
        #expect(
            try !signIn(#"{"url": "https://id.example/a"}"#).browser().address.contains("scope"))
    }

    @Test("no challenge where its verifier would not be sent, or the server knows none")
    func pkce() throws {
        let url = #""url": "https://id.example/a""#
        #expect(try signIn("{\(url)}").browser().usesPKCE)
        #expect(try !signIn(#"{\#(url), "pkce": false}"#).browser().usesPKCE)
        let silent = #"{\#(url), "request": {"params": {"code_verifier": null}}}"#
        #expect(try !signIn(silent).browser().usesPKCE)
        var known = try signIn(#"{\#(url), "issuer": "https://id.example"}"#)
        known.metadata = ServerMetadata(issuer: "https://id.example", challengeMethods: ["plain"])
        #expect(try !known.browser().usesPKCE)
        known.metadata?.challengeMethods = ["plain", "S256"]
        #expect(try known.browser().usesPKCE)
    }

    @Test("http, a missing variable, a missing endpoint: said before anything is opened")
    func refusals() throws {
        let problem = { (authorization: String, wish: SignInRequest) -> String in
            do { return try self.signIn(authorization, wish: wish).browser().address } catch {
                return (error as? RequestError)?.problem ?? "\(error)"
            }
        }
        #expect(problem(#"{"url": "http://id.example/a"}"#, SignInRequest()).contains("plain http"))
        #expect(problem(#"{"url": "https://${t}.example/a"}"#, SignInRequest()).contains("needs t"))
        #expect(
            problem(#"{"device_url": "https://id.example/d"}"#, SignInRequest(method: .browser))
                .contains("no authorization endpoint"))
    }

    @Test("the device's request: the client as at the token endpoint, and the scope")
    func device() throws {
        let signIn = try signIn(
            #"{"device_url": "https://id.example/device", "scope": "offline"}"#,
            request: #"{"url": "https://id.example/token", "client_auth": "client_secret_basic","#
                + #""params": {"resource": "x"}}"#)
        #expect(signIn.method == .device)
        let request = try signIn.deviceRequest()
        #expect(request.url == "https://id.example/device" && request.method == "POST")
        #expect(
            String(decoding: request.body ?? [], as: UTF8.self) == "client_id=the+id&scope=offline")
        #expect(request.headers.contains { $0.name == "Authorization" })
    }

    @Test("a device code is exchanged as RFC 8628 says, whatever a code's exchange leaves out")
    func deviceExchange() throws {
        let profile = try #require(BuiltInProfiles.profile(named: "github-app-user"))
        var context = TemplateContext(nonce: Examples.nonce())
        context.values["host"] = "github.com"
        context.set(.clientID, "id")
        context.set(.deviceCode, "dc")
        let request = try profile.exchange(.deviceCode).request.render(in: context)
        #expect(
            String(decoding: request.body ?? [], as: UTF8.self)
                == "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code"
                + "&client_id=id&device_code=dc")
        #expect(profile.exchange(.deviceCode).spendsGrant)
    }

    @Test(
        "who cannot sign in is told what to do instead",
        arguments: [
            ("febbox", "has no \"authorization\""), ("instagram", "how \"instagram\" turns a code"),
            ("threads", "how \"threads\" turns a code"), ("onelogin", "needs no sign-in"),
        ])
    func obstacles(name: String, words: String) throws {
        let profile = try #require(BuiltInProfiles.profile(named: name))
        let context = TemplateContext(nonce: Examples.nonce())
        let error = #expect(throws: RequestError.self) {
            try SignIn(profile, wish: SignInRequest(), context: context)
        }
        #expect(error?.problem.contains(words) == true)
    }

    @Test("every shipped profile with an authorization yields a URL or a device request")
    func shipped() throws {
        for name in BuiltInProfiles.shippedNames {
            let profile = try #require(BuiltInProfiles.profile(named: name))
            guard profile.authorization != nil, profile.signInObstacle == nil else { continue }
            var context = TemplateContext(nonce: Examples.nonce())
            context.set(.clientID, "id")
            for (name, variable) in profile.variables {
                context.values[name] = variable.defaultValue ?? variable.example ?? "x"
            }
            let signIn = try SignIn(profile, wish: SignInRequest(), context: context)
            #expect(!signIn.needsMetadata)
            #expect(try signIn.browser().address.hasPrefix("https://"), "\(name)")
        }
    }
}
