import Testing

@testable import TokenFormats
@testable import TokenProviders
@testable import TokenScheduling
@testable import TokenSlots

@Suite("A credential's life") struct LifecycleTests {
    private var random = RandomSource(seed: 1)
    private let noon = Examples.noon

    private func lifecycle(_ extra: String = "") throws -> CredentialLifecycle {
        CredentialLifecycle(try Examples.credential(extra: extra))
    }

    private func at(_ seconds: Int64) -> Moment { noon.advanced(by: .seconds(seconds)) }

    private func granted(
        sent: Moment, lifetime: Int64 = 3600, generation: Int64 = 1
    ) -> CredentialRecord {
        var grant = CredentialRecord()
        grant.refreshToken = Secret("RT")
        grant.generation = generation
        grant.access = GrantedAccess(
            token: Secret("AT-\(generation)"), sentAt: sent, lifetime: .seconds(lifetime))
        grant.attempts.lastSuccessAt = sent
        grant.attempts.lastAttemptAt = sent
        return grant
    }

    /// Starts without stored state and obtains the first token, published at noon.
    private mutating func fresh(_ extra: String = "") throws -> CredentialLifecycle {
        var life = try lifecycle(extra)
        let start = life.start()
        #expect(start == [.recover(Ticket(1), isAccepted: false)])
        #expect(send(.recovered(Ticket(1), .grant(CredentialRecord())), to: &life, at: noon) == [])
        #expect(life.state == .pending)
        #expect(send(.woke, to: &life, at: noon) == [.attempt(Ticket(2), .renew(isManual: false))])
        let report = AttemptReport(grant: granted(sent: noon), end: .granted([]), attemptID: "x")
        let actions = send(.attemptEnded(Ticket(2), report), to: &life, at: noon)
        #expect(actions.contains { if case .publish(Ticket(3), _, 1) = $0 { true } else { false } })
        #expect(life.state != .fresh, "I35: not before other programs can read it")
        #expect(send(.published(Ticket(3), .complete), to: &life, at: noon) == [])
        #expect(life.state == .fresh)
        return life
    }

    private mutating func send(
        _ event: LifecycleEvent, to life: inout CredentialLifecycle, at moment: Moment
    ) -> [LifecycleAction] {
        life.handle(event, now: moment, mayAttempt: true, using: &random)
    }

    private func failure(_ failureClass: FailureClass, _ base: CredentialRecord) -> AttemptReport {
        var grant = base
        grant.attempts.failures += 1
        grant.attempts.lastError = StoredError(
            failureClass: failureClass, problem: "p", at: noon.wall)
        return AttemptReport(
            grant: grant, end: .refused(Refusal(failureClass, problem: "p")), attemptID: "y")
    }

    @Test("it is refreshed when due, not a nanosecond before")
    mutating func due() throws {
        var life = try fresh()
        let due = try #require(life.wakeAt)
        let before = noon.advanced(by: noon.uptime.duration(to: due) - .nanoseconds(1))
        #expect(send(.woke, to: &life, at: before) == [])
        let onTime = before.advanced(by: .nanoseconds(1))
        #expect(
            send(.woke, to: &life, at: onTime) == [.attempt(Ticket(4), .renew(isManual: false))])
        #expect(life.state == .refreshing)
    }

    @Test("I11: a second attempt never starts while one is under way, whatever happens")
    mutating func oneInFlight() throws {
        var life = try fresh()
        _ = send(.refreshRequested, to: &life, at: at(100))
        #expect(send(.woke, to: &life, at: at(100)).count == 1)
        for event in [LifecycleEvent.woke, .refreshRequested, .woke] {
            #expect(
                send(event, to: &life, at: at(4000)).allSatisfy {
                    if case .attempt = $0 { false } else { true }
                })
        }
    }

    @Test("an answer with another ticket is dropped")
    mutating func staleTicket() throws {
        var life = try fresh()
        let late = AttemptReport(
            grant: granted(sent: noon, generation: 9), end: .granted([]), attemptID: "z")
        #expect(send(.attemptEnded(Ticket(2), late), to: &life, at: at(1)) == [])
        #expect(life.grant.generation == 1)
    }

    @Test("I17: a failed refresh leaves the published token alone until it truly ends")
    mutating func failureKeepsToken() throws {
        var life = try fresh()
        _ = send(.woke, to: &life, at: at(2500))
        let actions = send(
            .attemptEnded(Ticket(4), failure(.transient, life.grant)), to: &life, at: at(2500))
        #expect(life.state == .retrying)
        #expect(actions.allSatisfy { if case .report = $0 { true } else { false } })
        #expect(life.liveAccess(now: at(3599)) != nil)
        let end = send(.woke, to: &life, at: at(3600))
        #expect(end.contains(.withdrawExpired))
        #expect(life.state == .expired)
        #expect(life.liveAccess(now: at(3600)) == nil)
    }

    @Test("a token file that cannot be written is tried again, without asking the server")
    mutating func outputFailure() throws {
        var life = try fresh()
        _ = send(.woke, to: &life, at: at(2500))
        let report = AttemptReport(
            grant: granted(sent: at(2500), generation: 2), end: .granted([]), attemptID: "x")
        _ = send(.attemptEnded(Ticket(4), report), to: &life, at: at(2500))
        _ = send(
            .published(
                Ticket(5),
                PublicationReport(
                    Cause(.outputFails, CauseFacts(detail: "no space")), isAnyWritten: false)),
            to: &life, at: at(2500))
        #expect(life.state == .retrying)
        #expect(life.standingError?.failureClass == .output)
        let retry = try #require(life.wakeAt)
        let moment = noon.advanced(by: noon.uptime.duration(to: retry))
        let actions = send(.woke, to: &life, at: moment)
        #expect(actions.contains { if case .publish(_, _, 2) = $0 { true } else { false } })
        _ = send(.published(Ticket(6), .complete), to: &life, at: moment)
        #expect(life.state == .fresh)
    }

    @Test("misconfigured waits a tenth of what is left, or for a changed configuration")
    mutating func misconfigured() throws {
        var life = try fresh()
        _ = send(.woke, to: &life, at: at(2500))
        var report = failure(.config, life.grant)
        report.grant?.attempts.isMisconfigured = true
        _ = send(.attemptEnded(Ticket(4), report), to: &life, at: at(2500))
        #expect(life.state == .misconfigured)
        #expect(life.nextAttemptAt == at(2500 + 110).uptime)
        let changed = try Examples.credential(extra: #", "scope": "other""#)
        _ = send(.configured(changed), to: &life, at: at(2600))
        #expect(life.wantsAttempt(at: at(2600).uptime))
    }

    @Test("an unchanged configuration changes nothing, also while a request is in flight")
    mutating func unchanged() throws {
        var life = try fresh()
        _ = send(.woke, to: &life, at: at(2500))
        let before = life.wakeAt
        #expect(send(.configured(life.configuration), to: &life, at: at(2501)) == [])
        #expect(life.wakeAt == before && life.isAttempting)
    }

    @Test("login_required looks for a new seed once a minute and is settled")
    mutating func loginRequired() throws {
        var life = try fresh()
        _ = send(.woke, to: &life, at: at(2500))
        var report = failure(.reauth, life.grant)
        report.grant?.attempts.isLoginRequired = true
        let actions = send(.attemptEnded(Ticket(4), report), to: &life, at: at(2500))
        #expect(actions.contains { if case .report(.loginRequired) = $0 { true } else { false } })
        #expect(life.state == .loginRequired && life.state.mayReportReadiness)
        #expect(life.wantsAttempt(at: at(2560).uptime))
        _ = send(.refreshRequested, to: &life, at: at(2510))
        #expect(
            send(.woke, to: &life, at: at(2510)) == [.attempt(Ticket(5), .renew(isManual: true))])
    }

    @Test("a restart publishes a valid token at once and keeps its schedule")
    mutating func restart() throws {
        var life = try lifecycle()
        _ = life.start()
        let actions = send(
            .recovered(Ticket(1), .grant(granted(sent: noon))), to: &life, at: at(600))
        #expect(actions.contains { if case .publish = $0 { true } else { false } })
        _ = send(.published(Ticket(2), .complete), to: &life, at: at(600))
        #expect(life.state == .fresh)
        let due = try #require(life.wakeAt)
        #expect(due > at(600 + 1500).uptime && due <= at(2412).uptime)
    }

    @Test("I24: a crash loop asks no more often than the schedule itself may")
    mutating func crashLoop() throws {
        var stored = CredentialRecord()
        stored.refreshToken = Secret("RT")
        stored.attempts.lastAttemptAt = noon
        var life = try lifecycle()
        _ = life.start()
        _ = send(.recovered(Ticket(1), .grant(stored)), to: &life, at: at(1))
        #expect(try #require(life.wakeAt) >= at(10).uptime)
    }

    /// Starts at this time with a failure of noon in the slots.
    private mutating func restarted(
        after failureClass: FailureClass, ambiguous: Int = 0, retryAfter: Duration? = nil,
        at start: Moment
    ) throws -> CredentialLifecycle {
        var stored = CredentialRecord()
        stored.refreshToken = Secret("RT")
        stored.attempts.lastAttemptAt = noon
        stored.attempts.failures = 1
        stored.attempts.ambiguousAttempts = ambiguous
        stored.attempts.lastError = StoredError(
            failureClass: failureClass, problem: "p", at: noon.wall)
        stored.attempts.lastError?.retryAfter = retryAfter
        var life = try lifecycle()
        _ = life.start()
        _ = send(.recovered(Ticket(1), .grant(stored)), to: &life, at: start)
        return life
    }

    @Test("a restart does not shorten the wait after a failure")
    mutating func restartAfterFailure() throws {
        let life = try restarted(after: .rateLimited, retryAfter: .seconds(300), at: at(100))
        #expect(life.wakeAt == at(300).uptime)
    }

    @Test("the first retry after an interrupted request does not wait for the shortest interval")
    mutating func promptRetry() throws {
        let first = try restarted(after: .ambiguous, ambiguous: 1, at: at(2))
        #expect(first.wakeAt == at(2).uptime)
        let second = try restarted(after: .ambiguous, ambiguous: 2, at: at(2))
        #expect(try #require(second.wakeAt) >= at(10).uptime)
    }

    @Test("I22: after a reboot with a wall clock that lies a token is published, and due at once")
    mutating func lyingClock() throws {
        var life = try lifecycle()
        _ = life.start()
        let reboot = Moment(
            uptime: Uptime(.seconds(5)), wall: WallTime(epochSeconds: 0), bootID: "boot-2")
        let actions = send(
            .recovered(Ticket(1), .grant(granted(sent: noon))), to: &life, at: reboot)
        #expect(actions.contains { if case .publish = $0 { true } else { false } })
        _ = send(.published(Ticket(2), .complete), to: &life, at: reboot)
        #expect(life.wantsAttempt(at: reboot.uptime))
    }

    @Test("a refresh token of two months is warned about with 14, 7, 3 and 1 days left")
    mutating func refreshTokenEnd() throws {
        var stored = granted(sent: noon, lifetime: 7200)
        stored.refreshTokenSince = noon
        stored.refreshTokenLifetime = .days(60)
        // Answers have shown that a refresh does not postpone the expiry.
        stored.isRefreshTokenEndFixed = true
        var life = try lifecycle()
        _ = life.start()
        _ = send(.recovered(Ticket(1), .grant(stored)), to: &life, at: noon)
        var warned: [Int] = []
        for day in 0...61 {
            for action in life.warnOfRefreshTokenEnd(now: noon.advanced(by: .days(Int64(day)))) {
                if case .report(.refreshTokenEnds(let days)) = action { warned.append(days) }
            }
        }
        #expect(warned == [14, 7, 3, 1])
    }

    @Test("damaged state is quarantined: nothing is sent, and an import ends it")
    mutating func quarantine() throws {
        var life = try lifecycle()
        _ = life.start()
        _ = send(.recovered(Ticket(1), .unreadable), to: &life, at: noon)
        #expect(life.state == .quarantined && life.wakeAt == nil)
        #expect(life.isUnreadable && life.standingError?.cause.kind == .stateUnreadable)
        #expect(!life.wantsAttempt(at: at(86_400).uptime))
        let order = AttemptOrder.adopt(ImportedTokens(refreshToken: Secret("x")))
        _ = send(.orderGiven(order), to: &life, at: noon)
        #expect(send(.woke, to: &life, at: noon) == [.attempt(Ticket(2), order)])
    }

    @Test("a state that is another's is told apart from one that cannot be read, and counted on")
    mutating func foreignState() throws {
        var life = try lifecycle()
        _ = life.start()
        let copied = Cause(.stateCopied, CauseFacts(detail: "it was made on another host"))
        let stored = granted(sent: noon)
        let recovery = StateRecovery.foreign(stored, copied, mayPublish: false)
        let told = send(.recovered(Ticket(1), recovery), to: &life, at: noon)
        #expect(!life.isUnreadable && life.state == .quarantined)
        let first = try #require(life.standingError)
        #expect(told == [.report(.quarantined(first))] && first.cause == copied)
        _ = send(.refreshRequested, to: &life, at: at(60))
        _ = send(.woke, to: &life, at: at(60))
        let again = AttemptReport(grant: stored, end: .foreign(copied), attemptID: "")
        #expect(send(.attemptEnded(Ticket(2), again), to: &life, at: at(60)) == [])
        let second = try #require(life.standingError)
        #expect(second.since == first.since && second.tries == 2)
    }

    @Test("an output that cannot be written does not keep the token from renewal")
    mutating func badOutput() throws {
        var life = try lifecycle()
        _ = life.start()
        _ = send(.recovered(Ticket(1), .grant(granted(sent: noon))), to: &life, at: at(600))
        let partly = PublicationReport(
            Cause(.outputFails, CauseFacts(detail: "no such directory")), isAnyWritten: true)
        _ = send(.published(Ticket(2), partly), to: &life, at: at(600))
        #expect(life.state == .retrying && life.standingError?.failureClass == .output)
        #expect(life.liveAccess(now: at(600)) != nil)
        #expect(
            send(.woke, to: &life, at: at(3000)) == [.attempt(Ticket(3), .renew(isManual: false))])
    }

    @Test("a script that wants tokens does not shorten the wait that a provider asked for")
    mutating func tokenWanted() throws {
        var life = try fresh()
        _ = send(.woke, to: &life, at: at(2500))
        var report = failure(.rateLimited, life.grant)
        report.grant?.attempts.lastError?.retryAfter = .seconds(600)
        report.grant?.attempts.lastAttemptAt = at(2500)
        _ = send(.attemptEnded(Ticket(4), report), to: &life, at: at(2500))
        for _ in 0..<5 { _ = send(.tokenWanted, to: &life, at: at(2600)) }
        #expect(!life.wantsAttempt(at: at(2600).uptime))
        _ = send(.refreshRequested, to: &life, at: at(2600))
        #expect(!life.wantsAttempt(at: at(3099).uptime) && life.wantsAttempt(at: at(3100).uptime))
    }

    @Test("a restart after the token's end says expired, and withdraws what asked for it")
    mutating func restartAfterEnd() throws {
        var life = try lifecycle()
        _ = life.start()
        let actions = send(
            .recovered(Ticket(1), .grant(granted(sent: noon))), to: &life, at: at(4000))
        #expect(actions == [.withdrawExpired])
        #expect(life.state == .expired)
        #expect(life.wantsAttempt(at: at(4000).uptime))
    }

    @Test("a token's end while its successor is being written removes nothing")
    mutating func endWhilePublishing() throws {
        var life = try fresh()
        _ = send(.woke, to: &life, at: at(3590))
        let report = AttemptReport(
            grant: granted(sent: at(3590), generation: 2), end: .granted([]), attemptID: "x")
        _ = send(.attemptEnded(Ticket(4), report), to: &life, at: at(3599))
        #expect(send(.woke, to: &life, at: at(3601)) == [])
        _ = send(.published(Ticket(5), .complete), to: &life, at: at(3601))
        #expect(life.state == .fresh)
    }

    @Test("outputs changed while a token is being written are written after it")
    mutating func outputsChanged() throws {
        var life = try lifecycle()
        _ = life.start()
        _ = send(.recovered(Ticket(1), .grant(granted(sent: noon))), to: &life, at: at(1))
        let changed = try Examples.credential(extra: #", "outputs": [{"path": "mail/other"}]"#)
        _ = send(.configured(changed), to: &life, at: at(1))
        _ = send(.published(Ticket(2), .complete), to: &life, at: at(2))
        let actions = send(.woke, to: &life, at: at(2))
        #expect(actions.contains { if case .publish = $0 { true } else { false } })
    }
}
