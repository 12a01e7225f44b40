import Testing

@testable import TokenConfiguration
@testable import TokenControl
@testable import TokenFormats
@testable import TokenScheduling
@testable import TokenSlots

@Suite("Health and what a scrape shows of one credential") struct HealthTests {
    private let noon = Examples.noon

    /// One credential whose slots held this grant, with its token published; and its ticket source.
    private func credentials(
        _ grant: CredentialRecord, lifecycle: String = "{}", recovery: StateRecovery? = nil
    ) throws -> CredentialSet {
        var credentials = CredentialSet(maxInFlight: 4, seed: 1)
        let text = """
            {"providers": {\(Examples.rfc(lifecycle: lifecycle))},
             "credentials": {"mail": {"provider": "as", "client_id": "id", "client_secret": "s"}}}
            """
        let configuration = try Configuration.read(
            main: ConfigurationFile(path: "t", bytes: Array(text.utf8), mode: 0o600))
        let orders = credentials.configure(configuration, now: noon).orders
        guard case .recover(let ticket, _)? = orders.first?.action else {
            Issue.record("nothing is recovered")
            return credentials
        }
        let more = credentials.handle(
            .recovered(ticket, recovery ?? .grant(grant)), for: "mail", now: noon)
        for case .publish(let ticket, _, _) in more.map(\.action) {
            _ = credentials.handle(.published(ticket, .complete), for: "mail", now: noon)
        }
        return credentials
    }

    private func health(_ credentials: CredentialSet, at seconds: Int64 = 0) -> HealthReport {
        credentials.healthReport(isReady: true, now: noon.advanced(by: .seconds(seconds)))
    }

    @Test("healthy while its token lives; expired from its end, even before that is noticed")
    func expiry() throws {
        let credentials = try credentials(Examples.held)
        #expect(health(credentials, at: 3599).isHealthy)
        #expect(health(credentials, at: 3599).status == "ok")
        let ended = health(credentials, at: 3600)
        #expect(!ended.isHealthy && ended.unhealthy == [.expired: ["mail"]])
        #expect(ended.json["expired"] == ["mail"] && ended.json["status"] == "expired")
        #expect(ended.json["storage"] == [])
    }

    @Test("a person who is needed: attention while the old token lives, unhealthy after its end")
    func login() throws {
        var grant = Examples.held
        grant.attempts.isLoginRequired = true
        let credentials = try credentials(grant)
        #expect(health(credentials).isHealthy && health(credentials).attention == ["mail"])
        #expect(health(credentials, at: 3601).unhealthy == [.loginRequired: ["mail"]])
        #expect(health(credentials, at: 3601).status == "login_required")
    }

    @Test("no token yet, slots that cannot be read, and a disk that does not answer are unhealthy")
    func none() throws {
        #expect(health(try credentials(CredentialRecord())).unhealthy == [.pending: ["mail"]])
        let damaged = try credentials(CredentialRecord(), recovery: .unreadable)
        #expect(health(damaged).unhealthy == [.quarantined: ["mail"]])
        let silent = try credentials(
            CredentialRecord(), recovery: .unavailable(Cause(.stateFails, CauseFacts(detail: "p"))))
        #expect(health(silent).unhealthy == [.pending: ["mail"], .storage: ["mail"]])
    }

    @Test("starting and stopping are said as such")
    func phases() throws {
        var credentials = try credentials(Examples.held)
        let starting = credentials.healthReport(isReady: false, now: noon)
        #expect(!starting.isHealthy && starting.status == "starting")
        credentials.stop()
        #expect(!health(credentials).isHealthy && health(credentials).status == "stopping")
    }

    @Test("lateness grows while a renewal is overdue, and stays what it was when it began")
    func lateness() throws {
        var credentials = try credentials(Examples.held)
        let due = try #require(credentials["mail"]?.nextAttemptAt)
        func lateness(_ credentials: CredentialSet, _ after: Int64) -> Duration? {
            credentials["mail"]?.lateness(now: due.advanced(by: .seconds(after)))
        }
        #expect(lateness(credentials, -1) == .zero)
        #expect(lateness(credentials, 90) == .seconds(90))
        let late = noon.advanced(by: noon.uptime.duration(to: due) + .seconds(100))
        #expect(!credentials.wake(now: late).isEmpty)
        #expect(lateness(credentials, 500) == .seconds(100))
    }

    @Test("signing in is due at the end of a refresh token that no refresh postpones")
    func signIn() throws {
        var grant = Examples.held
        grant.refreshTokenSince = noon
        grant.refreshTokenLifetime = .days(60)
        let end = noon.wall.advanced(by: .days(60))
        func due(_ lifecycle: String) throws -> WallTime? {
            try credentials(grant, lifecycle: lifecycle)["mail"]?.signInDueAt(now: noon)
        }
        #expect(try due(#"{"refresh_token": "static"}"#) == end)
        #expect(try due(#"{"refresh_token_expiry": "fixed"}"#) == end)
        #expect(try due(#"{"refresh_token_expiry": "inherited"}"#) == end)
        #expect(try due(#"{"refresh_token_expiry": "sliding"}"#) == nil)
        #expect(try due(#"{"refresh_token": "rotating"}"#) == nil)
    }
}
