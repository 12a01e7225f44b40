package import TokenConfiguration
package import TokenFormats
package import TokenProviders
internal import TokenSlots

/// All credentials: routes events, limits concurrent requests, and knows the earliest deadline.
package struct CredentialSet: Sendable {
    /// An action with the name of its credential.
    package struct DueAction: Sendable, Equatable {
        /// The credential of the action.
        package var credential: String
        /// The action for the engine.
        package var action: LifecycleAction
    }

    private var lifecycles: [CredentialLifecycle?] = []
    /// Indices of removed credentials, for the next ones.
    private var free: [Int] = []
    /// How many credentials have begun, removed ones included. Each gets tickets of its own: an end
    /// that was ordered for a removed credential fits no later one of its name.
    private var begun = 0
    /// What the status line needs. Kept by difference: readiness is asked after every input.
    package private(set) var summary = CredentialSummary()
    private var indices: [String: Int] = [:]
    private var heap = DeadlineHeap()
    private var waiting = WaitingLine()
    private var inFlight = 0
    /// The provider of each credential with a running request.
    private var holders: [Int: String] = [:]
    private var heldBy: [String: Int] = [:]
    /// How many providers are configured.
    private var providers = 0
    /// How many credentials' slots are being read. No request is sent before all are known: two of
    /// them may hold one refresh token (I11).
    private var recovering = 0
    private(set) var windows: [String: RateWindow] = [:]
    private var random: RandomSource
    /// Maximum concurrent attempts (`max_in_flight`).
    package private(set) var maxInFlight: Int
    /// No new attempt starts.
    package private(set) var isStopping = false

    /// - Parameters:
    ///   - maxInFlight: The limit of concurrent requests.
    ///   - seed: Of all random choices: the same seed and events give the same orders.
    package init(maxInFlight: Int, seed: UInt64) {
        self.maxInFlight = maxInFlight
        random = RandomSource(seed: seed)
    }

    /// Of all configured credentials, sorted; kept so, because reports are read in this order.
    package private(set) var names: [String] = []
    /// `nil` for a name that is not configured.
    package subscript(_ name: String) -> CredentialLifecycle? {
        indices[name].flatMap { lifecycles[$0] }
    }
    /// In name order.
    package var all: [CredentialLifecycle] { names.compactMap { self[$0] } }

    /// `nil` when no deadline is set.
    package var wakeAt: Uptime? { heap.earliest?.at }

    /// Whether any request, save or write is in progress.
    package var isBusy: Bool { lifecycles.contains { $0?.isBusy ?? false } }

    /// Applies a configuration: new credentials start, changed ones receive an event, unchanged
    /// ones keep their schedule and their running request.
    ///
    /// - Returns: The actions to execute, and the removed credentials.
    package mutating func configure(
        _ configuration: Configuration, now: Moment
    ) -> (orders: [DueAction], removed: [CredentialConfiguration]) {
        limit(configuration, providers: Set(configuration.credentials.map(\.profile.name)).count)
        // By doubling, up to half of this memory would stay unused.
        lifecycles.reserveCapacity(configuration.credentials.count)
        let orders = configuration.credentials.flatMap { configure($0, now: now) }
        let kept = Set(configuration.credentials.map(\.name))
        return (orders, remove(names.filter { !kept.contains($0) }, now: now))
    }

    /// Applies the limits of a configuration.
    ///
    /// - Parameter providers: How many providers its credentials use.
    package mutating func limit(_ configuration: Configuration, providers: Int) {
        (maxInFlight, self.providers) = (configuration.maxInFlight, providers)
    }

    /// Applies the configuration of one credential, new or not.
    ///
    /// - Returns: The actions to execute.
    package mutating func configure(
        _ credential: CredentialConfiguration, now: Moment
    ) -> [DueAction] {
        if let index = indices[credential.name] {
            return handle(.configured(credential), index: index, now: now)
        }
        names.insert(credential.name, at: position(after: credential.name))
        return begin(credential)
    }

    /// Removes credentials that are no longer configured.
    @discardableResult
    package mutating func remove(_ gone: [String], now: Moment) -> [CredentialConfiguration] {
        for (group, window) in windows where window.isIdle(now.uptime) { windows[group] = nil }
        guard !gone.isEmpty else { return [] }
        let all = Set(gone)
        names.removeAll { all.contains($0) }
        return gone.compactMap { remove($0) }
    }

    /// Credentials for which a reload counts although their configuration is the same.
    package var troubled: [String] {
        summary.troubled.sorted().compactMap { lifecycles[$0]?.name }
    }

    /// Credentials whose stored refresh token belongs to a server and client.
    package var bound: [String] {
        summary.bound.sorted().compactMap { lifecycles[$0]?.name }
    }

    private mutating func begin(_ credential: CredentialConfiguration) -> [DueAction] {
        var lifecycle = CredentialLifecycle(
            credential, firstTicket: CredentialLifecycle.firstTicket(ofLife: begun))
        begun += 1
        let actions = lifecycle.start()
        if free.isEmpty {
            free.append(lifecycles.count)
            lifecycles.append(nil)
        }
        let index = free.removeLast()
        assert(lifecycles[index] == nil, "an index is given to two credentials")
        indices[credential.name] = index
        lifecycles[index] = lifecycle
        glance(at: index)
        recovering += 1
        return actions.map { DueAction(credential: credential.name, action: $0) }
    }

    /// A running attempt continues until it is durable; its report is ignored.
    private mutating func remove(_ name: String) -> CredentialConfiguration? {
        guard let index = indices.removeValue(forKey: name), let gone = lifecycles[index] else {
            return nil
        }
        if gone.isAttempting { leaveFlight(index) }
        if gone.isRecovering { recovering -= 1 }
        lifecycles[index] = nil
        glance(at: index)
        if let group = gone.configuration.rateLimitGroup { windows[group]?.release(index) }
        heap.set(index, to: nil)
        waiting.remove(index)
        free.append(index)
        return gone.configuration
    }

    /// Handles an event; a name that is no longer configured is not an error.
    ///
    /// - Returns: The resulting actions, including those of credentials that waited for the limit.
    package mutating func handle(
        _ event: LifecycleEvent, for name: String, now: Moment
    ) -> [DueAction] {
        guard let index = indices[name] else { return [] }
        return handle(event, index: index, now: now) + startWaiting(now: now)
    }

    /// Handles a deadline that its wake did not change, which is a bug.
    private static let pauseAgainstSpinning: Duration = .seconds(1)

    /// Wakes every credential that is due.
    package mutating func wake(now: Moment) -> [DueAction] {
        var orders: [DueAction] = []
        while let (index, deadline) = heap.earliest, deadline <= now.uptime {
            orders += handle(.woke, index: index, now: now)
            if let again = heap.earliest, again.id == index, again.at <= now.uptime {
                // A credential must not be due after its wake; if it is, this prevents a busy loop.
                assertionFailure("\(lifecycles[index]?.name ?? "") is still due after its wake")
                heap.set(index, to: now.uptime.advanced(by: Self.pauseAgainstSpinning))
            }
        }
        return orders + startWaiting(now: now)
    }

    /// The wall clock was stepped: token files are written again with corrected times.
    package mutating func noteClockStep(now: Moment) {
        // In the order in which they began: random choices do not depend on which index was free.
        for index in indices.values.sorted(by: { firstTicket(at: $0) < firstTicket(at: $1) }) {
            lifecycles[index]?.noteClockStep(now: now, using: &random)
            heap.set(index, to: lifecycles[index]?.wakeAt)
        }
    }

    private func firstTicket(at index: Int) -> UInt64 { lifecycles[index]?.firstTicket ?? 0 }

    /// A response could not be saved yet, and the attempt keeps trying.
    package mutating func noteUnsaved(_ name: String, _ cause: Cause, now: Moment) {
        guard let index = indices[name] else { return }
        lifecycles[index]?.noteStorageProblem(cause, now: now)
        glance(at: index)
    }

    /// The same, with its token published meanwhile because the published one is about to expire.
    package mutating func notePublishedUnsaved(
        _ name: String, _ access: GrantedAccess, now: Moment
    ) {
        guard let index = indices[name] else { return }
        lifecycles[index]?.notePublishedUnsaved(access, now: now)
        glance(at: index)
        heap.set(index, to: lifecycles[index]?.wakeAt)
    }

    /// Starts no more attempts; running ones continue to their end.
    package mutating func stop() { isStopping = true }

    private mutating func glance(at index: Int) {
        let lifecycle = lifecycles[index]
        summary.note(index, lifecycle?.state, nextAttemptAt: lifecycle?.nextAttemptAt)
        summary.note(
            index, isFailing: lifecycle.map { !$0.failingHooks.isEmpty } ?? false,
            isBound: lifecycle?.grant.boundTo != nil)
    }

    /// The state of a credential that the last event left it in; `nil` for an unknown name.
    func state(of name: String) -> CredentialState? {
        indices[name].flatMap { lifecycles[$0]?.state }
    }

    /// How many credentials are in a state.
    package func count(of state: CredentialState) -> Int { summary.count(of: state) }

    /// The credential whose next attempt comes first; of several the one that began first.
    package var nextAttempt: (name: String, at: Uptime)? {
        guard let next = summary.nextAttempt, let lifecycle = lifecycles[next.index] else {
            return nil
        }
        return (lifecycle.name, next.at)
    }

    /// The first names in a state, in order; none of those that are fresh or being refreshed.
    package func firstNames(of state: CredentialState, most: Int) -> [String] {
        var first: [String] = []
        for index in summary.indices(of: state) {
            guard let name = lifecycles[index]?.name else { continue }
            if first.count == most, let last = first.last, last < name { continue }
            let place = first.firstIndex { name < $0 } ?? first.count
            first.insert(name, at: place)
            if first.count > most { first.removeLast() }
        }
        return first
    }

    /// Whether start-up waits for none of them any longer.
    package var mayReportReadiness: Bool {
        CredentialState.allCases.allSatisfy { $0.mayReportReadiness || count(of: $0) == 0 }
    }

    private var hasRoom: Bool { inFlight < maxInFlight && recovering == 0 && !isStopping }

    /// A quarter of fewer would be less than four: too few for a provider with many credentials.
    private static let fewPlaces = 16

    /// With several providers, each one may use a quarter of the limit however slow its responses
    /// are, so that three slow providers leave room for others. Below sixteen places each provider
    /// leaves a quarter free instead.
    private func hasRoom(for provider: String) -> Bool {
        guard hasRoom else { return false }
        guard providers > 1 else { return true }
        let quarter = maxInFlight / 4
        let share = maxInFlight < Self.fewPlaces ? maxInFlight - quarter : quarter
        return heldBy[provider] ?? 0 < share
    }

    private mutating func enterFlight(_ index: Int, _ lifecycle: CredentialLifecycle) {
        let provider = lifecycle.configuration.profile.name
        inFlight += 1
        assert(holders[index] == nil, "an attempt is in flight twice")
        holders[index] = provider
        heldBy[provider, default: 0] += 1
        assert(inFlight == holders.count, "the attempts in flight are not those that hold a place")
    }

    private mutating func leaveFlight(_ index: Int) {
        inFlight -= 1
        guard let provider = holders.removeValue(forKey: index) else { return }
        heldBy[provider, default: 1] -= 1
        if heldBy[provider] == 0 { heldBy[provider] = nil }
        assert(inFlight == holders.count, "the attempts in flight are not those that hold a place")
        assert((heldBy[provider] ?? 1) > 0, "a provider gave back more places than it held")
    }

    private mutating func startWaiting(now: Moment) -> [DueAction] {
        var orders: [DueAction] = []
        while hasRoom, waiting.count > 0 {
            var line = waiting
            waiting = WaitingLine()
            let index = line.popFirst { hasRoom(for: $0) }
            waiting = line
            guard let index else { break }
            orders += handle(.woke, index: index, now: now)
        }
        return orders
    }

    private mutating func handle(
        _ event: LifecycleEvent, index: Int, now: Moment
    ) -> [DueAction] {
        guard var lifecycle = lifecycles[index] else { return [] }
        let (wasAttempting, wasRecovering) = (lifecycle.isAttempting, lifecycle.isRecovering)
        let hasRoom = self.hasRoom(for: lifecycle.configuration.profile.name)
        // Requests before a restart count too.
        if case .recovered(_, .grant(let grant)) = event {
            noteFormerLife(grant, lifecycle, index, now)
        }
        var freeAt = self.freeAt(lifecycle, index, now: now.uptime)
        let mayAttempt = hasRoom && freeAt <= now.uptime
        let actions = lifecycle.handle(event, now: now, mayAttempt: mayAttempt, using: &random)
        recovering += (lifecycle.isRecovering ? 1 : 0) - (wasRecovering ? 1 : 0)
        assert(recovering >= 0, "more recoveries ended than began")
        assert(
            wasAttempting || !lifecycle.isAttempting || mayAttempt,
            "an attempt begins without room for it")
        if wasAttempting, !lifecycle.isAttempting { leaveFlight(index) }
        if !wasAttempting, lifecycle.isAttempting {
            enterFlight(index, lifecycle)
            noteAttempt(actions, lifecycle, index, now: now.uptime)
        }
        let provider = lifecycle.configuration.profile.name
        if case .configured = event {
            leaveGroup(of: lifecycles[index], for: lifecycle, index)
            waiting.update(index, provider: provider)
        }
        lifecycles[index] = lifecycle
        glance(at: index)
        freeAt = self.freeAt(lifecycle, index, now: now.uptime)
        let isHeldBack =
            lifecycle.wantsAttempt(at: now.uptime) && !(hasRoom && freeAt <= now.uptime)
        if isHeldBack, !hasRoom { waiting.add(index, provider: provider) }
        // A credential that waits for the limit is woken when a request ends, one that waits for a
        // rate limit at its reserved time; either is also woken when its token expires.
        let held = [
            hasRoom ? freeAt : nil, lifecycle.expiryAt, lifecycle.publishDueAt,
            lifecycle.hooksDueAt,
        ].compactMap { $0 }.min()
        heap.set(index, to: isHeldBack ? held : lifecycle.wakeAt)
        return actions.map { DueAction(credential: lifecycle.name, action: $0) }
    }

    /// When the rate limit allows a request of this credential, if it wants to send one.
    private mutating func freeAt(
        _ lifecycle: CredentialLifecycle, _ index: Int, now: Uptime
    ) -> Uptime {
        guard let limit = lifecycle.rules.rateLimit,
            let group = lifecycle.configuration.rateLimitGroup
        else { return now }
        guard lifecycle.wantsAttempt(at: now), lifecycle.sendsNext else {
            windows[group]?.release(index)
            return now
        }
        windows[group, default: RateWindow(limit)].apply(limit)
        return windows[group]?.freeAt(now, for: index) ?? now
    }

    /// A reservation in a group that a credential no longer belongs to would keep a place for ever.
    private mutating func leaveGroup(
        of former: CredentialLifecycle?, for new: CredentialLifecycle, _ index: Int
    ) {
        guard let group = former?.configuration.rateLimitGroup,
            group != new.configuration.rateLimitGroup
        else { return }
        windows[group]?.release(index)
    }

    private mutating func noteAttempt(
        _ actions: [LifecycleAction], _ lifecycle: CredentialLifecycle, _ index: Int, now: Uptime
    ) {
        for case .attempt(_, let order) in actions {
            guard order.sends else { continue }
            note(now, by: lifecycle, index)
        }
    }

    /// Takes a place in the rate limit for one request that is not a renewal.
    ///
    /// - Returns: Whether a place was free.
    package mutating func takePlace(of name: String, now: Uptime) -> Bool {
        guard let index = indices[name], let lifecycle = lifecycles[index] else { return false }
        guard let limit = lifecycle.rules.rateLimit,
            let group = lifecycle.configuration.rateLimitGroup
        else { return true }
        windows[group, default: RateWindow(limit)].apply(limit)
        guard windows[group]?.hasPlace(now) ?? true else { return false }
        windows[group]?.take(now)
        return true
    }

    private mutating func noteFormerLife(
        _ grant: CredentialRecord, _ lifecycle: CredentialLifecycle, _ index: Int, _ now: Moment
    ) {
        guard let limit = lifecycle.rules.rateLimit, let last = grant.attempts.lastAttemptAt,
            let elapsed = now.elapsed(since: last), elapsed < limit.period
        else { return }
        note(Uptime(now.uptime.sinceBoot - elapsed), by: lifecycle, index)
    }

    /// Counts one exchange, with all its requests, in the window of its group.
    private mutating func note(_ at: Uptime, by lifecycle: CredentialLifecycle, _ index: Int) {
        guard let limit = lifecycle.rules.rateLimit,
            let group = lifecycle.configuration.rateLimitGroup
        else { return }
        windows[group, default: RateWindow(limit)].note(
            at, by: index, requests: lifecycle.configuration.profile.refresh.count)
    }
}
