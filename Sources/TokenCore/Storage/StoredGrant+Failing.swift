// What a failed attempt means for what is stored, and when a person has to be asked.
extension StoredGrant {
    /// Notes a failed attempt.
    public mutating func fail(
        _ refusal: Refusal, of record: SlotRecord, profile: ProviderProfile, took: Duration? = nil
    ) {
        // A bad code says nothing about the tokens there are; its caller is told.
        guard !record.kind.isSignIn else {
            // That the device's code was not entered yet ends nothing.
            let isWaiting = ["authorization_pending", "slow_down"].contains(refusal.errorCode)
            guard record.kind != .deviceCode || !isWaiting else { return }
            let error = StoredError(refusal, as: refusal.failureClass, at: record.sentAt.wall)
            return note(PastAttempt(.signIn, failedWith: error, took: took))
        }
        let spends =
            record.kind == .refresh
            && profile.exchange(record.kind, step: record.step).spendsGrant
        var refusal = refusal
        if usedCachedStep, [.config, .reauth, .reacquire].contains(refusal.failureClass) {
            // What a former exchange left may be what is refused: ask for it anew before
            // anything else is blamed.
            refusal.failureClass = .transient
            steps = []
        }
        if record.sendsCandidate, candidate != nil {
            let effective = effectiveClass(
                of: refusal, spends: spends, at: record.sentAt, profile: profile)
            return failCandidate(refusal, as: effective, of: record, took: took)
        }
        fail(refusal, spends: spends, at: record.sentAt, profile: profile)
        guard let error = attempts.lastError else { return }
        note(PastAttempt(.init(record.kind), failedWith: error, took: took))
    }

    /// Whether a step's result is older than the attempt that uses it.
    private var usedCachedStep: Bool {
        guard let start = attempts.lastAttemptAt else { return false }
        return steps.contains { step in
            step.sentAt.bootID != start.bootID || step.sentAt.uptime < start.uptime
        }
    }

    /// - Parameter spends: Whether the request spent the refresh token.
    public mutating func fail(
        _ refusal: Refusal, spends: Bool, at moment: Moment, profile: ProviderProfile
    ) {
        let effective = effectiveClass(of: refusal, spends: spends, at: moment, profile: profile)
        let cause = told(refusal, as: effective, spends: spends)
        noteEqualRefusal(cause, as: effective, at: moment)
        // What earlier steps gave may be what is refused.
        if [.config, .reauth, .reacquire].contains(effective) { steps = [] }
        attempts.failures += 1
        attempts.lastError = StoredError(
            effective, cause, httpStatus: refusal.httpStatus, at: moment.wall,
            retryAfter: refusal.retryAfter
        ).following(attempts.lastError)
        attempts.isCountedDown = false
        switch effective {
        case .ambiguous:
            attempts.ambiguousAttempts += 1
            // Starting over is safer than a token that may be spent, unless a grace is known.
            if profile.acquire != nil, profile.lifecycle.reuseGrace == nil {
                isRefreshTokenRefused = true
            }
        case .reacquire: isRefreshTokenRefused = true
        case .reauth:
            attempts.reauthAnswers += 1
            if attempts.firstReauthAt == nil {
                attempts.firstReauthAt = moment
                attempts.reauthSpan = reauthSpan(at: moment)
            }
            attempts.isLoginRequired =
                attempts.isLoginRequired || isLoginDue(at: moment, profile: profile)
            if spends { _ = turnToAnotherToken() }
        case .config, .tooEarly, .rateLimited, .transient, .storage, .output: break
        }
    }

    /// How often, and for how long, the same refusal must come before it is tried slowly.
    private static let refusalsUntilSlow = 5
    static let spanUntilSlow: Duration = .seconds(180)

    /// Before the new error takes the place of the one that it is compared with.
    private mutating func noteEqualRefusal(
        _ cause: Cause, as effective: FailureClass, at moment: Moment
    ) {
        guard effective == .config else {
            attempts.isMisconfigured = false
            return
        }
        let last = attempts.lastError
        let isEqual =
            last?.failureClass == .config && last?.cause.isSameTrouble(as: cause) == true
        attempts.equalRefusals = isEqual ? attempts.equalRefusals + 1 : 1
        if !isEqual { attempts.firstEqualRefusalAt = moment }
        let first = attempts.firstEqualRefusalAt ?? moment
        attempts.isMisconfigured =
            attempts.isMisconfigured
            || (attempts.equalRefusals >= Self.refusalsUntilSlow
                && (moment.elapsed(since: first) ?? Self.spanUntilSlow) >= Self.spanUntilSlow)
    }

    /// Half of what is left of the access token, within reason: so long it is worth asking.
    private func reauthSpan(at moment: Moment) -> Duration {
        let lifetime = access?.lifetime ?? .zero
        let age = access.flatMap { $0.age(at: moment) } ?? lifetime
        return min(max((lifetime - age) / 2, min(lifetime, .seconds(30))), .seconds(600))
    }

    /// Three answers over ``reauthSpan``; at once after an attempt whose answer never came: the
    /// refresh token is probably spent then (contract section 3).
    private func isLoginDue(at moment: Moment, profile: ProviderProfile) -> Bool {
        if attempts.ambiguousAttempts > 0 || profile.lifecycle.burnedOnFailure { return true }
        if profile.lifecycle.mustRefreshBeforeExpiry, isRefreshTokenPastItsLife(at: moment) {
            return true
        }
        let span = attempts.reauthSpan ?? min(.seconds(600), access?.lifetime ?? .zero)
        let first = attempts.firstReauthAt ?? moment
        return attempts.reauthAnswers >= 3 && (moment.elapsed(since: first) ?? span) >= span
    }

    private func effectiveClass(
        of refusal: Refusal, spends: Bool, at moment: Moment, profile: ProviderProfile
    ) -> FailureClass {
        let isAnswer = refusal.httpStatus != nil
        let status = refusal.httpStatus ?? 500
        let isOutage = status == 429 || status / 100 == 5
        let isRefusal = [FailureClass.config, .tooEarly, .rateLimited, .transient]
            .contains(refusal.failureClass)
        // Any refusal then (rule 8), though not what says nothing about the token.
        if spends, isRefusal, !isOutage, isRefreshTokenPastItsLife(at: moment) {
            return afterDeath(profile)
        }
        switch refusal.failureClass {
        case .config where spends && refusal.isBare && attempts.ambiguousAttempts > 0:
            return afterDeath(profile)
        // Whatever was wrong: the refresh token that was sent is dead now.
        case .config where spends && isAnswer && profile.lifecycle.burnedOnFailure:
            return afterDeath(profile)
        case .transient where spends && isAnswer && profile.lifecycle.burnedOnFailure:
            return .ambiguous
        case .reauth, .reacquire: return spends ? afterDeath(profile) : .config
        case .ambiguous where !spends: return .transient
        default: return refusal.failureClass
        }
    }

    /// Where the profile can start over without a person, a dead refresh token needs none.
    private func afterDeath(_ profile: ProviderProfile) -> FailureClass {
        profile.acquire == nil ? .reauth : .reacquire
    }

    func isRefreshTokenPastItsLife(at moment: Moment) -> Bool {
        guard let since = refreshTokenSince, let lifetime = refreshTokenLifetime,
            let age = moment.elapsed(since: since)
        else { return false }
        return age >= lifetime
    }

    /// What is really wrong: an answer that names no refresh token may be about one all the same.
    private func told(
        _ refusal: Refusal, as effective: FailureClass, spends: Bool
    ) -> Cause {
        var cause = refusal.cause
        switch effective {
        case .reacquire where refusal.httpStatus != nil: cause.kind = .refreshTokenReplaced
        case .reauth where [.signInWanted, .answerIsPage].contains(cause.kind): break
        case .reauth where attempts.ambiguousAttempts > 0: cause.kind = .refreshTokenProbablySpent
        // It came by a rotation and was never sent: another copy of it may have been.
        case .reauth where hasRotated && spends: cause.kind = .refreshTokenRefusedUnspent
        case .reauth: cause.kind = .refreshTokenRefused
        // The refresh token is not what the request is about.
        case .config where cause.kind == .refreshTokenRefused: cause.kind = .requestRefused
        default: break
        }
        return cause
    }

    /// The stored refresh token came in place of one that was sent.
    private var hasRotated: Bool { !isKnownStatic && !spent.isEmpty && attempts.successes > 0 }
}
