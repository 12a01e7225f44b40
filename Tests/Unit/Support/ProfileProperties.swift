#if !FUZZING
    import Testing

    @testable import TokenConfiguration
    @testable import TokenFormats
    @testable import TokenProviders
    @testable import TokenSlots
#endif

/// Properties of any profile, any values and any answer. `Tests/Fuzzing/fuzz` compiles this file
/// into the fuzzer; the unit tests run it on seeded random bytes.
struct ProfileProperties {
    /// Called with each violated property.
    let broken: (String) -> Void

    static let secret = "CANARY7secret"
    static let token = "CANARY7token"

    /// All shipped profiles, and some for features that these do not use.
    static let profiles: [ProviderProfile] = {
        let shipped = BuiltInProfiles.shippedNames.compactMap { BuiltInProfiles.profile(named: $0) }
        return shipped
            + odd.compactMap { text in
                guard let node = try? JSONReader.read(Array(text.utf8)) else { return nil }
                let document = ConfigurationDocument(file: "odd", bytes: Array(text.utf8))
                let field = FieldReader(node, path: "", fallbackOffset: 0, document: document)
                return ProfileCatalogue(
                    configured: ["odd": ProviderSource(node: node, field: field)]
                ).profile(named: "odd", usedBy: field)
            }
    }()

    private static let odd = [
        """
        {"request": {"url": "https://id.example/${a}/t?x=${b}", "encoding": "json",
          "params": {"n": {"deep": ["${a}", {"x": "${int(b)}"}]}, "s": "${substr(a, 2, 3)}"},
          "headers": {"X-A": "${a}", "X-B": "${lower(b)}"}},
         "response": {"format": "form", "expires": [
           {"from": "/e", "as": "iso8601_duration"}, {"from": "/e", "as": "text_duration"},
           {"from": "/e", "as": "days_hh_mm"}, {"from": "/e", "as": "auto"},
           {"from": "/e", "as": "datetime:yyyyMMddHHmmssSSSZ"}],
           "keep": {"c": {"jwt_claim": "/a/b"}, "h": {"header": "X", "regex": "([a-z]+)"}}}}
        """,
        """
        {"extends": "none", "request": {"method": "GET", "url": "https://id.example/x",
           "encoding": "query", "params": {"sig": "${hmac('sha256', client_secret, a)}"}},
         "response": {"format": "text", "access_token": "", "zero_lifetime": "never"}}
        """,
    ]

    /// A stream of choices derived from the fuzzer's bytes.
    struct Choices {
        var rest: ArraySlice<UInt8>

        init(_ bytes: [UInt8]) { rest = bytes[...] }

        mutating func byte() -> UInt8 { rest.popFirst() ?? 0 }

        mutating func text() -> String {
            let count = Int(byte() % 32)
            let bytes = rest.prefix(count)
            rest = rest.dropFirst(count)
            // Text that is not a secret may be shown, even if it looks like one.
            return String(decoding: bytes, as: UTF8.self).replacing("CANARY7", with: "canary7")
        }
    }

    func check(_ bytes: [UInt8]) {
        var choices = Choices(bytes)
        let profile = Self.profiles[Int(choices.byte()) % Self.profiles.count]
        let kind = ExchangeKind.allCases[Int(choices.byte()) % ExchangeKind.allCases.count]
        var record = SlotRecord(
            sequence: 1, state: .intent, attemptID: "a", kind: kind,
            step: profile.exchanges(kind)[0].id, sentAt: Self.now, grant: CredentialRecord())
        record.grant.refreshToken = Secret(Self.token)
        var values = CredentialValues(
            clientID: choices.text(), clientSecret: Self.secret, scope: choices.text())
        for name in profile.variables.keys.sorted() + ["a", "b"] {
            let isSecret = profile.variables[name]?.isSecret ?? false
            values.variables[name] = .string(isSecret ? Self.secret : choices.text())
        }
        for _ in 0..<4 {
            render(profile, record, values)
            guard let next = answer(profile, record, &choices) else { return }
            record = next
        }
    }

    private static let now = Moment(
        uptime: Uptime(.seconds(1000)), wall: WallTime(epochSeconds: 1_767_323_045),
        bootID: "boot")

    private func render(
        _ profile: ProviderProfile, _ record: SlotRecord, _ values: CredentialValues
    ) {
        var exchange = profile.exchange(record.kind, step: record.step)
        // AssertionTests cover keys of every kind; signing would slow this test down.
        exchange.request.assertions = [:]
        let nonce = RequestNonce(
            uuid: "u", random: String(repeating: "r", count: 64), now: Self.now.wall)
        let context = TemplateContext(values, profile: profile, record: record, nonce: nonce)
        do throws(RequestError) {
            let request = try exchange.request.render(in: context)
            if let problem = EndpointURL.problem(of: request.url) {
                broken("a URL that may not be: \(problem.problem)")
            }
            let host = EndpointURL.host(of: request.url)
            if host.contains("canary7secret") || host.contains("canary7token") {
                broken("a secret in a host")
            }
            for header in request.headers
            where !header.value.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }) {
                broken("a header with a control character")
            }
            if (try? exchange.request.render(in: context)) != request {
                broken("the same values make two requests")
            }
            if exchange.request.encoding == .json, let body = request.body,
                (try? JSONReader.read(body)) == nil
            {
                broken("a JSON body that is no JSON")
            }
        } catch {
            if (error.problem + error.remedy).contains("CANARY7") { broken("a secret in an error") }
        }
        // Results of steps have their own names in the context, which only ShownRequests knows.
        guard record.grant.steps.isEmpty else { return }
        var shown = context
        shown.mask = RequestMask()
        shown.set(.clientSecret, shown.mask?.secret)
        shown.set(.refreshToken, shown.mask?.secret)
        shown.set(.accessToken, shown.mask?.secret)
        for (name, variable) in profile.variables where variable.isSecret {
            shown.values[name] = shown.mask.map { .string($0.secret) }
        }
        if let request = try? exchange.request.render(in: shown) {
            let text = request.url + String(decoding: request.body ?? [], as: UTF8.self)
            if text.contains("CANARY7") { broken("a secret in a shown request") }
        }
    }

    /// Reads an answer made of the remaining bytes; returns the record of the next step, if any.
    private func answer(
        _ profile: ProviderProfile, _ record: SlotRecord, _ choices: inout Choices
    ) -> SlotRecord? {
        let statuses = [200, 200, 200, 201, 204, 302, 400, 401, 403, 404, 429, 500, 503]
        let status = statuses[Int(choices.byte()) % statuses.count]
        var headers = [HeaderField("Retry-After", choices.text())]
        headers.append(HeaderField("Date", choices.text()))
        let isCut = choices.byte() % 8 == 0
        let isLast = profile.isLast(record.step, of: record.kind)
        let length = isLast ? choices.rest.count : min(choices.rest.count, 64)
        let body = Array(choices.rest.prefix(length))
        choices.rest = choices.rest.dropFirst(length)
        let raw = RawResponse(status: status, headers: headers, body: body, isTruncated: isCut)
        let reader = ResponseReader(
            profile: profile, kind: record.kind, step: record.step, steps: record.grant.steps)
        let reading = reader.read(raw, sentAt: record.sentAt.wall)
        if reader.read(raw, sentAt: record.sentAt.wall) != reading {
            broken("one answer is read in two ways")
        }
        judge(reading, isLast: isLast)
        var grant = record.grant
        grant.apply(reading, to: record, roundTrip: .zero, profile: profile)
        if grant.refreshToken == nil { broken("the refresh token is lost") }
        if CredentialRecord(json: grant.json()) != grant {
            broken("the grant does not survive its slot")
        }
        guard case .success = reading.result else { return nil }
        return record.next(grant: grant, profile: profile, now: Self.now)
    }

    private func judge(_ reading: ResponseOutcome, isLast: Bool) {
        if let token = reading.refreshToken?.reveal(), token.isEmpty { broken("an empty token") }
        switch reading.result {
        case .success(let answer):
            let token = answer.accessToken.reveal()
            if isLast, token.isEmpty { broken("success without a token") }
            if !token.utf8.allSatisfy({ $0 >= 0x20 && $0 <= 0x7E }) {
                broken("a token with bytes outside VSCHAR")
            }
            if let lifetime = answer.lifetime.duration, lifetime <= .zero || lifetime > .days(3660)
            {
                broken("a lifetime of \(lifetime)")
            }
        case .failure(let refusal):
            if refusal.problem.contains("CANARY7") { broken("a server's text in an error") }
            if let wait = refusal.retryAfter, wait < .zero || wait > .seconds(3600) {
                broken("a wait of \(wait)")
            }
        }
    }
}
