internal import TokenConfiguration
internal import TokenFormats
internal import TokenProviders
internal import TokenSlots

// What follows from the end of recovery, of an attempt and of a publication.
extension CredentialLifecycle {
    mutating func recovered(
        _ recovery: StateRecovery, now: Moment, using random: inout RandomSource
    ) -> [LifecycleAction] {
        switch recovery {
        case .unreadable: return quarantined(.unreadable, now: now)
        case .foreign(let stored, let cause, let mayPublish):
            hold(stored)
            let report = quarantined(.foreign(cause), now: now)
            guard mayPublish, let access = grant.access, hasLiveToken(now: now) else {
                return report
            }
            return report + publish(access)
        case .unavailable(let cause):
            // The retry is an attempt, which reads the slots first and meets the same failure.
            noteStorageProblem(cause, now: now)
            dueAt = now.uptime.advanced(by: delay(after: .storage, now: now, using: &random))
            return []
        case .grant(let stored):
            hold(stored)
            scheduleAfterStart(now: now, using: &random)
            scheduleCandidate(now: now)
            guard let access = grant.access else { return [] }
            if hasLiveToken(now: now) { return publish(access) }
            // The token expired while the daemon was stopped.
            published = Published(
                generation: grant.generation, expiresAt: now.uptime, hasExpired: true)
            return [.withdrawExpired]
        }
    }

    private mutating func quarantined(_ reason: Quarantine, now: Moment) -> [LifecycleAction] {
        let isNew = quarantine?.reason != reason
        let new = StandingQuarantine(reason, at: now.wall, after: quarantine)
        (quarantine, dueAt, resaveDueAt) = (new, nil, nil)
        return isNew ? [.report(.quarantined(new.error))] : []
    }

    private func hasLiveToken(now: Moment) -> Bool {
        guard let access = grant.access else { return false }
        guard let end = expiry(of: access, now: now) else { return true }
        return end > now.uptime
    }

    /// When an earlier token expires, by this boot's clock.
    ///
    /// Within one boot this is exact. After a reboot the wall clock decides; when that clock is
    /// wrong (it is earlier than the grant), the token is assumed valid for its longest possible
    /// rest, and a refresh is due at once (``scheduleAfterStart(now:using:)``).
    func expiry(of access: GrantedAccess, now: Moment) -> Uptime? {
        guard let lifetime = access.lifetime else { return nil }
        if access.sentAt.bootID == now.bootID {
            // Tolerates a boot clock that went backwards: the token never lasts longer than its
            // lifetime from now.
            let sentAt = min(access.sentAt.uptime, now.uptime)
            return sentAt.advanced(by: lifetime)
        }
        return now.uptime.advanced(by: max(.zero, lifetime - (access.age(at: now) ?? .zero)))
    }

    mutating func scheduleAfterStart(now: Moment, using random: inout RandomSource) {
        let history = grant.attempts
        let floor = restartFloor(now: now)
        if history.isLoginRequired || history.isMisconfigured {
            // The initial token or the configuration may have changed while the daemon was stopped.
            dueAt = history.isLoginRequired ? now.uptime : floor
            return
        }
        if let failure = history.lastError {
            let elapsed = history.lastAttemptAt.flatMap { now.elapsed(since: $0) } ?? .zero
            let wait = delay(after: failure.failureClass, now: now, using: &random)
            // The one prompt retry after an interrupted request ignores the minimum interval: a
            // provider's grace period may be shorter.
            let isPrompt = failure.failureClass == .ambiguous && history.ambiguousAttempts == 1
            let due = now.uptime.advanced(by: max(.zero, wait - elapsed))
            dueAt = isPrompt ? due : max(floor, due)
            return
        }
        guard let access = grant.access, let elapsed = access.age(at: now) else {
            dueAt = floor
            return
        }
        guard let delay = refreshDelay(for: access, using: &random) else { return }
        dueAt = max(floor, now.uptime.advanced(by: delay - elapsed))
    }

    /// A crash loop sends no more than the schedule itself may (I24).
    private func restartFloor(now: Moment) -> Uptime {
        guard let last = grant.attempts.lastAttemptAt, let elapsed = now.elapsed(since: last) else {
            return now.uptime
        }
        let floor = RefreshSchedule(policy: configuration.refresh, rules: rules)
            .restartInterval(lifetime: grant.access?.lifetime)
        return now.uptime.advanced(by: max(.zero, floor - elapsed))
    }

    func refreshDelay(
        for access: GrantedAccess, using random: inout RandomSource
    ) -> Duration? {
        let schedule = RefreshSchedule(policy: configuration.refresh, rules: rules)
        var life: Duration?
        if isRefreshTokenPostponed, let since = grant.refreshTokenSince,
            let whole = grant.refreshTokenLifetime, let age = access.sentAt.elapsed(since: since)
        {
            life = whole > age ? whole - age : nil
        }
        return schedule.delay(
            lifetime: access.lifetime, roundTrip: access.roundTrip, refreshTokenLife: life,
            using: &random)
    }

    func delay(
        after failureClass: FailureClass, now: Moment, using random: inout RandomSource
    ) -> Duration {
        var remaining: RetryPolicy.Remaining?
        if let access = grant.access, let lifetime = access.lifetime,
            let end = expiry(of: access, now: now), end > now.uptime
        {
            remaining = RetryPolicy.Remaining(
                life: now.uptime.duration(to: end), lifetime: lifetime)
        }
        var history = grant.attempts
        history.failures += storageFailures
        return RetryPolicy(policy: configuration.refresh, rules: rules).delay(
            after: failureClass, history: history, remaining: remaining,
            isRotating: isRotating, using: &random)
    }

    /// Until a response repeats or omits the refresh token, `auto` counts as rotating.
    var isRotating: Bool {
        guard configuration.profile.usesRefreshToken else { return false }
        switch rules.refreshToken {
        case .rotating: return true
        case .auto: return !grant.isKnownStatic
        case .fixed, .none, .accessToken: return false
        }
    }

    mutating func attemptEnded(
        _ report: AttemptReport, now: Moment, using random: inout RandomSource
    ) -> [LifecycleAction] {
        let isResaved = report.end == .granted([]) && report.storageCause == nil
        if isResaving {
            if isResaved { noteResaved() } else { resaveLater(report, now: now) }
            return []
        }
        let wasLoginRequired = grant.attempts.isLoginRequired
        let wasMisconfigured = standingState == .misconfigured
        let oldGeneration = grant.generation
        let oldError = grant.attempts.lastError
        if let new = report.grant {
            hold(new)
            // `isLoginRequired` before the first grant exists only in memory; keep it.
            if report.end.leavesAllAsItWas { grant.attempts.isLoginRequired = wasLoginRequired }
        }
        let isStorage = report.end.failureClass == .storage
        if !isStorage {
            storageFailures = 0
            storageError = nil
        }
        resaveDueAt = nil
        if report.storageCause != nil { resaveLater(report, now: now) }
        let trouble = quarantine
        quarantine = nil
        switch report.end {
        case .unreadable:
            quarantine = trouble
            return quarantined(.unreadable, now: now)
        case .foreign(let cause):
            quarantine = trouble
            return quarantined(.foreign(cause), now: now)
        case .needsLogin: return needsLogin(wasLoginRequired: wasLoginRequired, now: now)
        case .signInFailed, .signInPending:
            // The client has its reply; the credential's state is unchanged.
            quarantine = trouble
            return []
        case .granted(let notes):
            isRetryPending = false
            guard grant.generation != oldGeneration, let access = grant.access else {
                dueAt = now.uptime
                return []
            }
            return granted(access, notes, report, using: &random)
        case .refused(let refusal) where report.hasCandidateFailed:
            return candidateEnded(refusal, now: now, using: &random)
        case .refused(let refusal):
            if isStorage { noteStorageProblem(refusal.cause, now: now) }
            // Refused by this daemon before anything was written or sent.
            if refusal.failureClass == .config, refusal.httpStatus == nil {
                noteUnrecorded(StoredError(refusal, as: .config, at: now.wall))
                // No slot counts this failure.
                grant.attempts.lastError = grant.attempts.lastError?.following(oldError)
            }
            return refused(
                report, wasLoginRequired: wasLoginRequired, wasMisconfigured: wasMisconfigured,
                now: now, using: &random)
        }
    }

    private mutating func needsLogin(wasLoginRequired: Bool, now: Moment) -> [LifecycleAction] {
        isRetryPending = false
        grant.attempts.isLoginRequired = true
        if grant.attempts.lastError == nil {
            grant.attempts.lastError = StoredError(.reauth, Cause(.notSignedIn), at: now.wall)
        }
        dueAt = now.uptime.advanced(by: RetryPolicy.initialTokenCheckInterval)
        return wasLoginRequired ? [] : [.report(.loginRequired(grant.attempts.lastError))]
    }

    /// A new access token has been stored.
    private mutating func granted(
        _ access: GrantedAccess, _ notes: [ResponseNote], _ report: AttemptReport,
        using random: inout RandomSource
    ) -> [LifecycleAction] {
        let delay = refreshDelay(for: access, using: &random)
        dueAt = delay.map { access.sentAt.uptime.advanced(by: $0) }
        let adopted: [LifecycleAction] = report.isOfCandidate ? [.report(.candidateAdopted)] : []
        return adopted + [
            .report(
                .refreshed(generation: grant.generation, notes: notes, attemptID: report.attemptID))
        ] + publish(access)
    }

    private mutating func refused(
        _ report: AttemptReport, wasLoginRequired: Bool, wasMisconfigured: Bool, now: Moment,
        using random: inout RandomSource
    ) -> [LifecycleAction] {
        guard let error = storageError ?? grant.attempts.lastError else {
            dueAt = now.uptime.advanced(by: .seconds(1))
            return []
        }
        let wait = delay(after: error.failureClass, now: now, using: &random)
        if grant.attempts.isLoginRequired {
            dueAt = now.uptime.advanced(by: RetryPolicy.initialTokenCheckInterval)
        } else {
            dueAt = now.uptime.advanced(by: isRetryPending ? .zero : wait)
        }
        isRetryPending = false
        var actions: [LifecycleAction] = [
            .report(.failed(error, failures: failures, attemptID: report.attemptID))
        ]
        if grant.attempts.isLoginRequired, !wasLoginRequired {
            actions.append(.report(.loginRequired(error)))
        } else if standingState == .misconfigured, !wasMisconfigured {
            actions.append(.report(.misconfigured(error)))
        }
        // Publishes a token from the slots that could not be read at start.
        if let access = grant.access, published?.generation != grant.generation,
            hasLiveToken(now: now)
        {
            actions += publish(access)
        }
        return actions
    }

    /// Nothing was sent, or an answer waits for a disk that does not take it: memory remembers
    /// until the disk can, and it is visible at once (I36).
    mutating func noteStorageProblem(_ cause: Cause, now: Moment) {
        storageFailures += 1
        let error = StoredError(.storage, cause, at: now.wall).following(storageError)
        storageError = error
        noteUnrecorded(error)
    }

    mutating func publishEnded(
        _ report: PublicationReport, now: Moment, using random: inout RandomSource
    ) -> [LifecycleAction] {
        var hooks: [LifecycleAction] = []
        if report.isAnyWritten, let access = grant.access {
            // Hooks do not run when the same token is only written again.
            if published?.generation != grant.generation { hooks = runHooks(for: access) }
            notePublished(access, now: now)
        }
        let isChanged = isOutputChangePending
        isOutputChangePending = false
        guard let cause = report.cause else {
            publishDueAt = isChanged ? now.uptime : nil
            publishFailures = 0
            lastOutputProblem = nil
            return hooks
        }
        publishFailures += 1
        let error = StoredError(.output, cause, at: now.wall).following(lastOutputProblem)
        lastOutputProblem = error
        var history = AttemptHistory()
        history.failures = publishFailures
        // The new token is not published yet, and the old one may expire at any time, also one that
        // an earlier process published: keep the waits short.
        let life = grant.access?.lifetime ?? .zero
        let remaining = RetryPolicy.Remaining(life: life, lifetime: life)
        let wait = RetryPolicy(policy: configuration.refresh, rules: rules).delay(
            after: .output, history: history, remaining: remaining, isRotating: false,
            using: &random)
        publishDueAt = now.uptime.advanced(by: max(wait, Self.shortestPublishPause))
        return hooks + [.report(.outputFailed(error))]
    }

    /// Prevents a loop when a directory refuses at once and tokens live for seconds.
    private static let shortestPublishPause: Duration = .milliseconds(250)
}
