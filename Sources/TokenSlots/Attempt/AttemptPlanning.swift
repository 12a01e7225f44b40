package import TokenFormats
package import TokenProviders

/// Why an attempt is made.
package enum AttemptOrder: Sendable, Equatable {
    /// Refresh, or acquire when there is no refresh token to use. While a sign-in is required, only
    /// a manual request sends anything.
    case renew(isManual: Bool)
    /// Exchange an authorization code (RFC 6749 section 4.1.3).
    case login(AuthorizationCode)
    /// Exchange a device code, which may not be approved yet (RFC 8628 section 3.4).
    case device(code: Secret)
    /// Adopt tokens that were obtained elsewhere.
    case adopt(ImportedTokens)
    /// Write the record again whose write failed after the response was saved.
    case resave
}

extension AttemptOrder {
    /// Whether the attempt sends a request to the provider.
    package var sends: Bool {
        switch self {
        case .renew, .login, .device: true
        case .adopt, .resave: false
        }
    }
}

/// A code that an authorization response brought, with what its exchange must repeat (RFC 6749
/// section 4.1.3).
package struct AuthorizationCode: Sendable, Equatable {
    /// The code itself; the provider accepts it once.
    package var code: Secret
    /// The redirect URI of the authorization request, unchanged; `nil` if it had none.
    package var redirectURI: String?
    /// The verifier of the request's challenge (RFC 7636 section 4.5); `nil` without PKCE.
    package var codeVerifier: Secret?

    /// - Parameters:
    ///   - code: The code (RFC 6749 section 4.1.2).
    ///   - redirectURI: That of the authorization request.
    ///   - codeVerifier: That of RFC 7636 section 4.1, if the request had a challenge.
    package init(code: Secret, redirectURI: String? = nil, codeVerifier: Secret? = nil) {
        (self.code, self.redirectURI, self.codeVerifier) = (code, redirectURI, codeVerifier)
    }
}

/// Tokens of an import. At least one of the two is set.
package struct ImportedTokens: Sendable, Equatable {
    /// A refresh token, which replaces the stored one.
    package var refreshToken: Secret?
    /// An access token, which is published if it lasts.
    package var accessToken: Secret?
    /// Of the access token (RFC 6749 section 7.1).
    package var tokenType: String?
    /// As granted, if that is known.
    package var scope: String?
    /// The remaining life of the access token; `nil` if unknown.
    package var lifetime: Duration?

    package init(
        refreshToken: Secret? = nil, accessToken: Secret? = nil, tokenType: String? = nil,
        scope: String? = nil, lifetime: Duration? = nil
    ) {
        self.refreshToken = refreshToken
        self.accessToken = accessToken
        self.tokenType = tokenType
        self.scope = scope
        self.lifetime = lifetime
    }
}

/// What to do in one attempt, decided from the slots as they are on the disk now, never from
/// memory (Durability step 0).
package enum AttemptPlan: Sendable, Equatable {
    /// Write the record, then send its exchange.
    case send(SlotRecord)
    /// Write the record; nothing is sent.
    case write(SlotRecord)
    /// There is nothing to send; a user must sign in.
    case needsLogin(CredentialRecord)
    /// No slot can be read.
    case unreadable

    /// - Parameters:
    ///   - order: Why the attempt is made.
    ///   - evidence: The stored state.
    ///   - stored: The grant that results from it; `nil` without a readable record.
    ///   - initialToken: The configured refresh token as its source reads now, `nil` if none is
    ///     configured.
    ///   - withheld: The configured refresh token if it is known to be spent (``SpentTraces``);
    ///     `initialToken` is then `nil`.
    ///   - place: The server and client that a refresh token would be sent to, for
    ///     ``CredentialRecord/asksForPlace(_:)``.
    ///   - profile: The description of the provider.
    ///   - attemptID: Random, unique.
    ///   - now: When the attempt begins.
    package static func make(
        order: AttemptOrder, evidence: AttemptEvidence, stored: CredentialRecord?,
        initialToken: InitialToken?,
        withheld: InitialToken? = nil,
        place: GrantBinding? = nil,
        profile: ProviderProfile, attemptID: String, now: Moment
    ) -> AttemptPlan {
        let latest = evidence.latest
        if latest == nil, evidence.isUnreadable {
            guard case .adopt = order else { return .unreadable }
        }
        var grant = stored ?? CredentialRecord()
        grant.adopt(initialToken: initialToken, for: place, at: now, profile: profile)
        if let withheld { grant.rememberSpent(withheld) }
        var record = SlotRecord(
            sequence: (latest?.sequence ?? 0) + 1, state: .intent, attemptID: attemptID,
            kind: .refresh,
            sentAt: now, grant: grant)
        switch order {
        case .adopt(let tokens):
            record.grant.adopt(tokens, at: now, profile: profile)
            record.state = .settled
            return .write(record)
        case .resave:
            guard let latest else { return .needsLogin(grant) }
            return .write(latest.settled(grant))
        case .login: record.kind = .authorizationCode
        case .device: record.kind = .deviceCode
        case .renew(let isManual):
            guard let kind = grant.renewalKind(profile: profile),
                isManual || !grant.attempts.isLoginRequired || grant.isDueAgain(at: now)
                    || grant.sendsCandidate(isManual: isManual, at: now)
            else { return .needsLogin(grant) }
            record.sendsCandidate = grant.sendsCandidate(isManual: isManual, at: now)
            record.kind = record.sendsCandidate ? .refresh : kind
        }
        record.grant.attempts.lastAttemptAt = now
        // An interrupted multi-step exchange restarts at step one; only cached results are reused.
        let exchanges = profile.exchanges(record.kind)
        let cached = exchanges.filter(\.isCached).map(\.id)
        record.grant.steps.removeAll { !cached.contains($0.id) || !$0.isFresh(at: now) }
        record.step = record.grant.nextStep(of: exchanges).id
        return .send(record)
    }
}

extension CredentialRecord {
    /// The first step without a stored result.
    func nextStep(of exchanges: [TokenExchange]) -> TokenExchange {
        exchanges.dropLast().first { exchange in !steps.contains { $0.id == exchange.id } }
            ?? exchanges[exchanges.count - 1]
    }
}

extension ProviderProfile {
    /// Whether a step's token becomes the credential's token.
    package func isLast(_ step: String, of kind: ExchangeKind) -> Bool {
        exchange(kind, step: step).id == exchanges(kind).last?.id
    }
}

extension SlotRecord {
    /// The following record, with the outcome of the attempt; no request is pending after it.
    package func settled(_ grant: CredentialRecord) -> SlotRecord {
        var record = self
        (record.sequence, record.state, record.grant) = (sequence + 1, .settled, grant)
        return record
    }

    /// The record of the next step, after this one's response has been applied to `grant`; `nil`
    /// after the last step. It goes to the other slot, so this record and its response stay until
    /// it is written.
    package func next(grant: CredentialRecord, profile: ProviderProfile, now: Moment) -> SlotRecord?
    {
        guard !profile.isLast(step, of: kind) else { return nil }
        let following = grant.nextStep(of: profile.exchanges(kind)).id
        // After the code or other grant has become tokens, the remaining steps are those of a
        // refresh.
        let hasGrant = profile.exchange(kind, step: step).spendsGrant || kind == .acquire
        var next = SlotRecord(
            sequence: sequence + 1, state: .intent,
            // A response is matched by attempt ID: that of an earlier step may still be in the
            // slot.
            attemptID: String(attemptID.prefix { $0 != "." }) + "." + following,
            kind: hasGrant ? .refresh : kind, step: following, sentAt: now, grant: grant)
        next.sendsCandidate = sendsCandidate && !hasGrant
        return next
    }

    /// The refresh token that this record's request spends.
    package var refreshTokenToSend: Secret? {
        sendsCandidate ? grant.candidate?.token : grant.refreshToken
    }
}

extension SlotContents {
    /// The grant after this slot's attempt, whose stored response is read again if there is one. An
    /// intent without a response means that the request may have been sent: durable ambiguity.
    package func grant(profile: ProviderProfile) -> CredentialRecord {
        var grant = record.grant
        guard record.state == .intent else { return grant }
        if let response {
            let reading = record.reading(of: response.raw, profile: profile)
            grant.apply(reading, to: record, roundTrip: response.roundTrip, profile: profile)
        } else {
            let refusal = Refusal(.ambiguous, Cause(.attemptInterrupted))
            grant.fail(refusal, of: record, profile: profile)
        }
        return grant
    }
}

extension SlotRecord {
    /// Reads the response to this record's request. The live reading and a later recovery give the
    /// same result.
    ///
    /// - Parameters:
    ///   - raw: The response, as it was received.
    ///   - profile: The description of the provider.
    ///   - filter: For free text in the response; only the live reading knows all secrets.
    ///   - path: The path of the request; only the live reading knows it.
    package func reading(
        of raw: RawResponse, profile: ProviderProfile, filter: PeerFilter = .closed,
        path: String? = nil
    ) -> ResponseOutcome {
        var reader = ResponseReader(profile: profile, kind: kind, step: step, steps: grant.steps)
        (reader.filter, reader.origin, reader.requestPath) = (filter, origin, path)
        var reading = reader.read(raw, sentAt: sentAt.wall)
        // A program that reads a token file must not be able to refresh (I27).
        if profile.lifecycle.refreshToken != .accessToken,
            let token = try? reading.result.get().accessToken, !token.isEmpty,
            [grant.refreshToken, grant.candidate?.token, reading.refreshToken].contains(token)
        {
            reading.result = .failure(
                Refusal(.config, Cause(.tokenIsRefreshToken), httpStatus: raw.status))
        }
        return reading
    }
}
