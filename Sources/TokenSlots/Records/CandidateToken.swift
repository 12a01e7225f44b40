package import TokenFormats
internal import TokenProviders

/// The refresh token that the configuration names, while another, stored one works: it replaces the
/// stored one only after a successful grant.
package struct CandidateToken: Sendable, Equatable {
    /// The provider's reaction so far; the word in JSON.
    package enum State: String, Sendable, CaseIterable {
        /// No response has shown whether it works.
        case untried
        /// The provider refused it. It is not sent again until the configuration names another one,
        /// or the stored one is refused as well.
        case refused
        /// The responses to two requests with it were lost: it may have worked and be spent.
        case maybeSpent = "maybe_spent"
    }

    /// The refresh token, as its source reads now.
    package var token: Secret
    /// The provider's reaction so far.
    package var state = State.untried
    /// When it was first seen in the configuration.
    package var since: Moment
    /// When it was sent last; `nil` before the first time.
    package var triedAt: Moment?
    /// Consecutive attempts that decided nothing about it.
    package var failures = 0
    /// Attempts with it without a response: it may be spent.
    package var lostResponses = 0
    /// It was refused, and is tried once more before a sign-in is requested.
    package var isLastResort = false
    /// Problem of the last attempt with it, for the status.
    package var problem: String?

    /// A candidate that has never been sent.
    package init(_ token: Secret, since: Moment) { (self.token, self.since) = (token, since) }

    /// Minimum time after the last attempt before the next one; meanwhile the stored token is used.
    package var wait: Duration {
        lostResponses > 0
            ? .seconds(1)
            : failures == 0 ? .zero : .seconds(min(Int64(1) << min(failures, 12), 3600))
    }

    /// Whether the next refresh sends the candidate.
    func isDue(at now: Moment) -> Bool {
        guard state == .untried else { return false }
        guard let triedAt, let elapsed = now.elapsed(since: triedAt) else { return true }
        return elapsed >= wait
    }
}

extension CandidateToken {
    func json() -> JSONNode {
        .object([
            ("token", .string(token.reveal())), ("state", .string(state.rawValue)),
            ("since", since.json), ("tried_at", triedAt?.json),
            ("failures", .integer(Int64(failures))), ("lost", .integer(Int64(lostResponses))),
            ("last_resort", isLastResort ? true : nil), ("problem", problem.map { .string($0) }),
        ])
    }

    init?(json node: JSONNode) {
        guard let token = node["token"]?.text,
            let since = node["since"].flatMap(Moment.init(json:)),
            let state = node["state"]?.text.flatMap(State.init(rawValue:))
        else { return nil }
        self.init(Secret(token), since: since)
        self.state = state
        triedAt = node["tried_at"].flatMap(Moment.init(json:))
        failures = Int(clamping: node["failures"]?.integer ?? 0)
        lostResponses = Int(clamping: node["lost"]?.integer ?? 0)
        isLastResort = node["last_resort"]?.flag ?? false
        problem = node["problem"]?.text
    }
}

extension CredentialRecord {
    /// Whether the next refresh sends the candidate instead of the stored token.
    ///
    /// - Parameter isManual: The operator asked for the refresh; while a sign-in is required, both
    ///   tokens are worth a try.
    func sendsCandidate(isManual: Bool, at now: Moment) -> Bool {
        guard let candidate else { return false }
        if candidate.isDue(at: now) { return true }
        return isManual && attempts.isLoginRequired && candidate.state != .untried
            && candidate.triedAt != attempts.lastAttemptAt
    }

    /// The candidate was granted and becomes the stored token. The former one is kept until the new
    /// one has been refreshed once; it is not spent, because it was not sent.
    mutating func promoteCandidate(by record: SlotRecord, profile: ProviderProfile) {
        guard let candidate else { return }
        let (old, left) = (refreshToken, setAside)
        let isSetAside = boundTo != nil && record.place != nil && boundTo != record.place
        replaceRefreshToken(candidate.token, at: record.sentAt, profile: profile)
        remember(Self.fingerprint(of: candidate.token))
        if isSetAside {
            setAsideToken = left
        } else if old != candidate.token {
            previousRefreshToken = old
        }
        // Two successes: of the present exchange, whose last step may be pending, and of a refresh.
        previousRefreshTokenUntil = attempts.successes + 2
    }

    /// An attempt with the candidate failed. The stored token is not affected and keeps its
    /// schedule.
    ///
    /// - Parameter effective: The failure class for a refresh token that was sent.
    mutating func failCandidate(
        _ refusal: Refusal, as effective: FailureClass, of record: SlotRecord, took: Duration?
    ) {
        guard var tried = candidate else { return }
        tried.triedAt = record.sentAt
        tried.failures += 1
        tried.problem = refusal.problem
        switch effective.tokenVerdict {
        case .refused:
            tried.state = .refused
            if tried.lostResponses > 0 {
                tried.problem =
                    refusal.problem + "; an earlier request with it was interrupted before its "
                    + "answer could be saved, so it is probably spent"
            }
            remember(Self.fingerprint(of: tried.token))
        case .maybeSpent:
            tried.lostResponses += 1
            if tried.lostResponses > 1 {
                tried.state = .maybeSpent
                remember(Self.fingerprint(of: tried.token))
            }
        case .unknown: break
        }
        candidate = tried
        var error = StoredError(refusal, as: effective, at: record.sentAt.wall)
        error.problem = "the configured refresh token: " + refusal.problem
        note(PastAttempt(.refresh, failedWith: error, took: took))
    }

    /// Refuses the candidate without a request to the provider.
    package mutating func refuseCandidate(_ cause: Cause, of record: SlotRecord) {
        failCandidate(Refusal(.config, cause), as: .reauth, of: record, took: nil)
    }

    /// Why the candidate is not used; empty when unknown.
    package var candidateProblem: String { candidate?.problem ?? "" }

    /// The error response to the stored token contained a new one: the new one is sent first, and
    /// the old one only if the new one is refused too.
    mutating func take(offered token: Secret, at moment: Moment, profile: ProviderProfile) {
        let fingerprint = Self.fingerprint(ofRefresh: token, at: profile)
        guard let old = refreshToken, old != token, !spent.containsText(fingerprint) else { return }
        (refreshToken, previousRefreshToken, isPreviousRefreshTokenRefused) = (token, old, false)
        previousRefreshTokenUntil = attempts.successes + 1
        (isRefreshTokenRefused, isKnownStatic) = (false, false)
        (refreshTokenSince, refreshTokenLifetime) = (
            moment, profile.lifecycle.refreshTokenLifetime
        )
        attempts.forgetRefusals()
    }

    /// The stored token was refused: falls back to another known token.
    ///
    /// - Returns: Whether there is one, so that no sign-in is needed yet.
    mutating func turnToAnotherToken() -> Bool {
        guard attempts.ambiguousAttempts == 0 else { return false }
        // One refusal may be an error of the provider: the refused token is kept in turn, and is
        // tried again when the other one is refused too.
        if let previousRefreshToken, let old = refreshToken,
            !isPreviousRefreshTokenRefused || attempts.isLoginRequired
        {
            refreshToken = previousRefreshToken
            self.previousRefreshToken = isPreviousRefreshTokenRefused ? nil : old
            isPreviousRefreshTokenRefused = !isPreviousRefreshTokenRefused
            previousRefreshTokenUntil = attempts.successes + 1
            (isRefreshTokenRefused, isKnownStatic) = (false, false)
            attempts.forgetRefusals()
            return true
        }
        guard attempts.isLoginRequired, var last = candidate, last.state == .refused,
            !last.isLastResort
        else { return false }
        (last.isLastResort, last.state, last.triedAt) = (true, .untried, nil)
        (last.failures, last.lostResponses) = (0, 0)
        candidate = last
        attempts.isLoginRequired = false
        return true
    }
}

extension AttemptHistory {
    /// Resets the refusals, because another refresh token is sent from now on.
    fileprivate mutating func forgetRefusals() {
        (reauthResponses, firstReauthAt, reauthSpan) = (0, nil, nil)
        (ambiguousAttempts, isLoginRequired) = (0, false)
    }
}
