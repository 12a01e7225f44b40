// How an attempt's end changes what is stored. Pure, and the same for a live answer and for one
// that recovery finds in a slot: a restart comes to the same state.
extension StoredGrant {
    /// Takes over an answer.
    ///
    /// - Parameters:
    ///   - record: What was written before the request: which exchange, sent when.
    ///   - roundTrip: From the request to the last byte of the answer.
    public mutating func apply(
        _ reading: AnswerReading, to record: SlotRecord, roundTrip: Duration,
        profile: ProviderProfile
    ) {
        keep(reading, record: record, profile: profile)
        switch reading.result {
        case .success(let answer):
            access = GrantedAccess(
                token: answer.accessToken, tokenType: answer.tokenType, scope: answer.scope,
                sentAt: record.sentAt, lifetime: answer.lifetime.duration, roundTrip: roundTrip,
                keep: answer.keep)
            generation += 1
            let successes = attempts.successes + 1
            let lastAttemptAt = attempts.lastAttemptAt
            attempts = AttemptHistory()
            attempts.successes = successes
            attempts.lastAttemptAt = lastAttemptAt
            attempts.lastSuccessAt = record.sentAt
        case .failure(let refusal):
            if reading.refreshToken != nil { attempts.ambiguousAttempts = 0 }
            fail(refusal, kind: record.kind, at: record.sentAt, profile: profile)
        }
    }

    private mutating func keep(
        _ reading: AnswerReading, record: SlotRecord, profile: ProviderProfile
    ) {
        let rules = profile.lifecycle
        let answered = try? reading.result.get()
        if let new = reading.refreshToken, new != refreshToken {
            if rules.refreshTokenExpiry != .inherited || refreshToken == nil {
                refreshTokenSince = record.sentAt
                refreshTokenLifetime = rules.refreshTokenLifetime
            }
            refreshToken = new
            isRefreshTokenRefused = false
            isKnownStatic = false
        } else if answered != nil, record.kind == .refresh, refreshToken != nil {
            isKnownStatic = true
            if rules.refreshTokenExpiry == .sliding { refreshTokenSince = record.sentAt }
        }
        if let said = answered?.refreshLifetime {
            refreshTokenSince = record.sentAt
            refreshTokenLifetime = said
        }
    }

    /// Notes a failed attempt.
    public mutating func fail(
        _ refusal: Refusal, kind: ExchangeKind, at moment: Moment, profile: ProviderProfile
    ) {
        // A bad code says nothing about the tokens there are; whoever gave it hears of it.
        guard kind != .authorizationCode else { return }
        let effective = effectiveClass(of: refusal, kind: kind, at: moment, profile: profile)
        attempts.failures += 1
        attempts.lastError = StoredError(
            failureClass: effective, httpStatus: refusal.httpStatus,
            problem: explained(refusal, as: effective), at: moment.wall,
            retryAfter: refusal.retryAfter)
        attempts.isMisconfigured = effective == .config
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
            if attempts.firstReauthAt == nil { attempts.firstReauthAt = moment }
            attempts.isLoginRequired = attempts.isLoginRequired || isLoginDue(at: moment)
        case .config, .tooEarly, .rateLimited, .transient, .storage, .output: break
        }
    }

    /// Three answers over min(10 min, the token's lifetime); at once after an attempt whose answer
    /// never came, for then the refresh token is probably spent (contract section 3).
    private func isLoginDue(at moment: Moment) -> Bool {
        if attempts.ambiguousAttempts > 0 { return true }
        let span = min(.seconds(600), access?.lifetime ?? .zero)
        let first = attempts.firstReauthAt ?? moment
        return attempts.reauthAnswers >= 3 && (moment.elapsed(since: first) ?? span) >= span
    }

    private func effectiveClass(
        of refusal: Refusal, kind: ExchangeKind, at moment: Moment, profile: ProviderProfile
    ) -> FailureClass {
        let spends = kind == .refresh && profile.usesRefreshToken
        switch refusal.failureClass {
        case .config where spends && isRefreshTokenPastItsLife(at: moment):
            return afterDeath(profile)
        case .config where spends && refusal.isBare && attempts.ambiguousAttempts > 0:
            return afterDeath(profile)
        case .reauth, .reacquire: return spends ? afterDeath(profile) : .config
        case .ambiguous where !spends: return .transient
        default: return refusal.failureClass
        }
    }

    /// Where the profile can start over without a person, a dead refresh token needs none.
    private func afterDeath(_ profile: ProviderProfile) -> FailureClass {
        profile.acquire == nil ? .reauth : .reacquire
    }

    private func isRefreshTokenPastItsLife(at moment: Moment) -> Bool {
        guard let since = refreshTokenSince, let lifetime = refreshTokenLifetime,
            let age = moment.elapsed(since: since)
        else { return false }
        return age >= lifetime
    }

    private func explained(_ refusal: Refusal, as effective: FailureClass) -> String {
        guard effective == .reauth, attempts.ambiguousAttempts > 0 else { return refusal.problem }
        return refusal.problem
            + "; an earlier request was interrupted before its answer could be saved, so its "
            + "refresh token is probably spent"
    }

    /// When the refresh token stops working, by the wall clock, if that is known.
    public var refreshTokenExpiresAt: WallTime? {
        guard refreshToken != nil, let since = refreshTokenSince,
            let lifetime = refreshTokenLifetime
        else { return nil }
        return since.wall.advanced(by: lifetime)
    }
}
