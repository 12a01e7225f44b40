import Testing

@testable import TokenConfiguration
@testable import TokenFormats
@testable import TokenProviders
@testable import TokenScheduling
@testable import TokenSlots

@Suite("The credential set") struct CredentialSetTests {
    private func configuration(_ lifecycle: String) throws -> Configuration {
        try Examples.configuration(of: ["a", "b", "c", "d"], lifecycle: lifecycle)
    }

    /// Reads this from all slots; returns the names of the credentials that then send a request.
    private func begin(
        _ credentials: inout CredentialSet, lifecycle: String = "{}",
        with grants: [String: CredentialRecord] = [:]
    ) throws -> [String] {
        let (orders, _) = credentials.configure(try configuration(lifecycle), now: Examples.noon)
        var asking: [String] = []
        for order in orders {
            guard case .recover(let ticket, _) = order.action else { continue }
            let grant = grants[order.credential] ?? CredentialRecord()
            asking += attempts(
                credentials.handle(
                    .recovered(ticket, .grant(grant)), for: order.credential, now: Examples.noon))
        }
        return asking.sorted()
    }

    private func attempts(_ orders: [CredentialSet.DueAction]) -> [String] {
        orders.compactMap { if case .attempt = $0.action { $0.credential } else { nil } }
    }

    @Test("one provider leaves a quarter of the room to others, who are not behind its own")
    func share() throws {
        let entry = { (name: String, provider: String) in
            "\"\(name)\": {\"provider\": \"\(provider)\", \"client_id\": \"id\", "
                + "\"client_secret\": \"s\", \"refresh_token\": \"RT-\(name)\"}"
        }
        let many = (0..<9).map { entry("slow\($0)", "slow") } + [entry("z", "other")]
        let provider = #"{"request": {"url": "https://id.example/token"}}"#
        let text = """
            {"providers": {"slow": \(provider), "other": \(provider)}, "max_in_flight": 4,
             "credentials": {\(many.joined(separator: ","))}}
            """
        let configuration = try Configuration.read(
            main: ConfigurationFile(path: "t", bytes: Array(text.utf8), mode: 0o600))
        var credentials = CredentialSet(maxInFlight: 4, seed: 1)
        var asking: [(name: String, ticket: Ticket)] = []
        func note(_ orders: [CredentialSet.DueAction]) {
            for order in orders {
                if case .attempt(let ticket, _) = order.action {
                    asking.append((order.credential, ticket))
                }
            }
        }
        for order in credentials.configure(configuration, now: Examples.noon).orders {
            guard case .recover(let ticket, _) = order.action else { continue }
            note(
                credentials.handle(
                    .recovered(ticket, .grant(CredentialRecord())), for: order.credential,
                    now: Examples.noon))
        }
        #expect(asking.map(\.name).sorted() == ["slow0", "slow1", "slow2", "z"])
        // A released place of this provider can be used by the same provider again.
        let ended = try #require(asking.first { $0.name == "slow0" })
        let report = AttemptReport(
            grant: CredentialRecord(), end: .refused(Refusal(.transient, problem: "p")),
            attemptID: "a")
        note(
            credentials.handle(
                .attemptEnded(ended.ticket, report), for: ended.name, now: Examples.noon))
        #expect(asking.count == 5)
    }

    @Test("no more than max_in_flight ask at once; the next one when one has ended")
    func inFlight() throws {
        var credentials = CredentialSet(maxInFlight: 64, seed: 1)
        #expect(try begin(&credentials) == ["a", "b", "c", "d"])
        credentials = CredentialSet(maxInFlight: 64, seed: 1)
        var small = try configuration("{}")
        small.maxInFlight = 2
        let (orders, _) = credentials.configure(small, now: Examples.noon)
        var asking: [String] = []
        for order in orders {
            guard case .recover(let ticket, _) = order.action else { continue }
            asking += attempts(
                credentials.handle(
                    .recovered(ticket, .grant(CredentialRecord())), for: order.credential,
                    now: Examples.noon))
        }
        #expect(asking.count == 2)
        #expect(attempts(credentials.wake(now: Examples.noon.advanced(by: .seconds(60)))) == [])
    }

    @Test("the numbers by state are those of its credentials, after every event")
    func counts() throws {
        var credentials = CredentialSet(maxInFlight: 64, seed: 1)
        func expectSame(_ state: CredentialState? = nil) {
            let states = credentials.all.map(\.state)
            for each in CredentialState.allCases {
                #expect(credentials.count(of: each) == states.count { $0 == each })
            }
            #expect(
                credentials.mayReportReadiness == states.allSatisfy(\.mayReportReadiness))
            if let state { #expect(credentials.count(of: state) > 0) }
        }
        var whole = try configuration("{}")
        let (orders, _) = credentials.configure(whole, now: Examples.noon)
        expectSame(.pending)
        for (order, grant) in zip(
            orders, [CredentialRecord(), Examples.held] + [.init(), .init()])
        {
            guard case .recover(let ticket, _) = order.action else { continue }
            let isSpoilt = order.credential == "d"
            for next in credentials.handle(
                .recovered(ticket, isSpoilt ? .unreadable : .grant(grant)),
                for: order.credential, now: Examples.noon)
            {
                if case .publish(let ticket, _, _) = next.action {
                    _ = credentials.handle(
                        .published(ticket, .complete), for: next.credential, now: Examples.noon)
                }
                expectSame()
            }
        }
        expectSame(.quarantined)
        expectSame(.fresh)
        #expect(!credentials.mayReportReadiness)
        whole.credentials.removeAll { $0.name == "a" || $0.name == "c" }
        _ = credentials.configure(whole, now: Examples.noon)
        expectSame()
        #expect(credentials.mayReportReadiness)
    }

    @Test("I7: no request begins while it stops")
    func stopping() throws {
        var credentials = CredentialSet(maxInFlight: 64, seed: 1)
        credentials.stop()
        #expect(try begin(&credentials) == [])
        #expect(attempts(credentials.wake(now: Examples.noon.advanced(by: .seconds(60)))) == [])
    }

    @Test("I24: what was asked before a restart counts in a rate limit")
    func formerLife() throws {
        var stored = CredentialRecord()
        stored.refreshToken = Secret("RT")
        stored.attempts.lastAttemptAt = Examples.noon.advanced(by: .seconds(-60))
        var credentials = CredentialSet(maxInFlight: 64, seed: 1)
        let lifecycle = #"{"rate_limit": "2/10m", "rate_limit_key": "account"}"#
        let grants = ["a": stored, "b": stored]
        #expect(try begin(&credentials, lifecycle: lifecycle, with: grants) == [])
        let end = Examples.noon.advanced(by: .seconds(540))
        #expect(attempts(credentials.wake(now: end)).count == 2)
    }

    @Test("I11: tokens that a person brings wait for the end of an attempt")
    func orderWhileAsking() throws {
        var life = CredentialLifecycle(try Examples.credential())
        var random = RandomSource(seed: 1)
        let order = AttemptOrder.adopt(ImportedTokens(refreshToken: Secret("x")))
        var begun: [LifecycleAction] = life.start()
        let ended = AttemptReport(
            grant: nil, end: .refused(Refusal(.storage, problem: "p")), attemptID: "x")
        for event in [
            LifecycleEvent.recovered(Ticket(1), .grant(CredentialRecord())), .woke,
            .orderGiven(order),
            .woke, .attemptEnded(Ticket(2), ended), .woke,
        ] {
            begun += life.handle(event, now: Examples.noon, mayAttempt: true, using: &random)
            if case .orderGiven = event {
                #expect(!life.wantsAttempt(at: Examples.noon.uptime))
            }
        }
        let attempts = begun.filter { if case .attempt = $0 { true } else { false } }
        #expect(
            attempts == [
                .attempt(Ticket(2), .renew(isManual: false)), .attempt(Ticket(3), order),
            ])
    }

    @Test("I24: the minimum interval between refreshes holds for manual requests")
    func floorByHand() throws {
        var life = CredentialLifecycle(try Examples.credential())
        var random = RandomSource(seed: 1)
        var stored = Examples.held
        stored.generation = 1
        stored.attempts.lastSuccessAt = Examples.noon
        let now = Examples.noon.advanced(by: .seconds(1))
        for event in [
            LifecycleEvent.recovered(Ticket(1), .grant(stored)), .published(Ticket(2), .complete),
            .refreshRequested,
        ] {
            if case .recovered = event { _ = life.start() }
            _ = life.handle(event, now: now, mayAttempt: true, using: &random)
        }
        #expect(!life.wantsAttempt(at: now.uptime))
        #expect(life.wantsAttempt(at: Examples.noon.advanced(by: .seconds(10)).uptime))
    }
}
