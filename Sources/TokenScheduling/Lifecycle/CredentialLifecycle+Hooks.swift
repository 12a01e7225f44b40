internal import TokenFormats
internal import TokenProviders
internal import TokenSlots

// The programs of `on_change` run in parallel with the credential's jobs, which never wait for
// them.
extension CredentialLifecycle {
    /// Programs that have not worked for the newest token.
    package var failingHooks: [HookFailure] { hooks.failures }

    /// When a failed program runs again.
    var hooksDueAt: Uptime? { hooks.wakeAt }

    /// Starts the programs for a new token, after its files are written.
    mutating func runHooks(for access: GrantedAccess) -> [LifecycleAction] {
        var book = hooks
        let runs = book.runAll { nextTicket() }
        hooks = book
        return runs.isEmpty ? [] : [.runHooks(runs, access)]
    }

    mutating func runDueHooks(now: Uptime) -> [LifecycleAction] {
        guard let due = hooks.wakeAt, due <= now else { return [] }
        var book = hooks
        let runs = book.runDue(now) { nextTicket() }
        hooks = book
        guard published != nil, let access = grant.access else { return [] }
        return [.runHooks(runs, access)]
    }

    mutating func hookEnded(
        _ ticket: Ticket, _ problem: String?, now: Moment, using random: inout RandomSource
    ) -> [LifecycleAction] {
        hooks.ended(ticket, problem, now: now, using: &random).map { [.report($0)] } ?? []
    }
}
