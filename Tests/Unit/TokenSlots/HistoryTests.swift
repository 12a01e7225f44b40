import Testing

@testable import TokenConfiguration
@testable import TokenFormats
@testable import TokenProviders
@testable import TokenSlots

@Suite("What is remembered of past attempts") struct HistoryTests {
    private let noon = Examples.noon

    private func record(
        _ grant: CredentialRecord, kind: ExchangeKind = .refresh, at moment: Moment? = nil
    ) -> SlotRecord {
        SlotRecord(
            sequence: 7, state: .intent, attemptID: "a", kind: kind, sentAt: moment ?? noon,
            grant: grant)
    }

    private func answered(
        _ grant: CredentialRecord, _ raw: RawResponse, _ profile: ProviderProfile, at moment: Moment
    ) -> CredentialRecord {
        let record = record(grant, at: moment)
        let reading = ResponseReader(profile: profile, kind: .refresh, step: "", steps: [])
            .read(raw, sentAt: moment.wall)
        var grant = grant
        grant.apply(reading, to: record, roundTrip: .milliseconds(120), profile: profile)
        return grant
    }

    @Test("an answer leaves one entry, read live or found in a slot after a crash")
    func oneEntry() throws {
        let profile = try Examples.credential().profile
        for (raw, failureClass) in [
            (Examples.answer(200, #"{"access_token": "new"}"#), nil),
            (Examples.answer(503, ""), FailureClass.transient),
        ] {
            let live = answered(Examples.held, raw, profile, at: noon)
            #expect(live.recent.map(\.failureClass) == [failureClass])
            #expect(live.recent.first?.took == .milliseconds(120))
            let size = 64 * 1024
            var bytes = [UInt8](repeating: 0, count: size)
            let head = SlotLayout.encode(record(Examples.held), credential: "mail", slotSize: size)
            let tail = SlotLayout.encode(
                raw, attemptID: "a", roundTrip: .milliseconds(120), credential: "mail",
                slotSize: size)
            bytes.replaceSubrange(0..<(head ?? []).count, with: head ?? [])
            let offset = SlotLayout.responseOffset(slotSize: size)
            bytes.replaceSubrange(offset..<offset + tail.count, with: tail)
            let found = try #require(SlotContents(bytes: bytes, credential: "mail"))
            #expect(found.grant(profile: profile).recent == live.recent)
        }
    }

    @Test("entries survive a slot as they were")
    func stored() throws {
        var grant = Examples.held
        let error = StoredError(
            failureClass: .rateLimited, httpStatus: 429, problem: "slow down", at: noon.wall)
        var silent = PastAttempt(.refresh, failedWith: error, took: .seconds(1))
        silent.problem = nil
        for kind in PastAttempt.Kind.allCases {
            grant.note(PastAttempt(kind, at: noon.wall, took: .milliseconds(5)))
            grant.note(PastAttempt(kind, failedWith: error, took: nil))
            if kind == .acquire { grant.note(silent) }
        }
        let read = try #require(CredentialRecord(json: grant.json()))
        #expect(read.recent == grant.recent)
        #expect(read == grant)
    }

    @Test("the registered error code of a refusal is kept beside its problem, and no other")
    func errorCodes() throws {
        var grant = Examples.held
        // A problem that is the same as before, with another code and with none; another problem
        // with the same code.
        for (status, code) in [
            (400, "invalid_grant"), (400, "invalid_grant"), (400, "access_denied"), (400, nil),
            (400, "errcode 40001"), (403, "access_denied"), (400, "access_denied"),
        ] {
            let facts = CauseFacts(status: status, errorCode: code)
            let error = StoredError(
                .tooEarly, Cause(.tooEarly, facts), httpStatus: status, at: noon.wall)
            grant.note(PastAttempt(.refresh, failedWith: error, took: nil))
        }
        let codes = [
            "invalid_grant", "invalid_grant", "access_denied", nil, nil, "access_denied",
            "access_denied",
        ]
        #expect(grant.recent.map(\.errorCode) == codes)
        #expect(Set(grant.recent.map(\.problem)).count == 2)
        let read = try #require(CredentialRecord(json: grant.json()))
        #expect(read.recent == grant.recent)
        #expect(grant.recent.map { PastAttempt(json: $0.json) } == grant.recent)
    }

    @Test("a version that knows no line of an error code leaves that line out, and nothing else")
    func formerReader() {
        let text = """
            1 refresh 5 reauth 400 the provider refused the refresh token (400 invalid_grant)
            code invalid_grant
            2 refresh - transient 503 the provider answered 503
            """
        let kept = text.split(separator: "\n").filter { line in
            // As a version tells the lines that it knows.
            let words = line.split(separator: " ", maxSplits: 5)
            return words.count >= 3 && Int64(words[0]) != nil
        }
        #expect(kept.count == 2)
        #expect(
            PastAttempt.read(slotText: kept.joined(separator: "\n")).map(\.httpStatus)
                == PastAttempt.read(slotText: text).map(\.httpStatus))
    }

    @Test("the last twenty are kept, and no problem longer than 200 characters")
    func bounded() {
        var grant = Examples.held
        for number in 0..<30 {
            let error = StoredError(
                failureClass: .transient, httpStatus: number,
                problem: String(repeating: "p", count: 1000), at: noon.wall)
            grant.note(PastAttempt(.refresh, failedWith: error, took: nil))
        }
        #expect(grant.recent.map(\.httpStatus) == (10..<30).map { $0 })
        #expect(grant.recent.allSatisfy { $0.problem?.count == 200 })
    }

    @Test("a long note of a success is kept as it will be read again")
    func longNote() throws {
        var grant = Examples.held
        let note = String(repeating: "n", count: 1000)
        grant.note(PastAttempt(.refresh, at: noon.wall, took: nil, note: note))
        #expect(grant.recent.last?.note?.count == 200)
        #expect(try #require(CredentialRecord(json: grant.json())) == grant)
    }

    @Test("where a refresh token needs the room, older attempts make it")
    func room() throws {
        var grant = Examples.held
        for second in 0..<20 {
            let error = StoredError(
                failureClass: .transient, httpStatus: 503,
                problem: String(repeating: "p", count: 190) + "\(second)",
                at: noon.wall.advanced(by: .seconds(second)))
            grant.note(PastAttempt(.refresh, failedWith: error, took: .seconds(1)))
        }
        grant.refreshToken = Secret(String(repeating: "x", count: 12 * 1024))
        let bytes = try #require(
            SlotLayout.encode(record(grant), credential: "mail", slotSize: 64 * 1024))
        let kept = try #require(SlotContents(bytes: bytes, credential: "mail")).record.grant
        #expect(kept.refreshToken == grant.refreshToken && kept.access == grant.access)
        #expect((1..<20).contains(kept.recent.count))
        #expect(kept.recent == grant.recent.suffix(kept.recent.count))
    }

    @Test("what a person did is told as such")
    func people() throws {
        let profile = try Examples.credential().profile
        var grant = Examples.held
        grant.adopt(
            ImportedTokens(refreshToken: Secret("brought")), at: noon, profile: profile)
        grant.fail(
            Refusal(.reauth, httpStatus: 400, problem: "p"),
            of: record(grant, kind: .authorizationCode), profile: profile)
        #expect(grant.recent.map(\.kind) == [.imported, .signIn])
        #expect(grant.attempts.failures == 0, "a bad code says nothing of the tokens there are")
    }

    @Test("answers show whether refreshing puts the refresh token's end off")
    func end() throws {
        let profile = try Examples.credential(
            providers: """
                "as": {"request": {"url": "https://id.example/token"},
                  "response": {"refresh_expires": {"from": "/left", "as": "seconds"}}}
                """
        ).profile
        for (lefts, isFixed) in [([8000, 7000, 6000], true), ([8000, 8000, 8000], false)] {
            var grant = Examples.held
            for (number, left) in lefts.enumerated() {
                #expect(number < 2 ? grant.isRefreshTokenEndFixed == nil : true)
                let body =
                    #"{"access_token": "a", "refresh_token": "r\#(number)", "left": \#(left)}"#
                grant = answered(
                    grant, Examples.answer(200, body), profile,
                    at: noon.advanced(by: .seconds(1000 * number)))
            }
            #expect(grant.isRefreshTokenEndFixed == isFixed)
        }
    }
}

@Suite("What a reload changed") struct ConfigurationChangesTests {
    private func configuration(_ text: String) throws -> Configuration {
        try ConfigurationTests.read(text).get()
    }

    private static let keys = #""client_id": "1", "client_secret": {"file": "s"}"#

    @Test("credentials by name, with their keys; the whole by its keys; places apart")
    func changes() throws {
        let old = try configuration(
            """
            {"log_level": "info", "token_dir": "/run/a", "credentials": {
               "a": {"provider": "xee", \(Self.keys)}, "b": {"provider": "xee", \(Self.keys)}}}
            """)
        let new = try configuration(
            """
            {"log_level": "error", "token_dir": "/run/b", "credentials": {
               "a": {"provider": "febbox", "client_id": "2", "client_secret": {"file": "s"},
                     "outputs": [{"path": "x"}]},
               "c": {"provider": "xee", \(Self.keys)}}}
            """)
        let changes = ConfigurationChanges(from: old, to: new)
        #expect(changes.added == ["c"] && changes.removed == ["b"])
        #expect(changes.changed.map(\.name) == ["a"])
        #expect(changes.changed.first?.keys == ["provider", "client_id", "outputs"])
        #expect(changes.settings == ["log_level"] && changes.needingRestart == ["token_dir"])
        #expect(ConfigurationChanges(from: new, to: new) == ConfigurationChanges())
    }

    /// A forgotten key would be a change that no reload reports.
    @Test("every stored key of a credential and of the whole is looked at")
    func complete() throws {
        let whole = try configuration(
            "{\"credentials\": {\"a\": {\"provider\": \"xee\", \(Self.keys)}}}")
        let compared: Set = [
            "tokenDirectory", "stateDirectory", "controlSocket", "credentialSocket", "control",
            "metricsListen",
            "readyTimeout", "maxInFlight", "slotSize", "allowUnsafeState", "logLevel",
            // Copied into each credential.
            "caFile", "proxy", "credentials",
            // Derived from the rest of the configuration.
            "providerFindings",
        ]
        #expect(Set(Mirror(reflecting: whole).children.compactMap(\.label)) == compared)
        let keys: Set = [
            "name", "profile", "clientID", "clientSecret", "refreshToken", "scope", "variables",
            "refresh", "outputs", "units", "hooks", "caFile", "proxy",
        ]
        let credential = Mirror(reflecting: whole.credentials[0])
        #expect(Set(credential.children.compactMap(\.label)) == keys)
    }
}
