import Testing

@testable import TokenConfiguration
@testable import TokenControl
@testable import TokenFormats
@testable import TokenProviders
@testable import TokenScheduling
@testable import TokenSlots

@Suite("What a reload shows of a problem that it has tried again") struct ReloadStateTests {
    private var random = RandomSource(seed: 1)
    private let noon = Examples.noon
    private let profile: ProviderProfile

    init() throws { profile = try Examples.credential().profile }

    private mutating func send(
        _ event: LifecycleEvent, to life: inout CredentialLifecycle, at seconds: Int64
    ) -> [LifecycleAction] {
        life.handle(
            event, now: noon.advanced(by: .seconds(seconds)), mayAttempt: true, using: &random)
    }

    private func granted(_ seconds: Int64) -> CredentialRecord {
        var grant = CredentialRecord()
        grant.refreshToken = Secret("RT")
        grant.generation = 1
        let moment = noon.advanced(by: .seconds(seconds))
        grant.access = GrantedAccess(
            token: Secret("AT"), sentAt: moment, lifetime: .seconds(3600))
        (grant.attempts.lastSuccessAt, grant.attempts.lastAttemptAt) = (moment, moment)
        return grant
    }

    private func refused(_ grant: CredentialRecord, at seconds: Int64) -> AttemptReport {
        var grant = grant
        let refusal = Refusal(.config, httpStatus: 401, problem: "invalid_client")
        grant.fail(
            refusal, spends: true, at: noon.advanced(by: .seconds(seconds)),
            profile: profile)
        return AttemptReport(grant: grant, end: .refused(refusal), attemptID: "x")
    }

    /// With a published token, and a refused refresh.
    private mutating func troubled(hasToken: Bool) throws -> CredentialLifecycle {
        var life = CredentialLifecycle(try Examples.credential())
        _ = life.start()
        let grant = hasToken ? granted(0) : CredentialRecord()
        _ = send(.recovered(Ticket(1), .grant(grant)), to: &life, at: 0)
        if hasToken { _ = send(.published(Ticket(2), .complete), to: &life, at: 0) }
        let actions = send(.woke, to: &life, at: 3000)
        guard case .attempt(let ticket, _)? = actions.last else { throw Missing() }
        _ = send(.attemptEnded(ticket, refused(life.grant, at: 3000)), to: &life, at: 3000)
        return life
    }
    private struct Missing: Error {}

    private func status(_ life: CredentialLifecycle) -> JSONNode {
        CredentialStatus(life, now: noon.advanced(by: .seconds(3001))).json
    }

    @Test("a mended credential is being refreshed at once, and its problem is from before")
    mutating func mended() throws {
        var life = try troubled(hasToken: true)
        #expect(life.state == .retrying)
        #expect(status(life)["last_error"]?["before_reload"] == nil)
        let new = try Examples.credential(extra: #", "scope": "more""#)
        _ = send(.configured(new), to: &life, at: 3001)
        #expect(life.state == .refreshing)
        #expect(status(life)["last_error"]?["before_reload"] == true)
        let actions = send(.woke, to: &life, at: 3001)
        guard case .attempt(let ticket, _)? = actions.last else { throw Missing() }
        #expect(life.state == .refreshing)
        // The same refusal after the reload counts as new.
        _ = send(.attemptEnded(ticket, refused(life.grant, at: 3002)), to: &life, at: 3002)
        #expect(life.state == .retrying)
        #expect(status(life)["last_error"]?["before_reload"] == nil)
    }

    @Test("without any token the state is pending, never one that a script takes for a token")
    mutating func nothingYet() throws {
        var life = try troubled(hasToken: false)
        #expect(life.state == .misconfigured)
        // The configuration's text is the same: the source of a secret may have been corrected.
        _ = send(.configured(life.configuration), to: &life, at: 3001)
        #expect(life.state == .pending && !life.state.isHealthy)
        #expect(status(life)["last_error"]?["before_reload"] == true)
        let actions = send(.woke, to: &life, at: 3001)
        guard case .attempt(let ticket, _)? = actions.last else { throw Missing() }
        let ended = send(
            .attemptEnded(ticket, refused(life.grant, at: 3002)), to: &life, at: 3002)
        #expect(life.state == .misconfigured)
        #expect(
            !ended.contains { if case .report(.misconfigured) = $0 { true } else { false } },
            "an alert for each reload")
    }

    @Test("an attempt that was under way is made again; until then its end is from before")
    mutating func underWay() throws {
        var life = try troubled(hasToken: true)
        let actions = send(.woke, to: &life, at: 3400)
        guard case .attempt(let ticket, _)? = actions.last else { throw Missing() }
        let new = try Examples.credential(extra: #", "scope": "more""#)
        _ = send(.configured(new), to: &life, at: 3401)
        _ = send(.attemptEnded(ticket, refused(life.grant, at: 3402)), to: &life, at: 3402)
        #expect(life.isErrorBeforeReload && life.state == .refreshing)
        #expect(life.wantsAttempt(at: noon.advanced(by: .seconds(3402)).uptime))
    }

    @Test("a quarantine stays one, and new outputs are no try of the credential")
    mutating func untouched() throws {
        var life = CredentialLifecycle(try Examples.credential())
        _ = life.start()
        _ = send(.recovered(Ticket(1), .unreadable), to: &life, at: 0)
        let new = try Examples.credential(extra: #", "scope": "more""#)
        _ = send(.configured(new), to: &life, at: 1)
        #expect(life.state == .quarantined && !life.isErrorBeforeReload)
        life = try troubled(hasToken: true)
        let other = try Examples.credential(extra: #", "outputs": [{"path": "mail/other"}]"#)
        _ = send(.configured(other), to: &life, at: 3001)
        #expect(life.state == .retrying)
    }

    @Test("the floor before a refresh is told with its reason")
    mutating func floor() throws {
        var life = CredentialLifecycle(try Examples.credential())
        _ = life.start()
        _ = send(.recovered(Ticket(1), .grant(granted(0))), to: &life, at: 0)
        let floor = life.refreshFloor(now: noon.advanced(by: .milliseconds(1500)))
        #expect(
            floor
                == RefreshFloor(
                    wait: .milliseconds(8500), cause: .minimumInterval, whole: .seconds(10)))
        #expect(floor?.json["seconds"] == 9)
        #expect(life.refreshFloor(now: noon.advanced(by: .seconds(10))) == nil)
        life.grant.attempts.lastError = StoredError(
            failureClass: .rateLimited, problem: "p", at: noon.wall, retryAfter: .seconds(60))
        let asked = life.refreshFloor(now: noon.advanced(by: .seconds(20)))
        #expect(asked?.cause == .retryAfter && asked?.wait == .seconds(40))
    }
}
