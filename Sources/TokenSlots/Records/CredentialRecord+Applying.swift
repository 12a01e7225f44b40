package import TokenFormats
package import TokenProviders

// How the outcome of an attempt changes the stored grant. Pure, and the same for a live response
// and for one that recovery finds in a slot, so that a restart leads to the same state.
extension CredentialRecord {
    /// Applies a response.
    ///
    /// - Parameters:
    ///   - reading: What the response says.
    ///   - record: The record written before the request: which exchange, and when it was sent.
    ///   - roundTrip: From the request to the last byte of the response.
    ///   - profile: The description of the provider.
    package mutating func apply(
        _ reading: ResponseOutcome, to record: SlotRecord, roundTrip: Duration,
        profile: ProviderProfile
    ) {
        // A new refresh token also counts as a grant, whatever is wrong with the rest.
        let isGranted = (try? reading.result.get()) != nil || reading.refreshToken != nil
        let spends = profile.exchange(record.kind, step: record.step).spendsGrant
        if record.sendsCandidate, isGranted, spends {
            promoteCandidate(by: record, profile: profile)
        }
        // The sent token, or the one received for it, is valid at that place.
        if reading.refreshToken != nil || isGranted && spends && record.kind == .refresh {
            boundTo = record.place
        }
        keep(reading, record: record, profile: profile)
        switch reading.result {
        case .success(let response) where !profile.isLast(record.step, of: record.kind):
            keep(response, ofStep: record, profile: profile)
        case .success(let response):
            take(response, of: record, roundTrip: roundTrip, profile: profile)
            countSuccess(sentAt: record.sentAt)
            // The unread part may have contained a new refresh token: whether the old one is valid
            // is unknown.
            if !reading.tellsRotation, spends, !isKnownStatic { attempts.ambiguousAttempts = 1 }
            note(
                PastAttempt(
                    .init(record.kind), at: record.sentAt.wall, took: roundTrip,
                    note: reading.noteText))
        case .failure(let refusal):
            if reading.refreshToken != nil { attempts.ambiguousAttempts = 0 }
            // A server that returns one cached token counts its lifetime down to zero.
            let isCached = reading.endedToken.map { $0 == access?.token } ?? false
            fail(refusal, of: record, profile: profile, took: roundTrip)
            attempts.isCountedDown = isCached
            // Acquiring a new grant is safer when the profile can do it.
            let startsOver = attempts.lastError?.failureClass == .reacquire
            if let offered = reading.offeredRefreshToken, !record.sendsCandidate, !startsOver {
                take(offered: offered, at: record.sentAt, profile: profile)
            }
        }
    }

    /// Takes the access token of an exchange's last step.
    private mutating func take(
        _ response: TokenResponse, of record: SlotRecord, roundTrip: Duration,
        profile: ProviderProfile
    ) {
        let exchanges = profile.exchanges(record.kind)
        let kept = keptValues(response, of: exchanges)
        let echoes =
            profile.lifecycle.refreshToken == .accessToken
            ? []
            : [
                record.grant.refreshToken, record.grant.candidate?.token, previousRefreshToken,
                refreshToken,
            ].compactMap { $0 }
        steps.removeAll { step in
            !exchanges.contains { $0.id == step.id && $0.isCached }
        }
        replaceAccess(
            GrantedAccess(
                token: response.accessToken, tokenType: response.tokenType, scope: response.scope,
                sentAt: record.sentAt, lifetime: response.lifetime.duration,
                roundTrip: roundTrip, keep: kept, serverDate: response.date
            )
            .withoutEchoes(of: echoes))
        generation += 1
    }

    /// Resets failures; tokens that were kept until this success are dropped.
    private mutating func countSuccess(sentAt: Moment) {
        let successes = attempts.successes + 1
        let lastAttemptAt = attempts.lastAttemptAt
        attempts = AttemptHistory()
        attempts.successes = successes
        attempts.lastAttemptAt = lastAttemptAt
        attempts.lastSuccessAt = sentAt
        if successes >= previousRefreshTokenUntil {
            previousRefreshToken = nil
            isPreviousRefreshTokenRefused = false
            previousRefreshTokenUntil = 0
        }
        if let setAsideToken, successes > setAsideToken.successes + 1 { self.setAsideToken = nil }
    }

    /// The `keep` values of all steps; the last step wins for a name.
    private func keptValues(_ last: TokenResponse, of exchanges: [TokenExchange]) -> [JSONMember] {
        var kept: [JSONMember] = []
        for exchange in exchanges {
            let names = exchange.response.keep.map(\.name)
            kept +=
                steps.first { $0.id == exchange.id }?.values
                .filter { names.contains($0.key) } ?? []
        }
        return kept.filter { old in !last.keep.contains { $0.key == old.key } } + last.keep
    }

    /// Stores the results of a step that is not the last one.
    private mutating func keep(
        _ response: TokenResponse, ofStep record: SlotRecord, profile: ProviderProfile
    ) {
        let text = { (key: String, text: String?) in text.map { JSONMember(key, .string($0)) } }
        let token = response.accessToken.reveal()
        var values = [
            text("access_token", token.isEmpty ? nil : token),
            text("token_type", response.tokenType),
            text("scope", response.scope),
        ].compactMap { $0 }
        values += response.keep
        if profile.exchange(record.kind, step: record.step).spendsGrant {
            // Whether the refresh token works is now known, whatever the later steps return.
            attempts.ambiguousAttempts = 0
            (attempts.reauthResponses, attempts.firstReauthAt) = (0, nil)
            attempts.isLoginRequired = false
        }
        steps.removeAll { $0.id == record.step }
        steps.append(
            StepResult(
                id: record.step, values: values, pointed: response.pointed, host: record.host,
                sentAt: record.sentAt, lifetime: response.lifetime.duration))
    }

    private mutating func keep(
        _ reading: ResponseOutcome, record: SlotRecord, profile: ProviderProfile
    ) {
        let rules = profile.lifecycle
        let answered = try? reading.result.get()
        let (formerEnd, formerSince) = (refreshTokenExpiresAt, refreshTokenSince)
        for other in reading.otherRefreshTokens { noteSpent(other, at: profile) }
        if let new = reading.refreshToken, new != refreshToken {
            if rules.refreshTokenExpiry != .inherited || refreshToken == nil {
                refreshTokenSince = record.sentAt
                refreshTokenLifetime = rules.refreshTokenLifetime
            }
            if let old = refreshToken { noteSpent(old, at: profile) }
            refreshToken = new
            isRefreshTokenRefused = false
            isKnownStatic = false
        } else if answered != nil, reading.tellsRotation, record.kind == .refresh,
            refreshToken != nil,
            profile.exchange(record.kind, step: record.step).spendsGrant
        {
            isKnownStatic = true
            if rules.refreshTokenExpiry == .sliding { refreshTokenSince = record.sentAt }
        }
        let isOwn = rules.refreshToken == .accessToken
        if let said = answered?.refreshLifetime ?? (isOwn ? answered?.lifetime.duration : nil) {
            refreshTokenSince = record.sentAt
            refreshTokenLifetime = said
        }
        guard answered != nil, record.kind == .refresh, let formerEnd, let formerSince,
            let end = refreshTokenExpiresAt,
            let elapsed = record.sentAt.elapsed(since: formerSince), elapsed > .seconds(1)
        else { return }
        isRefreshTokenEndFixed = formerEnd.duration(to: end) < elapsed / 2
    }

    /// When the refresh token expires, by the wall clock, if known.
    package var refreshTokenExpiresAt: WallTime? {
        guard refreshToken != nil, let since = refreshTokenSince,
            let lifetime = refreshTokenLifetime
        else { return nil }
        return since.wall.advanced(by: lifetime)
    }
}

extension GrantedAccess {
    /// A value in which an answer repeats a refresh token is not published (Contract 2.7).
    func withoutEchoes(of tokens: [Secret]) -> GrantedAccess {
        let texts = tokens.map { $0.reveal() }.filter { !$0.isEmpty }
        let repeats = { (value: String) in texts.contains { value.containsBytes(of: $0) } }
        var access = self
        if tokenType.map(repeats) == true { access.tokenType = nil }
        if scope.map(repeats) == true { access.scope = nil }
        access.keep.removeAll { repeats($0.key) || $0.value.hasText(where: repeats) }
        return access
    }
}

extension JSONNode {
    /// Whether any text, number or key in it satisfies the condition; compared unescaped.
    fileprivate func hasText(where holds: (String) -> Bool) -> Bool {
        switch kind {
        case .string(let text), .number(let text): holds(text)
        case .array(let elements): elements.contains { $0.hasText(where: holds) }
        case .object(let members):
            members.contains { holds($0.key) || $0.value.hasText(where: holds) }
        case .null, .bool: false
        }
    }
}
