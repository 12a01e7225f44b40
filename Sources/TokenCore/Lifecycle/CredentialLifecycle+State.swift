extension CredentialLifecycle {
    /// Derived anew from what is known at each call; nothing stores it.
    public var state: CredentialState {
        if quarantine == nil, isErrorBeforeReload {
            // What is told of a mended configuration is that it is being tried.
            return published.map { $0.isDead ? .expired : .refreshing } ?? .pending
        }
        return standingState
    }

    /// Whatever a reload has begun.
    var standingState: CredentialState {
        if quarantine != nil { return .quarantined }
        let history = grant.attempts
        if history.isLoginRequired { return .loginRequired }
        let isDead = published?.isDead ?? false
        if history.isMisconfigured { return .misconfigured }
        // Nothing that a program can read is at stake: the cause is told at once.
        if published == nil || isDead, isRefused { return .misconfigured }
        guard published != nil else {
            // Nothing to read yet, whatever is under way.
            return .pending
        }
        if isDead { return .expired }
        switch job {
        case .attempting: if !isSettling { return .refreshing }
        case .publishing where published?.generation != grant.generation: return .refreshing
        case .none, .recovering, .publishing: break
        }
        let hasFailed = failures > 0 || lastOutputProblem != nil
        return hasFailed ? .retrying : .fresh
    }

    /// The last answer says that the request is wrong.
    private var isRefused: Bool { grant.attempts.lastError?.failureClass == .config }

    /// Neither slot can be read: a person decides before anything is written over them.
    public var isUnreadable: Bool { quarantine?.cause.kind == .stateUnreadable }

    /// The last failure that still stands.
    public var standingError: StoredError? {
        quarantine ?? lastOutputProblem ?? storageError ?? grant.attempts.lastError
    }

    /// When a person is asked for, if the standing failure goes on; `nil` where none will be, or
    /// one is asked for already.
    public var personDueAt: WallTime? {
        guard lastOutputProblem == nil, storageError == nil else { return nil }
        switch state {
        case .loginRequired, .misconfigured, .quarantined: return nil
        case .pending, .fresh, .refreshing, .retrying, .expired:
            return grant.attempts.personDueAt
        }
    }

    /// Failed attempts in a row, those included that the disk could not remember.
    public var failures: Int { grant.attempts.failures + storageFailures }

    /// The last attempts, oldest first.
    public var recentAttempts: [PastAttempt] {
        grant.recent.merged(with: unrecorded).suffix(PastAttempt.maximumCount)
    }

    /// One that stands in no slot. Of the same trouble over and over the last one is enough.
    mutating func noteUnrecorded(_ error: StoredError) {
        let attempt = PastAttempt(.refresh, failedWith: error, took: nil)
        unrecorded.removeAll {
            $0.attempt.failureClass == attempt.failureClass
                && ($0.attempt.problem ?? "").hasSameBytes(as: attempt.problem ?? "")
        }
        unrecorded.append(UnrecordedAttempt(attempt: attempt, behind: grant.recent.last))
        unrecorded = unrecorded.suffix(PastAttempt.maximumCount)
    }

    /// The newest token is not in every file.
    public var hasOutputProblem: Bool { lastOutputProblem != nil }

    /// The file system of the state did not take, or did not give, what it should.
    public var hasStorageProblem: Bool { storageError != nil }

    /// Whether other programs can read a token that is valid at this moment.
    public func isServed(now: Uptime) -> Bool {
        guard let published, !published.isDead else { return false }
        return published.expiresAt.map { $0 > now } ?? true
    }

    /// How long a renewal that has not been started is overdue.
    func overdue(now: Uptime) -> Duration {
        dueAt.map { max(.zero, $0.duration(to: now)) } ?? .zero
    }

    /// How long the renewal that is due now is overdue; if none is, how late the last one started.
    public func lateness(now: Uptime) -> Duration {
        let overdue = overdue(now: now)
        return overdue > .zero ? overdue : lastLateness
    }

    /// The generation that other programs can read; `nil` before the first.
    public var publishedGeneration: Int64? { published?.generation }

    /// When the next attempt is planned.
    public var nextAttemptAt: Uptime? {
        guard job == .none, quarantine == nil, !grant.attempts.isLoginRequired else { return nil }
        return dueAt
    }

    /// The current access token while it is valid, with its end.
    public func liveAccess(now: Moment) -> (access: GrantedAccess, expiresAt: Uptime?)? {
        guard let access = grant.access, published?.isDead != true else { return nil }
        let end = expiry(of: access, now: now)
        if let end, end <= now.uptime { return nil }
        return (access, end)
    }

    /// The token of an answer that no disk holds yet is in the files.
    mutating func notePublishedUnsaved(_ access: GrantedAccess, now: Moment) {
        grant.access = access
        notePublished(access, now: now)
    }

    /// Other programs can read this token from now on.
    mutating func notePublished(_ access: GrantedAccess, now: Moment) {
        published = Published(
            generation: grant.generation, expiresAt: expiry(of: access, now: now))
    }

    /// What the files say of the token's times is wrong now.
    mutating func noteClockStep(now: Moment, using random: inout RandomSource) {
        warnDueAt = warningAt(now: now)
        guard quarantine == nil, let access = grant.access, access.lifetime != nil else { return }
        if let published, !published.isDead {
            publishDueAt = now.uptime
            isOutputChangePending = job != .none
        }
        // How old a token of an earlier boot is only the wall clock knows: one that was behind at
        // start (no battery, not yet synchronised) made it look younger.
        guard access.sentAt.bootID != now.bootID else { return }
        if published?.generation == grant.generation {
            let end = expiry(of: access, now: now)
            published?.expiresAt = end
        }
        guard let planned = dueAt else { return }
        scheduleAfterStart(now: now, using: &random)
        dueAt = min(planned, dueAt ?? planned)
    }

    mutating func noteSettled() {
        (settleDueAt, storageFailures, storageError) = (nil, 0, nil)
    }

    /// The answer is safe in one slot; the other should have what it says as well.
    mutating func settleLater(_ report: AttemptReport, now: Moment) {
        let detail = CauseFacts(detail: "a slot cannot be written")
        let cause = report.storageCause ?? storageError?.cause ?? Cause(.stateFails, detail)
        noteStorageProblem(cause, now: now)
        settleDueAt = now.uptime.advanced(by: min(.seconds(1) * storageFailures, .seconds(45)))
    }

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
