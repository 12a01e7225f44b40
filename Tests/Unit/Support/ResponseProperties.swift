#if !FUZZING
    @testable import TokenConfiguration
    @testable import TokenFormats
    @testable import TokenProviders
    @testable import TokenSlots
#endif

/// Properties of any bytes as the body of a response: all work of an attempt with them stays within
/// a budget of processor time, for every profile.
struct ResponseProperties {
    /// Called with each violated property.
    let broken: (String) -> Void

    /// FebBox, Fxiaoke, Xee, plain RFC 6749, and a profile that uses all selectors on texts.
    static let profiles: [ProviderProfile] = {
        let names = ["febbox", "fxiaoke", "xee", "google"]
        return names.compactMap { BuiltInProfiles.profile(named: $0) }
            + ["auto", "form", "text"].compactMap(custom)
    }()

    private static func custom(format: String) -> ProviderProfile? {
        let text = #"""
            {"request": {"url": "https://id.example/t"},
             "response": {"format": "FORMAT",
               "success": [{"path": "/error", "not_in": ["a", "b", 3]}],
               "access_token": ["/access_token", {"path": "/scope", "regex": "([a-z]+)$"}],
               "expires": [{"from": "/expires_in", "as": "text_duration"},
                 {"from": "/expires_in", "as": "iso8601_duration"},
                 {"from": "/expires_in", "as": "days_hh_mm"},
                 {"from": "/expires_in", "as": "rfc3339"},
                 {"from": "/expires_in", "as": "auto"},
                 {"from": {"jwt_claim": "exp", "of": "/scope"}, "as": "epoch_seconds"}],
               "keep": {"s": "/scope", "e": "/error_description"}},
             "errors": [{"if": [{"path": "/error", "matches": "(a|b|aa)*c"}], "class": "reauth"}]}
            """#.replacing("FORMAT", with: format)
        guard let node = try? JSONReader.read(Array(text.utf8)) else { return nil }
        let document = ConfigurationDocument(file: "custom", bytes: Array(text.utf8))
        let field = FieldReader(node, path: "", fallbackOffset: 0, document: document)
        return ProfileCatalogue(
            configured: ["custom": ProviderSource(node: node, field: field)]
        ).profile(named: "custom", usedBy: field)
    }

    /// All work of an attempt with a response, for every profile.
    func check(_ body: [UInt8]) {
        checkAgainstStrictReading(body)
        for profile in Self.profiles {
            for status in [200, 400] { check(RawResponse(status: status, body: body), profile) }
        }
    }

    /// What the strict reader accepts, the lenient one reads equally and without tolerating
    /// anything.
    private func checkAgainstStrictReading(_ body: [UInt8]) {
        guard let node = try? JSONReader.read(body),
            node.members != nil || node.elements != nil
        else { return }
        let found = JSONReader.readForgivingly(body, from: node.offset)
        if !found.isValue || found.node != node { broken("the two readers differ") }
        if found.isCut || found.isLoose || !found.replaced.isEmpty {
            broken("something is forgiven that is no mistake")
        }
    }

    private func check(_ raw: RawResponse, _ profile: ProviderProfile) {
        let sentAt = Moment(
            uptime: Uptime(.seconds(1)), wall: WallTime(epochSeconds: 1_795_000_000), bootID: "b")
        var record = SlotRecord(
            sequence: 1, state: .intent, attemptID: "a", kind: .refresh,
            step: profile.exchanges(.refresh)[0].id, sentAt: sentAt, grant: CredentialRecord())
        record.grant.refreshToken = Secret("RT")
        var grant = record.grant
        let reading = record.reading(of: raw, profile: profile)
        grant.apply(reading, to: record, roundTrip: .zero, profile: profile)
        if grant.refreshToken == nil { broken("the refresh token is gone") }
        _ = SlotLayout.encode(record.settled(grant), credential: "c", slotSize: 65_536)
        guard let access = grant.access else { return }
        let token = PublishedToken(credential: "c", provider: "p", access: access)
        for format in [OutputSpecification.Format.raw, .json, .header, .env, .curl] {
            if token.bytes(as: format) == nil { broken("a token that cannot be written") }
        }
    }
}
