import Testing

@testable import TokenConfiguration
@testable import TokenFormats
@testable import TokenProviders
@testable import TokenSlots

/// Compares every shipped profile with the request, answer and errors in its provider's
/// documentation.
@Suite("The catalogue") struct CatalogueTests {
    @Test("it has at least sixty profiles, and each has its fixture")
    func size() {
        #expect(BuiltInProfiles.shippedNames.count >= 60)
        #expect(CatalogueFixture.names == BuiltInProfiles.shippedNames)
    }

    @Test("no profile has a mistake in it", arguments: BuiltInProfiles.shippedNames)
    func valid(name: String) throws {
        let (profile, mistakes) = BuiltInProfiles.reading(of: name)
        #expect(mistakes.map(\.description) == [])
        #expect(try #require(profile).docs?.hasPrefix("https://") == true)
    }

    @Test(
        "written into a configuration it is the same profile", arguments: CatalogueFixture.names)
    func configured(name: String) throws {
        let shipped = try #require(BuiltInProfiles.profile(named: name))
        var own = try #require(BuiltInProfiles.json(named: name)?.members)
        own.removeAll { $0.key == "name" }
        let configuration: JSONNode = .object([
            ("providers", .object([("mine", JSONNode(.object(own)))])),
            ("credentials", .object([("c", try credential(of: name, provider: "mine"))])),
        ])
        let read = try Configuration.read(
            main: ConfigurationFile(
                path: "c.json", bytes: configuration.serialized(), mode: 0o600))
        var mine = read.credentials[0].profile
        mine.name = name
        #expect(mine == shipped)
    }

    private func credential(of name: String, provider: String) throws -> JSONNode {
        let fixture = try CatalogueFixture(name)
        var members = fixture.json["credential"]?.members ?? []
        members.append(JSONMember("provider", .string(provider)))
        return JSONNode(.object(members))
    }

    /// From the initial token to the access token, in the engine's order: plan, request, answer,
    /// next step.
    @Test("request, answer and token are the documented ones", arguments: CatalogueFixture.names)
    func exchange(name: String) throws {
        let fixture = try CatalogueFixture(name)
        let profile = try #require(BuiltInProfiles.profile(named: name))
        let seed = fixture.credential("refresh_token").map(Secret.init)
        let plan = AttemptPlan.make(
            order: .renew(isManual: false), slots: SlotPair(a: .empty, b: .empty),
            initialToken: seed.map { InitialToken($0) }, profile: profile, attemptID: "a",
            now: CatalogueFixture.now)
        guard case .send(var record) = plan else {
            Issue.record("nothing is sent: \(plan)")
            return
        }
        for (index, expected) in fixture.exchanges.enumerated() {
            let context = TemplateContext(
                fixture.values, profile: profile, record: record, nonce: CatalogueFixture.nonce)
            let exchange = profile.exchange(record.kind, step: record.step)
            let request = try exchange.request.render(in: context)
            try RequestComparison(expected: expected, request: request).run()
            record.host = EndpointURL.host(of: request.url)
            let reader = ResponseReader(
                profile: profile, kind: record.kind, step: record.step, steps: record.grant.steps)
            let reading = reader.read(
                CatalogueFixture.answer(expected["answer"]), sentAt: record.sentAt.wall)
            if let failure = reading.failure {
                Issue.record("\(failure.failureClass): \(failure.problem)")
                return
            }
            record.grant.apply(reading, to: record, roundTrip: .zero, profile: profile)
            guard index + 1 < fixture.exchanges.count else { break }
            record = try #require(
                record.next(grant: record.grant, profile: profile, now: CatalogueFixture.now))
        }
        #expect(profile.isLast(record.step, of: record.kind), "the fixture ends too early")
        compare(record.grant, with: fixture, seed: seed, profile: profile)
    }

    private func compare(
        _ grant: CredentialRecord, with fixture: CatalogueFixture, seed: Secret?,
        profile: ProviderProfile
    ) {
        let expected = fixture.json["token"]
        #expect(grant.access?.token.reveal() == expected?["access_token"]?.text)
        if let type = expected?["token_type"]?.text { #expect(grant.access?.tokenType == type) }
        let refreshToken = expected?["refresh_token"]?.text ?? seed?.reveal()
        if profile.lifecycle.refreshToken != .accessToken {
            #expect(grant.refreshToken?.reveal() == refreshToken)
        }
        let kept = grant.access.map { JSONNode(.object($0.keep)) } ?? [:]
        let keep = expected?["keep"] ?? [:]
        #expect(kept.members?.count == keep.members?.count, "\(kept) \(keep)")
        for member in keep.members ?? [] { #expect(kept[member.key] == member.value) }
        switch expected?["lifetime"]?.kind {
        case .string("never")?: #expect(grant.access?.lifetime == nil)
        case .number?: #expect(isNear(grant.access?.lifetime, expected?["lifetime"]))
        // Without a documented lifetime the short default applies.
        default: #expect(grant.access?.lifetime == ResponseReader.shortDefaultLifetime)
        }
        if case .number? = expected?["refresh_lifetime"]?.kind {
            #expect(isNear(grant.refreshTokenLifetime, expected?["refresh_lifetime"]))
        }
    }

    private func isNear(_ found: Duration?, _ expected: JSONNode?) -> Bool {
        guard let found, let expected = expected?.integer else { return false }
        return abs(found.components.seconds - expected) <= 1
    }

    @Test("each documented error has its class", arguments: CatalogueFixture.names)
    func errors(name: String) throws {
        let fixture = try CatalogueFixture(name)
        let profile = try #require(BuiltInProfiles.profile(named: name))
        try #require(!fixture.errors.isEmpty)
        for error in fixture.errors {
            let index = Int(error["exchange"]?.integer ?? 0)
            let step = profile.refresh[index].id
            let reading = ResponseReader(profile: profile, kind: .refresh, step: step)
                .read(CatalogueFixture.answer(error), sentAt: CatalogueFixture.now.wall)
            let body = String(decoding: error.serialized(), as: UTF8.self)
            #expect(reading.failure?.failureClass.rawValue == error["class"]?.text, "\(body)")
            if let seconds = error["retry_after"]?.integer {
                #expect(reading.failure?.retryAfter == .seconds(seconds), "\(body)")
            }
        }
    }

    @Test(
        "where a page shows how a code is exchanged, that is what is sent",
        arguments: CatalogueFixture.names)
    func codes(name: String) throws {
        let fixture = try CatalogueFixture(name)
        guard let code = fixture.json["code"] else { return }
        let profile = try #require(BuiltInProfiles.profile(named: name))
        let order = AttemptOrder.login(AuthorizationCode(code: Secret("")))
        let plan = AttemptPlan.make(
            order: order, slots: SlotPair(a: .empty, b: .empty), initialToken: nil,
            profile: profile,
            attemptID: "a", now: CatalogueFixture.now)
        guard case .send(let record) = plan else {
            Issue.record("nothing is sent: \(plan)")
            return
        }
        var context = TemplateContext(
            fixture.values, profile: profile, record: record, nonce: CatalogueFixture.nonce)
        for member in code["values"]?.members ?? [] { context.values[member.key] = member.value }
        let exchange = profile.exchange(record.kind, step: record.step)
        try RequestComparison(
            expected: code, request: exchange.request.render(in: context)
        ).run()
        let reading = ResponseReader(profile: profile, kind: record.kind, step: record.step)
            .read(CatalogueFixture.answer(code["answer"]), sentAt: record.sentAt.wall)
        #expect(reading.token?.accessToken.reveal() == code["token"]?["access_token"]?.text)
        #expect(reading.refreshToken?.reveal() == code["token"]?["refresh_token"]?.text)
    }
}

@Suite("Names of providers") struct ProviderNameTests {
    private func read(_ text: String) throws -> Configuration {
        try Configuration.read(
            main: ConfigurationFile(path: "c.json", bytes: Array(text.utf8), mode: 0o600))
    }

    @Test("a configured provider may extend the shipped one of its name, and keeps its base")
    func ownName() throws {
        for name in ["google", "google-service-account"] {
            let shipped = try #require(BuiltInProfiles.profile(named: name))
            let configuration = try read(
                #"{"providers": {"\#(name)": {"extends": "\#(name)", "#
                    + #""docs": "https://own.example"}, "#
                    + #""more": {"extends": "\#(name)"}}, "credentials": {}}"#)
            #expect(configuration.credentials.isEmpty)
            let document = ConfigurationDocument(file: "c", bytes: [])
            let node: JSONNode = ["extends": .string(name), "docs": "https://own.example"]
            let field = FieldReader(node, path: "", fallbackOffset: 0, document: document)
            let catalogue = ProfileCatalogue(
                configured: [name: ProviderSource(node: node, field: field)])
            var own = try #require(catalogue.profile(named: name, usedBy: field))
            #expect(own.docs == "https://own.example" && document.mistakes.isEmpty)
            own.docs = shipped.docs
            #expect(own == shipped)
        }
    }

    @Test("one that extends itself where none is shipped is a circle as before")
    func circle() {
        #expect {
            try read(#"{"providers": {"mine": {"extends": "mine"}}}"#)
        } throws: { error in
            "\(error)".contains("extends itself: mine → mine")
        }
    }

    @Test("a name that is like none is told the nearest three, never all; a slip the one meant")
    func nearest() {
        func remedy(_ name: String) -> String {
            do {
                _ = try read(#"{"credentials": {"c": {"provider": "\#(name)"}}}"#)
                return ""
            } catch { return (error as? ConfigurationMistakes)?.all.first?.remedy ?? "" }
        }
        #expect(remedy("sales force") == "write \"salesforce\"")
        let told = remedy("nothinglike")
        #expect(told.filter { $0 == "\"" }.count == 8 && told.utf8.count < 150, "\(told)")
    }
}
