package import TokenConfiguration
package import TokenFormats
internal import TokenProviders
package import TokenSlots

/// The state machine of one credential, as a value: events in, actions out. No clock, no I/O.
///
/// One refresh: `woke` when due → `.attempt` → `attemptEnded` with a grant that is already durable
/// → `.publish` → `published` → fresh until the next due time. Only one job runs at a time; its
/// report must return the job's ticket.
package struct CredentialLifecycle: Sendable {
    enum Job: Sendable, Equatable {
        case none
        case recovering(Ticket)
        case attempting(Ticket)
        case publishing(Ticket)
    }

    /// The token that other programs can read.
    struct Published: Sendable, Equatable {
        var generation: Int64
        /// `nil` when it never expires.
        var expiresAt: Uptime?
        /// Its expiry has been handled.
        var hasExpired = false
    }

    /// How a renewal ended, for callers that wait for one.
    package struct Renewal: Sendable, Equatable {
        /// As reported by the attempt.
        package var end: AttemptReport.End
        /// The request sent the configured candidate instead of the stored refresh token.
        package var isOfCandidate: Bool
    }

    /// The configuration in force.
    package internal(set) var configuration: CredentialConfiguration
    /// The stored grant after the last attempt; empty before recovery. Without the fingerprints,
    /// which ``wholeGrant`` has.
    package internal(set) var grant = CredentialRecord()
    private var fingerprints = PackedFingerprints()
    /// The stored grant after the last attempt, as it was stored.
    package var wholeGrant: CredentialRecord {
        var whole = grant
        fingerprints.restore(in: &whole)
        return whole
    }
    var job = Job.none
    var published: Published?
    /// When the next attempt is due; `nil` if only an external event can cause one.
    var dueAt: Uptime?
    /// When the next try to write the outputs is due; `nil` if they are written.
    var publishDueAt: Uptime?
    var publishFailures = 0
    var orders: [AttemptOrder] = []
    /// Why the state cannot be trusted; `nil` when it can.
    @Rare var quarantine: StandingQuarantine?
    @Rare var lastOutputProblem: StoredError?
    var hooks: HookBook
    /// Configured settings that cannot work.
    package internal(set) var findings: [CheckFinding] = []
    /// Consecutive attempts that the state's file system prevented; they cannot be stored.
    var storageFailures = 0
    @Rare var storageError: StoredError?
    /// Attempts that no slot contains: the write failed, or they ended before it.
    var unrecorded: [UnrecordedAttempt] = []
    /// The outputs changed while a job was running: its result is for the old ones.
    var isOutputChangePending = false
    /// The last initial token that was reported.
    var announced: [InitialToken] = []
    /// The last place that was tried because the configuration changed to it.
    @Rare var triedPlace: GrantBinding?
    var isRetryPending = false
    /// The error at the last reload, until the retry that the reload caused has ended.
    @Rare var errorBeforeReload: StoredError?
    /// The smallest warning threshold already reported, in days, and when the next one is reached.
    var warnedDays = Int.max
    var warnDueAt: Uptime?
    /// Count of ended renewals, for requests that wait for one. Sign-ins and imports do not count.
    package private(set) var renewalsEnded = 0
    /// How the last of them ended; `nil` before the first.
    package private(set) var lastRenewal: Renewal?
    private var isRenewing = false
    /// A client requested a renewal that has not started.
    private var isRenewalWished = false
    /// A client requested the running renewal.
    private var isWishUnderWay = false
    var isResaving = false
    /// How late the last renewal started.
    var lastLateness: Duration = .zero
    /// When the next try to write both slots is due; `nil` if both are up to date.
    var resaveDueAt: Uptime?
    /// All its tickets are larger, and those of a later life larger still.
    let firstTicket: UInt64
    private var lastTicket: UInt64

    /// - Parameters:
    ///   - configuration: The configuration of the credential.
    ///   - firstTicket: Larger than every ticket of an earlier credential of the same name.
    package init(_ configuration: CredentialConfiguration, firstTicket: UInt64 = 0) {
        self.configuration = configuration
        hooks = HookBook(configuration.hooks)
        (self.firstTicket, lastTicket) = (firstTicket, firstTicket)
    }

    /// The key under `credentials` of the configuration.
    package var name: String { configuration.name }

    var rules: LifecycleRules { configuration.profile.lifecycle }

    /// Above every ticket of the lives before it, which had lower numbers: their attempts and
    /// programs may end while this life runs.
    static func firstTicket(ofLife number: Int) -> UInt64 { UInt64(number) << bitsOfTickets }
    /// Four thousand million tickets suffice for a hundred years at one a second.
    private static let bitsOfTickets: UInt64 = 32

    /// Takes over a grant as it is stored.
    mutating func hold(_ stored: CredentialRecord) {
        grant = stored
        fingerprints = PackedFingerprints(takingFrom: &grant)
    }

    mutating func nextTicket() -> Ticket {
        let life = lastTicket >> Self.bitsOfTickets
        lastTicket += 1
        assert(lastTicket >> Self.bitsOfTickets == life, "a ticket belongs to the next life too")
        return Ticket(lastTicket)
    }

    /// The first action for a new credential.
    package mutating func start() -> [LifecycleAction] {
        recover(isAccepted: false)
    }

    private mutating func recover(isAccepted: Bool) -> [LifecycleAction] {
        let ticket = nextTicket()
        job = .recovering(ticket)
        return [.recover(ticket, isAccepted: isAccepted)]
    }

    /// Discards all state in memory; published files stay until they are replaced.
    private mutating func startAnew() -> [LifecycleAction] {
        hold(CredentialRecord())
        (quarantine, dueAt, publishDueAt) = (nil, nil, nil)
        (storageFailures, storageError, isRetryPending) = (0, nil, false)
        errorBeforeReload = nil
        return recover(isAccepted: true)
    }

    /// When this credential next needs `.woke`. Because the deadline is part of the state, it
    /// cannot leak, fire twice, or be cancelled too late.
    package var wakeAt: Uptime? {
        var deadlines: [Uptime] = []
        if job == .none {
            if let publishDueAt { deadlines.append(publishDueAt) }
            if !orders.isEmpty { deadlines.append(Uptime(.zero)) }
            if let dueAt { deadlines.append(dueAt) }
            if let resaveDueAt { deadlines.append(resaveDueAt) }
        }
        if let expiryAt { deadlines.append(expiryAt) }
        if let warnDueAt { deadlines.append(warnDueAt) }
        if let hooksDueAt { deadlines.append(hooksDueAt) }
        return deadlines.min()
    }

    /// When the published token expires, unless that has been handled.
    var expiryAt: Uptime? {
        guard let published, !published.hasExpired, !isReplacing else { return nil }
        return published.expiresAt
    }

    /// Whether a newer token is being written now.
    private var isReplacing: Bool {
        if case .publishing = job { published?.generation != grant.generation } else { false }
    }

    /// Whether `.woke` would start an attempt now, for the limit of concurrent requests.
    package func wantsAttempt(at now: Uptime) -> Bool {
        guard job == .none else { return false }
        if !orders.isEmpty || isDue(resaveDueAt, now) { return true }
        return isDue(dueAt, now)
    }

    private func isDue(_ at: Uptime?, _ now: Uptime) -> Bool { at.map { $0 <= now } ?? false }

    /// Whether the next attempt sends a request; adopting tokens does not.
    var sendsNext: Bool {
        if case .adopt? = orders.first { return false }
        return !orders.isEmpty || resaveDueAt == nil
    }

    /// Whether an attempt is under way.
    package var isAttempting: Bool {
        if case .attempting = job { true } else { false }
    }
    /// Whether the attempt with this ticket is under way.
    package func isAttempting(_ ticket: Ticket) -> Bool { job == .attempting(ticket) }
    /// Whether its slots are being read.
    package var isRecovering: Bool {
        if case .recovering = job { true } else { false }
    }
    /// Whether a job is under way: slots are read, an attempt is made, or files are written.
    package var isBusy: Bool { job != .none }

    /// - Parameters:
    ///   - event: What happened.
    ///   - now: The present time.
    ///   - mayAttempt: Whether the limit allows one more concurrent request.
    ///   - random: The source of all random choices.
    package mutating func handle(
        _ event: LifecycleEvent, now: Moment, mayAttempt: Bool, using random: inout RandomSource
    ) -> [LifecycleAction] {
        defer { warnDueAt = warningAt(now: now) }
        return step(event, now: now, mayAttempt: mayAttempt, using: &random)
    }

    private mutating func step(
        _ event: LifecycleEvent, now: Moment, mayAttempt: Bool, using random: inout RandomSource
    ) -> [LifecycleAction] {
        switch event {
        case .recovered(let ticket, let recovery):
            guard job == .recovering(ticket) else { return [] }
            job = .none
            return recovered(recovery, now: now, using: &random)
        case .woke: return woke(now: now, mayAttempt: mayAttempt)
        case .attemptEnded(let ticket, let report):
            guard job == .attempting(ticket) else { return [] }
            job = .none
            // A refused candidate does not fulfil a requested renewal: that is made with the stored
            // token next.
            let isMet = !(isWishUnderWay && report.hasCandidateFailed)
            if isRenewing, isMet {
                renewalsEnded += 1
                lastRenewal = Renewal(end: report.end, isOfCandidate: report.isOfCandidate)
            }
            if !isMet { isRenewalWished = true }
            let former = grant.setAsideToken
            let isAgain = isRetryPending
            var actions = attemptEnded(report, now: now, using: &random)
            if let left = grant.setAsideToken, left != former {
                actions.insert(.report(.tokenSetAside), at: 0)
            }
            // An attempt that was running at a reload is repeated with the new configuration.
            errorBeforeReload = isAgain && isDue(dueAt, now.uptime) ? standingError : nil
            // A requested renewal stays pending when a sign-in or import changes the schedule.
            if isRenewalWished { requestRefresh(now: now) }
            return actions
        case .published(let ticket, let report):
            guard job == .publishing(ticket) else { return [] }
            job = .none
            return publishEnded(report, now: now, using: &random)
        case .hookEnded(let ticket, let problem):
            return hookEnded(ticket, problem, now: now, using: &random)
        case .outputsAltered(let altered): return outputsAltered(altered, now: now)
        case .refreshRequested:
            requestRefresh(now: now)
            return []
        case .tokenWanted:
            wantToken(now: now)
            return []
        case .orderGiven(let order):
            orders.append(order)
            return []
        case .stateReplaced: return startAnew()
        case .initialTokenRead(let token): return initialTokenRead(token, now: now)
        case .placeRead(let place):
            placeRead(place, now: now)
            return []
        case .configured(let new): return configured(new, now: now)
        case .surveyed(let found):
            findings = found
            return []
        }
    }

    private mutating func woke(now: Moment, mayAttempt: Bool) -> [LifecycleAction] {
        var actions =
            noteExpiry(now: now.uptime) + warnOfRefreshTokenEnd(now: now)
            + runDueHooks(now: now.uptime)
        guard job == .none else { return actions }
        // An attempt first: outputs that cannot be written must not delay the renewal.
        guard wantsAttempt(at: now.uptime), mayAttempt else {
            guard let due = publishDueAt, due <= now.uptime else { return actions }
            publishDueAt = nil
            return actions + (grant.access.map { publish($0) } ?? [])
        }
        let order = nextOrder(now: now.uptime)
        let ticket = nextTicket()
        job = .attempting(ticket)
        (isRenewing, isResaving) = (false, order == .resave)
        if case .renew = order {
            lastLateness = overdue(now: now.uptime)
            (isRenewing, dueAt) = (true, nil)
            (isWishUnderWay, isRenewalWished) = (isRenewalWished, false)
        }
        actions.append(.attempt(ticket, order))
        return actions
    }

    private mutating func nextOrder(now: Uptime) -> AttemptOrder {
        if !orders.isEmpty { return orders.removeFirst() }
        return isDue(resaveDueAt, now) ? .resave : .renew(isManual: false)
    }

    mutating func publish(_ access: GrantedAccess) -> [LifecycleAction] {
        assert(job == .none, "a publication begins while another job is under way")
        let ticket = nextTicket()
        job = .publishing(ticket)
        return [.publish(ticket, access, generation: grant.generation)]
    }

    private mutating func noteExpiry(now: Uptime) -> [LifecycleAction] {
        guard var token = published, let end = expiryAt, end <= now else { return [] }
        token.hasExpired = true
        published = token
        return [.withdrawExpired, .report(.tokenExpired)]
    }

    private mutating func requestRefresh(now: Moment) {
        let floor = earliestAttempt(now: now)
        // A manual request overrides, once, the wait for a new sign-in or for repaired slots. It is
        // also kept while the slots are still being read.
        if grant.attempts.isLoginRequired || quarantine != nil || isRecovering {
            if !orders.contains(.renew(isManual: true)) { orders.append(.renew(isManual: true)) }
        } else if !(isAttempting && isRenewing) {
            isRenewalWished = true
            dueAt = min(dueAt ?? floor, floor)
        }
    }

    /// When a request for a longer token may cause a renewal; `nil` when it must not.
    private func wishedAt(now: Moment) -> Uptime? {
        guard grant.attempts.failures == 0, storageFailures == 0, quarantine == nil,
            !(isAttempting && isRenewing),
            let access = grant.access
        else { return nil }
        let earliest = earliestAttempt(now: now)
        if let window = rules.refreshWindow, let end = expiry(of: access, now: now) {
            return max(earliest, Uptime(end.sinceBoot - window))
        }
        return earliest
    }

    private mutating func wantToken(now: Moment) {
        guard let earliest = wishedAt(now: now) else { return }
        dueAt = min(dueAt ?? earliest, earliest)
    }

    /// Whether a renewal is running, or a request for a longer token may start one now.
    package func renewsOnWish(now: Moment) -> Bool {
        isAttempting && isRenewing || wishedAt(now: now).map { $0 <= now.uptime } ?? false
    }
}
