internal import TokenCore

/// One attempt from the slots to the slots (durability.md section 3, steps 0 to 5). Nothing of an
/// answer is looked at before it is on the disk.
struct AttemptRunner: Sendable {
    let world: World
    let gates: CredentialGates
    let owners: RefreshTokenOwners
    let distrusted: DistrustedSlots
    /// Told while an answer waits in memory for a disk that does not take it (I6): the credential,
    /// the cause, and once, when the published token is about to end, the token of that answer.
    let onUnsaved: @Sendable (String, Cause, GrantedAccess?) -> Void

    func run(
        _ order: AttemptOrder, _ credential: CredentialConfiguration, fence: Fence
    ) async -> AttemptReport {
        let attemptID = hexadecimal(world.random.bytes(16))
        await gates.enter(credential.name)
        let report: AttemptReport
        do throws(StorageFailure) {
            let slots = try await world.slots.open(credential.name)
            report = await run(
                order, credential, slots: slots, attemptID: attemptID, fence: fence)
            slots.close()
        } catch {
            report = AttemptReport(
                grant: nil, end: order.refused(Refusal(.storage, error.cause)),
                attemptID: attemptID)
        }
        if let grant = report.grant {
            owners.learn(grant, of: credential.name, at: credential.profile)
        }
        await gates.leave(credential.name)
        return report
    }

    private func run(
        _ order: AttemptOrder, _ credential: CredentialConfiguration, slots: any OpenSlots,
        attemptID: String, fence: Fence
    ) async -> AttemptReport {
        var course = Course(order: order, credential: credential, slots: slots)
        let end: AttemptReport.End
        do throws(AttemptStop) {
            end = try await follow(&course, attemptID: attemptID, fence: fence)
        } catch {
            // A failure that no record holds: the grant is as the disk has it, but for results that
            // a step may have given wrong: those are asked for again.
            if error.refusal.failureClass == .config, course.grant?.steps.isEmpty == false {
                await forgetSteps(slots, credential)
            }
            if error.refusal.failureClass == .config, !order.isOfAPerson {
                var changed = course.grant ?? StoredGrant()
                changed.fail(
                    error.refusal, spends: credential.profile.usesRefreshToken,
                    at: world.clock.now(), profile: credential.profile)
                course.grant = changed
            }
            end = order.refused(error.refusal)
        }
        var report = AttemptReport(grant: course.grant, end: end, attemptID: attemptID)
        report.isOfCandidate = course.isCandidate
        report.storageCause = course.storageCause
        return report
    }

    /// One attempt under way, and what it has come to so far.
    private struct Course {
        let order: AttemptOrder
        let credential: CredentialConfiguration
        let slots: any OpenSlots
        /// As the disk has it now.
        var grant: StoredGrant?
        var isCandidate = false
        var storageCause: Cause?
    }

    /// What the slots and the configuration say, and so what is to be done.
    private func follow(
        _ course: inout Course, attemptID: String, fence: Fence
    ) async throws(AttemptStop) -> AttemptReport.End {
        let (order, credential, slots) = (course.order, course.credential, course.slots)
        // Step 0: from the disk, never from memory.
        var pair = try await storage { () throws(StorageFailure) in try await slots.read() }
        await distrusted.exclude(from: &pair, of: credential.name)
        if pair.winner == nil { pair = pairFromMemory(fence, credential.name) ?? pair }
        pair = pair.recalling(fence.grant.access)
        let grant = await stored(pair, credential)
        course.grant = grant
        var seed = try await seed(
            of: credential, mayMiss: grant?.refreshToken != nil || !order.isRenewal)
        let withheld = seed.flatMap {
            owners.withholds($0, at: credential.profile, by: credential.name) ? $0 : nil
        }
        if withheld != nil { seed = nil }
        let distrusted = try await foreign(grant, order, credential, fence)
        // Of a state that cannot be trusted nothing is set aside; a sign-in replaces it.
        let place =
            order.isRenewal && distrusted == nil
            ? try await place(of: credential, for: grant, seed) : nil
        let plan = AttemptPlan.make(
            order: order, slots: pair, seed: seed, withheld: withheld, place: place,
            profile: credential.profile, attemptID: attemptID, now: world.clock.now())
        // In a state that cannot be trusted a new sign-in may prove itself, and nothing else.
        if let distrusted, !plan.sendsCandidate { return .foreign(distrusted) }
        switch plan {
        case .unreadable: return .unreadable
        case .needsLogin(var found):
            if withheld != nil, found.refreshToken == nil {
                let isKnown = !owners.traces(of: credential.name).isUnreadable
                found.noteWithheldSeed(isKnown: isKnown, at: world.clock.now())
            }
            course.grant = found
            return .needsLogin
        case .write(var record, let index):
            await supersedeOutputs(&record, order, credential)
            if order.bringsRefreshToken { try claim(record.grant, credential) }
            try await write(record, to: index, of: slots, credential.name)
            course.grant = record.grant
            if order.bringsRefreshToken { try await accept(credential) }
            return .granted([])
        case .send(var record, let index):
            await supersedeOutputs(&record, order, credential)
            let attempt = Attempt(
                credential: credential, order: order, record: record, index: index, slots: slots,
                place: place)
            return try await sendAll(attempt, in: pair, distrusted: distrusted, &course)
        }
    }

    /// Every step of an exchange, one after the other.
    private func sendAll(
        _ first: Attempt, in pair: SlotPair, distrusted: Cause?, _ course: inout Course
    ) async throws(AttemptStop) -> AttemptReport.End {
        let (order, credential) = (course.order, course.credential)
        var attempt = first
        course.isCandidate = attempt.record.sendsCandidate
        if course.isCandidate {
            if let refused = try await refusedByOwners(attempt) {
                course.grant = refused.grant
                return .refused(Refusal(.config, refused.cause))
            }
            try await open(&attempt, in: pair)
        }
        while true {
            let sent = try await send(attempt)
            (course.grant, course.storageCause) = (sent.grant, sent.storageCause)
            guard case .granted = sent.end,
                let next = attempt.record.next(
                    grant: sent.grant, profile: credential.profile, now: world.clock.now())
            else {
                let isProved = course.isCandidate && sent.grant.candidate == nil
                if isProved || order.isLogin, case .granted = sent.end {
                    try await accept(credential)
                } else if let distrusted {
                    return .foreign(distrusted)
                }
                return sent.end
            }
            // What the step gave is on the disk; the next one goes to the other slot.
            (attempt.record, attempt.index) = (next, attempt.index.other)
        }
    }

    /// Steps 1 to 5.
    private func send(
        _ attempt: Attempt
    ) async throws(AttemptStop) -> Sent {
        let credential = attempt.credential
        // Everything that can go wrong without the network goes wrong before the intent.
        var attempt = attempt
        let prepared = try await wireRequest(&attempt)
        let wire = prepared.wire
        attempt.record.host = EndpointURL.host(of: wire.request.url)
        attempt.record.origin = EndpointURL.spelledOrigin(of: wire.request.url)
        try claimRefreshToken(attempt)
        try await write(attempt.record, to: attempt.index, of: attempt.slots, credential.name)
        let start = world.clock.now()
        let result = await world.endpoint.send(wire)
        let roundTrip = start.uptime.duration(to: world.clock.now().uptime)
        switch result {
        case .notSent(let fault):
            return try await notSent(attempt, Refusal(.transient, fault.cause(prepared.filter)))
        case .unanswered(let fault):
            var grant = attempt.record.grant
            let refusal = Refusal(.ambiguous, fault.cause(prepared.filter))
            grant.fail(refusal, of: attempt.record, profile: credential.profile)
            return Sent(grant: grant, end: attempt.failed(refusal))
        case .answered(let raw):
            let kept = raw.keepable(attempt.exchange.headersOfInterest(credential.profile))
            await save(kept, of: attempt, roundTrip: roundTrip)
            let (grant, end) = await read(
                kept, of: attempt, roundTrip: roundTrip, filter: prepared.filter,
                path: EndpointURL.path(of: wire.request.url))
            let cause = await settle(grant, after: attempt)
            return Sent(grant: grant, end: end, storageCause: cause)
        }
    }

    /// Step 2 failed: the intent is cleared, for nothing left this host.
    private func notSent(
        _ attempt: Attempt, _ refusal: Refusal
    ) async throws(AttemptStop) -> Sent {
        var cleared = attempt.record
        cleared.state = .settled
        cleared.grant.fail(refusal, of: cleared, profile: attempt.credential.profile)
        try await write(cleared, to: attempt.index, of: attempt.slots, attempt.credential.name)
        return Sent(grant: cleared.grant, end: attempt.failed(refusal))
    }

    func storage<Value>(
        _ body: () async throws(StorageFailure) -> Value
    ) async throws(AttemptStop) -> Value {
        do throws(StorageFailure) { return try await body() } catch {
            throw AttemptStop(.storage, error.cause)
        }
    }

    private func claimRefreshToken(_ attempt: Attempt) throws(AttemptStop) {
        guard attempt.record.kind == .refresh, attempt.exchange.spendsGrant,
            let token = attempt.record.refreshTokenToSend
        else { return }
        try claim(token, attempt.credential)
    }

    private func claim(
        _ grant: StoredGrant, _ credential: CredentialConfiguration
    ) throws(AttemptStop) {
        guard let token = grant.refreshToken else { return }
        try claim(token, credential)
    }

    private func claim(
        _ token: Secret, _ credential: CredentialConfiguration
    ) throws(AttemptStop) {
        guard
            let objection = owners.objection(
                to: token, at: credential.profile, by: credential.name)
        else { return }
        throw AttemptStop(.config, objection)
    }
}

/// One attempt that is about to be sent.
struct Attempt: Sendable {
    var credential: CredentialConfiguration
    var order: AttemptOrder
    var record: SlotRecord
    var index: SlotPair.Index
    var slots: any OpenSlots
    /// Where the plan has it go; `nil` where that did not matter.
    var place: GrantPlace?

    var exchange: TokenExchange {
        credential.profile.exchange(record.kind, step: record.step)
    }

    /// Whether its answer holds the credential's own token.
    var isLast: Bool { credential.profile.isLast(record.step, of: record.kind) }

    func failed(_ refusal: Refusal) -> AttemptReport.End {
        switch record.kind {
        case .refresh, .acquire: .refused(refusal)
        case .authorizationCode: .signInFailed(refusal)
        case .deviceCode: refusal.endOfPoll
        }
    }
}

/// What came of one exchange.
struct Sent {
    var grant: StoredGrant
    var end: AttemptReport.End
    /// The answer is safe; the record that should stand beside it is not.
    var storageCause: Cause?
}

/// Why an attempt ended before anything was sent.
struct AttemptStop: Error {
    var refusal: Refusal
    init(_ failureClass: FailureClass, _ cause: Cause) {
        refusal = Refusal(failureClass, cause)
    }
    /// A secret could not be read.
    init(_ failure: SecretFailure) { self.init(.config, failure.cause) }
}

extension AttemptOrder {
    /// Whether it replaces the refresh token that is stored.
    var bringsRefreshToken: Bool {
        if case .adopt(let tokens) = self { tokens.refreshToken != nil } else { false }
    }
    var isLogin: Bool {
        switch self {
        case .login, .device: true
        case .renew, .adopt, .settle: false
        }
    }
    var isRenewal: Bool {
        if case .renew = self { true } else { false }
    }
}

extension Refusal {
    /// What it means for a device code (RFC 8628 section 3.5).
    fileprivate var endOfPoll: AttemptReport.End {
        switch errorCode {
        case "authorization_pending": return .signInPending(slowDown: false, problem: nil)
        case "slow_down": return .signInPending(slowDown: true, problem: nil)
        default: break
        }
        switch failureClass {
        case .transient, .rateLimited, .ambiguous:
            return .signInPending(slowDown: true, problem: problem)
        default: return .signInFailed(self)
        }
    }
}
