internal import TokenConfiguration
internal import TokenFormats
internal import TokenProviders
internal import TokenSlots

// A new refresh token in the configuration, beside a stored one that works.
extension CredentialLifecycle {
    /// The configured refresh token is read at every reload and every minute, in any state.
    mutating func initialTokenRead(_ token: InitialToken, now: Moment) -> [LifecycleAction] {
        guard configuration.profile.usesRefreshToken, grant.refreshToken != nil,
            grant.isNew(token), !isRecovering
        else { return [] }
        if let candidate = grant.candidate, candidate.token == token.token {
            // It is known already. An undecided candidate is tried again at once after a reload.
            if candidate.state == .untried { tryCandidate(now: now) }
            return []
        }
        guard !announced.contains(token) else { return [] }
        announced = [token]
        if isAttempting { isRetryPending = true } else { tryCandidate(now: now) }
        return [.report(.candidateFound)]
    }

    /// A changed URL or client is tried at once, so that a refusal of the refresh token is found
    /// while the present token is valid. The change may be in a file that the configuration only
    /// names.
    mutating func placeRead(_ place: GrantBinding, now: Moment) {
        guard let known = grant.boundTo, known != place, triedPlace != place, !isRecovering,
            !isAttempting, quarantine == nil
        else { return }
        triedPlace = place
        let floor = earliestAttempt(now: now)
        dueAt = min(dueAt ?? floor, floor)
    }

    /// Schedules an undecided candidate after a start.
    mutating func scheduleCandidate(now: Moment) {
        if quarantine == nil, grant.candidate?.state == .untried { tryCandidate(now: now) }
    }

    private mutating func tryCandidate(now: Moment) {
        let elapsed = grant.candidate?.triedAt.flatMap { now.elapsed(since: $0) } ?? .seconds(3600)
        let wait = max(.zero, (grant.candidate?.wait ?? .zero) - elapsed)
        let due = max(earliestAttempt(now: now), now.uptime.advanced(by: wait))
        dueAt = min(dueAt ?? due, due)
    }

    /// The attempt with the candidate failed; the stored token keeps its schedule.
    mutating func candidateEnded(
        _ refusal: Refusal, now: Moment, using random: inout RandomSource
    ) -> [LifecycleAction] {
        let soon = now.uptime.advanced(by: .seconds(1))
        isRetryPending = false
        if let error = grant.attempts.lastError {
            let wait = delay(after: error.failureClass, now: now, using: &random)
            dueAt = max(soon, now.uptime.advanced(by: wait))
        } else if let access = grant.access, let end = expiry(of: access, now: now),
            let lifetime = access.lifetime, let delay = refreshDelay(for: access, using: &random)
        {
            dueAt = max(soon, Uptime(end.sinceBoot - lifetime + delay))
        } else {
            dueAt = grant.access == nil ? soon : nil
        }
        guard let candidate = grant.candidate else { return [] }
        if candidate.state == .untried {
            let again = now.uptime.advanced(by: max(candidate.wait, .seconds(1)))
            dueAt = min(dueAt ?? again, again)
        }
        return [.report(.candidateFailed(candidate.state, problem: refusal.problem))]
    }
}
