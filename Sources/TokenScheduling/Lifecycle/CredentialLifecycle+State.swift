internal import TokenConfiguration
package import TokenFormats
package import TokenProviders
package import TokenSlots

extension CredentialLifecycle {
    /// Computed at each call; never stored.
    package var state: CredentialState {
        if quarantine == nil, isErrorBeforeReload {
            // After a reload the status shows that the corrected configuration is being tried.
            return published.map { $0.hasExpired ? .expired : .refreshing } ?? .pending
        }
        return standingState
    }

    /// The state without regard to a pending retry after a reload.
    var standingState: CredentialState {
        if quarantine != nil { return .quarantined }
        let history = grant.attempts
        if history.isLoginRequired { return .loginRequired }
        let hasExpired = published?.hasExpired ?? false
        if history.isMisconfigured { return .misconfigured }
        // There is no valid token to protect, so the cause is shown at once.
        if published == nil || hasExpired, isRefused { return .misconfigured }
        guard published != nil else {
            // No token was published yet, whatever is in progress.
            return .pending
        }
        if hasExpired { return .expired }
        switch job {
        case .attempting: if !isResaving { return .refreshing }
        case .publishing where published?.generation != grant.generation: return .refreshing
        case .none, .recovering, .publishing: break
        }
        let hasFailed = failures > 0 || lastOutputProblem != nil
        return hasFailed ? .retrying : .fresh
    }

    /// The last response says that the request is wrong.
    private var isRefused: Bool { grant.attempts.lastError?.failureClass == .config }

    /// Neither slot can be read: an operator must decide before they are overwritten.
    package var isUnreadable: Bool { quarantine?.reason == .unreadable }

    /// The last failure that is not resolved.
    package var standingError: StoredError? {
        quarantine?.error ?? lastOutputProblem ?? storageError ?? grant.attempts.lastError
    }

    /// When the operator is notified if the unresolved failure continues; `nil` when there will be
    /// no notice, or it has been sent.
    package var personDueAt: WallTime? {
        guard lastOutputProblem == nil, storageError == nil else { return nil }
        switch state {
        case .loginRequired, .misconfigured, .quarantined: return nil
        case .pending, .fresh, .refreshing, .retrying, .expired:
            return grant.attempts.personDueAt
        }
    }

    /// Consecutive failed attempts, including those that could not be stored.
    package var failures: Int { grant.attempts.failures + storageFailures }

    /// The last attempts, oldest first.
    package var recentAttempts: [PastAttempt] {
        grant.recent.merged(with: unrecorded).suffix(PastAttempt.maximumCount)
    }

    /// Notes an attempt that no slot contains. Of consecutive equal failures only the last is kept.
    mutating func noteUnrecorded(_ error: StoredError) {
        let attempt = PastAttempt(.refresh, failedWith: error, took: nil)
        unrecorded.removeAll {
            $0.attempt.failureClass == attempt.failureClass
                && ($0.attempt.problem ?? "").hasSameBytes(as: attempt.problem ?? "")
        }
        unrecorded.append(UnrecordedAttempt(attempt: attempt, behind: grant.recent.last))
        unrecorded = unrecorded.suffix(PastAttempt.maximumCount)
    }

    /// Whether some file does not have the newest token.
    package var hasOutputProblem: Bool { lastOutputProblem != nil }

    /// Whether the file system of the state failed to read or write.
    package var hasStorageProblem: Bool { storageError != nil }

    /// Whether other programs can read a token that is valid now.
    package func isServed(now: Uptime) -> Bool {
        guard let published, !published.hasExpired else { return false }
        return published.expiresAt.map { $0 > now } ?? true
    }

    /// How long a renewal that has not started is overdue.
    func overdue(now: Uptime) -> Duration {
        dueAt.map { max(.zero, $0.duration(to: now)) } ?? .zero
    }

    /// How long the renewal that is due now is overdue; if none is, how late the last one started.
    package func lateness(now: Uptime) -> Duration {
        let overdue = overdue(now: now)
        return overdue > .zero ? overdue : lastLateness
    }

    /// The generation of the published token; `nil` before the first.
    package var publishedGeneration: Int64? { published?.generation }

    /// When the next attempt is planned.
    package var nextAttemptAt: Uptime? {
        guard job == .none, quarantine == nil, !grant.attempts.isLoginRequired else { return nil }
        return dueAt
    }

    /// The current access token while it is valid, with its expiry.
    package func liveAccess(now: Moment) -> (access: GrantedAccess, expiresAt: Uptime?)? {
        guard let access = grant.access, published?.hasExpired != true else { return nil }
        let end = expiry(of: access, now: now)
        if let end, end <= now.uptime { return nil }
        return (access, end)
    }

    /// Notes that a token was published although its response could not be saved.
    mutating func notePublishedUnsaved(_ access: GrantedAccess, now: Moment) {
        grant.access = access
        notePublished(access, now: now)
    }

    /// Notes that other programs can read this token from now on.
    mutating func notePublished(_ access: GrantedAccess, now: Moment) {
        published = Published(
            generation: grant.generation, expiresAt: expiry(of: access, now: now))
    }

    /// The wall clock was stepped, so the times in token files are wrong.
    mutating func noteClockStep(now: Moment, using random: inout RandomSource) {
        warnDueAt = warningAt(now: now)
        guard quarantine == nil, let access = grant.access, access.lifetime != nil else { return }
        if let published, !published.hasExpired {
            publishDueAt = now.uptime
            isOutputChangePending = job != .none
        }
        // The age of a token from an earlier boot is known only by the wall clock. If that clock
        // was slow at start (no battery, not yet synchronised), the token seemed younger than it
        // is.
        guard access.sentAt.bootID != now.bootID else { return }
        if published?.generation == grant.generation {
            let end = expiry(of: access, now: now)
            published?.expiresAt = end
        }
        guard let planned = dueAt else { return }
        scheduleAfterStart(now: now, using: &random)
        dueAt = min(planned, dueAt ?? planned)
    }

    mutating func noteResaved() {
        (resaveDueAt, storageFailures, storageError) = (nil, 0, nil)
    }

    /// The response is saved in one slot; the other slot must be written too.
    mutating func resaveLater(_ report: AttemptReport, now: Moment) {
        let detail = CauseFacts(detail: "a slot cannot be written")
        let cause = report.storageCause ?? storageError?.cause ?? Cause(.stateFails, detail)
        noteStorageProblem(cause, now: now)
        resaveDueAt = now.uptime.advanced(
            by: min(Self.firstResavePause * storageFailures, Self.longestResavePause))
    }

    /// A file system that was full for a moment accepts a write soon.
    private static let firstResavePause: Duration = .seconds(1)
    /// A corrected file system is noticed within a minute.
    private static let longestResavePause: Duration = .seconds(45)

    /// The floor between two refreshes holds for people and crash loops too (I24).
    func earliestAttempt(now: Moment) -> Uptime {
        let schedule = RefreshSchedule(policy: configuration.refresh, rules: rules)
        if let asked = grant.attempts.lastError?.retryAfter,
            let last = grant.attempts.lastAttemptAt, let elapsed = now.elapsed(since: last),
            elapsed < asked
        {
            return now.uptime.advanced(by: asked - elapsed)
        }
        guard let last = grant.attempts.lastSuccessAt else { return now.uptime }
        let floor = schedule.minimumInterval(lifetime: grant.access?.lifetime)
        guard let elapsed = now.elapsed(since: last), elapsed < floor else { return now.uptime }
        return now.uptime.advanced(by: floor - elapsed)
    }
}
