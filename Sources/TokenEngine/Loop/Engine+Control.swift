internal import TokenConfiguration
internal import TokenControl
internal import TokenFormats
internal import TokenProviders
internal import TokenScheduling
internal import TokenSlots

/// A pending control request: for a token with enough remaining life, or for a renewal to finish.
struct TokenWaiter {
    enum Wish {
        /// Any token newer than this generation is accepted, whatever its lifetime. When no token
        /// lasts as long as asked, the result of the renewal after this many attempts.
        case token(minimumLife: Duration, newerThan: Int64, afterAttempts: Int? = nil)
        /// A renewal that ends after this many.
        case refresh(afterAttempts: Int)
        /// The first renewal with an accepted state, which ends after this many.
        case accepted(afterAttempts: Int)
    }
    var credential: String
    var wish: Wish
    var deadline: Uptime
    var reply: @Sendable (ControlReply) -> Void
}

extension EngineLoop {
    /// Maximum wait for a token with enough remaining life; the client's own time-out should be
    /// longer.
    static let longestTokenWait: Duration = .seconds(40)

    mutating func answer(
        _ request: ControlRequest, _ reply: @escaping @Sendable (ControlReply) -> Void,
        _ group: inout DiscardingTaskGroup
    ) {
        switch request {
        case .status(let query): reply(ControlReply(200, .statusSlice(statusSlice(query))))
        case .metrics(let name): reply(ControlReply(200, .metrics(metricsReport(after: name))))
        case .health(after: nil): answerHealth(reply)
        case .health(let name): reply(health(after: name))
        case .liveness: reply(.alive)
        case .reload: beginReload(reply)
        case .credential(let name):
            guard let lifecycle = known(name, reply) else { return }
            let report = CredentialReport(
                CredentialStatus(lifecycle, now: now), recent: lifecycle.recentAttempts.reversed(),
                refreshFloor: lifecycle.refreshFloor(now: now))
            reply(ControlReply(200, .credential(report)))
        case .token(let name, let life, let duration):
            guard let lifecycle = known(name, reply) else { return }
            // The start of a unit must not wait for it.
            let isForced = duration == nil && isWorthOneMore(lifecycle, life)
            let wish = TokenWaiter.Wish.token(
                minimumLife: life, newerThan: lifecycle.publishedGeneration ?? 0,
                afterAttempts: isForced ? lifecycle.renewalsEnded : nil)
            wait(name, wish, for: duration ?? Self.longestTokenWait, reply, &group)
        case .refresh(let name, let duration):
            guard let lifecycle = known(name, reply) else { return }
            let before = lifecycle.renewalsEnded
            perform(credentials.handle(.refreshRequested, for: name, now: now), &group)
            guard let duration else {
                reply(ControlReply(202, .begun(credential: name)))
                return
            }
            wait(name, .refresh(afterAttempts: before), for: duration, reply, &group)
        case .signIn(let name, let wish):
            guard let lifecycle = known(name, reply) else { return }
            // Check first, so that a user does not sign in at the provider in vain.
            if lifecycle.isUnreadable { return reply(.unreadable(name)) }
            let credential = lifecycle.configuration
            group.addTask { [runner] in reply(await runner.signIn(credential, wish)) }
        case .order(let name, let given):
            guard let lifecycle = known(name, reply) else { return }
            let order = given.attempt
            if let refusal = order.obstacle(for: lifecycle.configuration) { return reply(refusal) }
            orderReplies[name, default: []].append(reply)
            perform(credentials.handle(.orderGiven(order), for: name, now: now), &group)
        case .check(let name):
            guard let lifecycle = known(name, reply) else { return }
            checkLive(lifecycle.configuration, reply, &group)
        case .accept(let name, let wait): accept(name, wait: wait, reply, &group)
        case .stored(let name): tellStored(name, reply, &group)
        case .forget(let name, let allTraces):
            forget(name, allTraces: allTraces, reply, &group)
        }
    }

    private func statusSlice(_ query: StatusQuery) -> StatusSlice {
        var slice = credentials.statusSlice(
            query, isReady: isReady, startedAt: startedAt.wall, now: now, mistakes: mistakes)
        slice.head.needingRestart = needingRestart
        slice.head.reloadProblems = lastReload.problems
        return slice
    }

    func known(
        _ name: String, _ reply: @Sendable (ControlReply) -> Void
    ) -> CredentialLifecycle? {
        if let lifecycle = credentials[name] { return lifecycle }
        reply(.noCredential(name, among: credentials.names))
        return nil
    }

    mutating func wait(
        _ name: String, _ wish: TokenWaiter.Wish, for duration: Duration,
        _ reply: @escaping @Sendable (ControlReply) -> Void, _ group: inout DiscardingTaskGroup
    ) {
        let waiter = TokenWaiter(
            credential: name, wish: wish, deadline: now.uptime.advanced(by: duration),
            reply: reply)
        if let done = outcome(of: waiter) { return answer(waiter, done) }
        if case .token = wish {
            perform(credentials.handle(.tokenWanted, for: name, now: now), &group)
        }
        waiters.append(waiter)
    }

    mutating func resolveWaiters() {
        let pending = waiters
        waiters = []
        for waiter in pending {
            if let done = outcome(of: waiter) {
                answer(waiter, done)
            } else {
                waiters.append(waiter)
            }
        }
    }

    private mutating func answer(_ waiter: TokenWaiter, _ done: ControlReply) {
        if case .token(_, _, .some) = waiter.wish {
            renewedForLife[waiter.credential] = credentials[waiter.credential]?.grant.generation
        }
        waiter.reply(done)
    }

    /// Whether to renew once for a request that no token of this provider can satisfy: each token
    /// is renewed once for such a request, and the result is accepted.
    private func isWorthOneMore(_ lifecycle: CredentialLifecycle, _ life: Duration) -> Bool {
        guard let live = lifecycle.liveAccess(now: now),
            renewedForLife[lifecycle.name] != lifecycle.grant.generation
        else { return false }
        return MinimumLife(asked: life, lifetime: live.access.lifetime).isBeyondReach
            && lifecycle.renewsOnWish(now: now)
    }

    /// `nil` while the request must wait.
    private func outcome(of waiter: TokenWaiter) -> ControlReply? {
        guard let lifecycle = credentials[waiter.credential] else {
            return .problem(404, "the credential was removed from the configuration")
        }
        let isLate = waiter.deadline <= now.uptime
        switch waiter.wish {
        case .refresh(let before):
            guard lifecycle.renewalsEnded > before, !lifecycle.isBusy else {
                return isLate ? failure(lifecycle, "the refresh has not ended yet") : nil
            }
            if let error = lifecycle.standingError {
                return failure(lifecycle, error.problem)
            }
            return ControlReply(200, .refreshed(CredentialStatus(lifecycle, now: now)))
        case .accepted(let before):
            return .accepted(lifecycle, after: before, isLate: isLate)
        case .token(let life, let generation, let attempts):
            if let live = lifecycle.liveAccess(now: now) {
                let left = live.expiresAt.map { now.uptime.duration(to: $0) }
                let minimum = MinimumLife(asked: life, lifetime: live.access.lifetime)
                // The reply and the files agree, unless the files cannot be written.
                let held = lifecycle.grant.generation
                let isNewest =
                    lifecycle.publishedGeneration == held || lifecycle.hasOutputProblem
                let isTried = attempts.map { lifecycle.renewalsEnded > $0 && !lifecycle.isBusy }
                let lasts = held > generation || left.map { $0 >= minimum.wanted } ?? true
                if isNewest, (isTried ?? true) && lasts || isLate {
                    return .token(lifecycle, live.access.told(by: now), minimum, left: left)
                }
            }
            let isHopeless = [.loginRequired, .misconfigured, .quarantined]
                .contains(lifecycle.state)
            guard isLate || (isHopeless && !lifecycle.isBusy) else { return nil }
            return failure(lifecycle, "there is no valid token")
        }
    }

    private func failure(_ lifecycle: CredentialLifecycle, _ title: String) -> ControlReply {
        let state = lifecycle.state
        let remedy =
            lifecycle.standingError?
            .remedy(for: RemedyPlace(lifecycle.configuration, state: state))
            ?? (state == .loginRequired
                ? "Sign in: evertoken login \(lifecycle.name)" : nil)
        return .problem(503, "\(lifecycle.name) is \(state.rawValue): \(title)", remedy: remedy)
    }

    mutating func noteStarted(_ order: AttemptOrder, _ ticket: Ticket, _ name: String) {
        switch order {
        case .renew, .resave: return
        case .login, .device, .adopt: break
        }
        guard var replies = orderReplies[name], !replies.isEmpty else { return }
        runningOrders[ticket, name] = replies.removeFirst()
        orderReplies[name] = replies
    }

    /// Replies to the client whose order has ended.
    mutating func finishOrder(_ event: LifecycleEvent, _ name: String) {
        guard case .attemptEnded(let ticket, let report) = event,
            let reply = runningOrders.removeValue(ticket, name)
        else { return }
        reply(.ended(report.end, name))
    }
}

/// Running orders, by credential and ticket.
struct RunningOrders {
    private var replies: [String: [Ticket: @Sendable (ControlReply) -> Void]] = [:]

    subscript(_ ticket: Ticket, _ name: String) -> (@Sendable (ControlReply) -> Void)? {
        get { replies[name]?[ticket] }
        set { replies[name, default: [:]][ticket] = newValue }
    }

    mutating func removeValue(
        _ ticket: Ticket, _ name: String
    ) -> (@Sendable (ControlReply) -> Void)? {
        defer { if replies[name]?.isEmpty == true { replies[name] = nil } }
        return replies[name]?.removeValue(forKey: ticket)
    }
}
