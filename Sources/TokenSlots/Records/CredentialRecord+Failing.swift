package import TokenFormats
package import TokenProviders

// How a failed attempt changes the stored grant, and when a sign-in is requested.
extension CredentialRecord {
    /// Notes a failed attempt.
    package mutating func fail(
        _ refusal: Refusal, of record: SlotRecord, profile: ProviderProfile, took: Duration? = nil
    ) {
        // A bad code says nothing about the stored tokens; the client that sent it gets the error.
        guard !record.kind.isSignIn else {
            // `authorization_pending` and `slow_down` keep the device flow open (RFC 8628 section
            // 3.5).
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
            // The refused value may be a cached result of an earlier exchange: repeat that step
            // before any other conclusion.
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

    /// - Parameters:
    ///   - refusal: The failure.
    ///   - spends: Whether the request spent the refresh token.
    ///   - moment: When the request was sent.
    ///   - profile: The profile of the credential.
    package mutating func fail(
        _ refusal: Refusal, spends: Bool, at moment: Moment, profile: ProviderProfile
    ) {
        let effective = effectiveClass(of: refusal, spends: spends, at: moment, profile: profile)
        let cause = told(refusal, as: effective, spends: spends)
        noteEqualRefusal(cause, as: effective, at: moment)
        // Results of earlier steps may be the reason for the refusal.
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
            // A new grant is safer than a token that may be spent, unless the provider documents a
            // grace period.
            if profile.acquire != nil, profile.lifecycle.reuseGrace == nil {
                isRefreshTokenRefused = true
            }
        case .reacquire: isRefreshTokenRefused = true
        case .reauth:
            attempts.reauthResponses += 1
            if attempts.firstReauthAt == nil {
                attempts.firstReauthAt = moment
                attempts.reauthSpan = reauthSpan(at: moment)
            }
            attempts.isLoginRequired =
                attempts.isLoginRequired || isLoginDue(at: moment, profile: profile)
            if spends { _ = turnToAnotherToken() }
        default: break
        }
    }

    /// After this many equal refusals, over this span, the daemon retries slowly.
    private static let refusalsUntilSlow = 5
    static let spanUntilSlow: Duration = .seconds(180)

    /// Must run before the new error replaces the one that it is compared with.
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

    /// How long to retry before requesting a sign-in: half of the access token's remaining life,
    /// within limits.
    private func reauthSpan(at moment: Moment) -> Duration {
        let lifetime = access?.lifetime ?? .zero
        let age = access.flatMap { $0.age(at: moment) } ?? lifetime
        return min(max((lifetime - age) / 2, min(lifetime, .seconds(30))), .seconds(600))
    }

    /// Three answers over ``reauthSpan``; at once after an attempt whose answer never came: the
    /// refresh token is probably spent then (Contract 3.3).
    private func isLoginDue(at moment: Moment, profile: ProviderProfile) -> Bool {
        if attempts.ambiguousAttempts > 0 || profile.lifecycle.burnedOnFailure { return true }
        if profile.lifecycle.mustRefreshBeforeExpiry, isRefreshTokenPastItsLife(at: moment) {
            return true
        }
        let span = attempts.reauthSpan ?? min(.seconds(600), access?.lifetime ?? .zero)
        let first = attempts.firstReauthAt ?? moment
        return attempts.reauthResponses >= 3 && (moment.elapsed(since: first) ?? span) >= span
    }

    private func effectiveClass(
        of refusal: Refusal, spends: Bool, at moment: Moment, profile: ProviderProfile
    ) -> FailureClass {
        let isAnswer = refusal.httpStatus != nil
        let status = refusal.httpStatus ?? 500
        let isOutage = status == 429 || status / 100 == 5
        let isRefusal = [FailureClass.config, .tooEarly, .rateLimited, .transient]
            .contains(refusal.failureClass)
        // Past that life every refusal blames the token, except an outage (ProfileRules 8).
        if spends, isRefusal, !isOutage, isRefreshTokenPastItsLife(at: moment) {
            return classForDeadRefreshToken(profile)
        }
        switch refusal.failureClass {
        case .config where spends && refusal.hasNoErrorBody && attempts.ambiguousAttempts > 0:
            return classForDeadRefreshToken(profile)
        // The provider invalidates the refresh token at any error.
        case .config where spends && isAnswer && profile.lifecycle.burnedOnFailure:
            return classForDeadRefreshToken(profile)
        case .transient where spends && isAnswer && profile.lifecycle.burnedOnFailure:
            return .ambiguous
        case .reauth, .reacquire: return spends ? classForDeadRefreshToken(profile) : .config
        case .ambiguous where !spends: return .transient
        default: return refusal.failureClass
        }
    }

    /// The class for an invalid refresh token: no sign-in is needed when the profile can acquire a
    /// grant.
    private func classForDeadRefreshToken(_ profile: ProviderProfile) -> FailureClass {
        profile.acquire == nil ? .reauth : .reacquire
    }

    func isRefreshTokenPastItsLife(at moment: Moment) -> Bool {
        guard let since = refreshTokenSince, let lifetime = refreshTokenLifetime,
            let age = moment.elapsed(since: since)
        else { return false }
        return age >= lifetime
    }

    /// The actual cause: an error that does not mention the refresh token may still be about it.
    private func told(
        _ refusal: Refusal, as effective: FailureClass, spends: Bool
    ) -> Cause {
        var cause = refusal.cause
        switch effective {
        case .reacquire where refusal.httpStatus != nil: cause.kind = .refreshTokenReplaced
        case .reauth where [.signInWanted, .answerIsPage].contains(cause.kind): break
        case .reauth where attempts.ambiguousAttempts > 0: cause.kind = .refreshTokenProbablySpent
        // It came from a rotation and was never sent: a copy of the state may have sent it.
        case .reauth where hasRotated && spends: cause.kind = .refreshTokenRefusedUnspent
        case .reauth: cause.kind = .refreshTokenRefused
        // The request does not contain a refresh token.
        case .config where cause.kind == .refreshTokenRefused: cause.kind = .requestRefused
        default: break
        }
        return cause
    }

    /// The stored refresh token replaced one that was sent.
    private var hasRotated: Bool { !isKnownStatic && !spent.isEmpty && attempts.successes > 0 }
}
