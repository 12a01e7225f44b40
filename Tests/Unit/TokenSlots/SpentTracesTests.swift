import Testing

@testable import TokenConfiguration
@testable import TokenFormats
@testable import TokenProviders
@testable import TokenSlots

@Suite("What is kept of an erased state") struct SpentTracesTests {
    private let profile: ProviderProfile

    init() throws { profile = try Examples.credential().profile }

    private func seeded() -> CredentialRecord {
        var grant = CredentialRecord()
        grant.adopt(
            initialToken: InitialToken(Secret("seed")), for: nil, at: Examples.noon,
            profile: profile)
        return grant
    }

    /// Applies an answer with an access token and this refresh token.
    private func apply(_ refreshToken: String, to grant: inout CredentialRecord) {
        let record = SlotRecord(
            sequence: 1, state: .intent, attemptID: "a", kind: .refresh, sentAt: Examples.noon,
            grant: grant)
        let body = #"{"access_token":"AT","refresh_token":"\#(refreshToken)","expires_in":60}"#
        let reading = record.reading(
            of: RawResponse(status: 200, body: Array(body.utf8)), profile: profile)
        grant.apply(reading, to: record, roundTrip: .zero, profile: profile)
    }

    @Test("a seed that rotated is known, however many tokens came after it")
    func rotated() throws {
        var grant = seeded()
        #expect(SpentTraces(grant).isEmpty)
        for number in 1...(CredentialRecord.maximumSpent + 5) { apply("RT-\(number)", to: &grant) }
        let traces = SpentTraces(grant)
        #expect(traces.holds(Secret("seed"), at: profile))
        #expect(
            !grant.spent.contains(
                CredentialRecord.fingerprint(ofRefresh: Secret("seed"), at: profile)))
        // Neither the present token nor an unknown one.
        #expect(!traces.holds(Secret("RT-\(CredentialRecord.maximumSpent + 5)"), at: profile))
        #expect(!traces.holds(Secret("another"), at: profile))
        // The same after a round trip through the slot format.
        let again = try #require(CredentialRecord(json: grant.json()))
        #expect(SpentTraces(again) == traces)
    }

    @Test("a static seed is not known, nor one that a sign-in replaced before it was sent")
    func notSpent() {
        var grant = seeded()
        apply("seed", to: &grant)
        #expect(grant.isKnownStatic && SpentTraces(grant).isEmpty)
        grant = seeded()
        grant.adopt(
            ImportedTokens(refreshToken: Secret("RT-a")), at: Examples.noon, profile: profile)
        apply("RT-b", to: &grant)
        let traces = SpentTraces(grant)
        #expect(traces.holds(Secret("RT-a"), at: profile))
        #expect(!traces.holds(Secret("seed"), at: profile))
    }

    @Test("of a state of a former version every replaced seed counts once the list has run over")
    func formerVersion() throws {
        var grant = seeded()
        for number in 1...(CredentialRecord.maximumSpent + 1) { apply("RT-\(number)", to: &grant) }
        func former(_ grant: CredentialRecord) throws -> CredentialRecord {
            let members = try #require(grant.json().members).filter { $0.key != "spent_seeds" }
            return try #require(CredentialRecord(json: JSONNode(.object(members))))
        }
        #expect(SpentTraces(try former(grant)).holds(Secret("seed"), at: profile))
        // Before that the list itself is complete, and nothing is guessed.
        #expect(SpentTraces(try former(seeded())).isEmpty)
        var young = seeded()
        apply("RT-1", to: &young)
        let traces = SpentTraces(try former(young))
        #expect(traces.initialTokens == [] && traces.holds(Secret("seed"), at: profile))
    }

    @Test("traces of several lives are added up, within bounds, and outlive their file")
    func file() throws {
        var traces = SpentTraces()
        for life in 0..<10 {
            var grant = CredentialRecord()
            grant.spent = (0..<CredentialRecord.maximumSpent).map { "\(life)-\($0)" }
            grant.spentInitialTokens = (0..<CredentialRecord.maximumInitialTokenFingerprints).map {
                "s\(life)-\($0)"
            }
            traces.add(SpentTraces(grant))
        }
        #expect(traces.tokens.count == SpentTraces.maximumTokens)
        #expect(traces.tokens.last == "9-\(CredentialRecord.maximumSpent - 1)")
        #expect(traces.initialTokens.count == SpentTraces.maximumInitialTokens)
        #expect(SpentTraces(traces.json.serialized()) == traces)
        for text in ["", "{", "[]", #"{"version":1}"#, #"{"spent":1,"seeds":[]}"#] {
            let read = SpentTraces(Array(text.utf8))
            #expect(read.isUnreadable && !read.isEmpty, "\(text)")
        }
    }

    @Test("a withheld seed is remembered as spent, beside the token of a new sign-in")
    func withheld() throws {
        let plan = AttemptPlan.make(
            order: .adopt(ImportedTokens(refreshToken: Secret("RT"))),
            slots: SlotPair(a: .empty, b: .empty), initialToken: nil,
            withheld: InitialToken(Secret("seed"), former: Secret("seed ")), profile: profile,
            attemptID: "a", now: Examples.noon)
        guard case .write(let record) = plan else {
            Issue.record("no record: \(plan)")
            return
        }
        #expect(!record.grant.isNew(InitialToken(Secret("seed"))))
        #expect(record.grant.candidate == nil && record.grant.refreshToken == Secret("RT"))
        #expect(SpentTraces(record.grant).holds(Secret("seed "), at: profile))
    }
}
