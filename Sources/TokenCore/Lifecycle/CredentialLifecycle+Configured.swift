// What a reload changes for one credential.
extension CredentialLifecycle {
    /// A changed configuration is tried at once where the old one was at fault; otherwise the
    /// schedule stands, except for outputs, which are written anew.
    mutating func configured(
        _ new: CredentialConfiguration, now: Moment
    ) -> [LifecycleAction] {
        hooks.configure(new.hooks, now: now.uptime)
        guard new != configuration else {
            // What its secrets read from may have been mended although nothing is spelled anew.
            let history = grant.attempts
            let isStuck =
                history.lastError?.failureClass == .config || history.isLoginRequired
                || quarantine != nil
            if isStuck, !isAttempting {
                dueAt = now.uptime
                if !history.isLoginRequired { noteReloaded() }
            }
            return []
        }
        let outputsChanged =
            new.outputs != configuration.outputs || new.hooks != configuration.hooks
        var sameOutputs = new
        (sameOutputs.outputs, sameOutputs.hooks) = (configuration.outputs, configuration.hooks)
        sameOutputs.units = configuration.units
        let requestChanged = sameOutputs != configuration
        let isElsewhere =
            new.profile != configuration.profile || new.clientID != configuration.clientID
        configuration = new
        if outputsChanged, grant.access != nil, published?.isDead != true {
            publishDueAt = now.uptime
            isOutputChangePending = job != .none
        }
        let isHealthy =
            grant.attempts.failures == 0 && storageFailures == 0 && grant.access != nil
        // A new place for the token is no reason to ask again, least of all with a refresh token
        // that may be spent.
        guard requestChanged else { return [] }
        if isAttempting {
            isRetryPending = true
        } else if !isHealthy, quarantine == nil {
            dueAt = now.uptime
            noteReloaded()
        } else if isElsewhere, quarantine == nil {
            // Whether the new provider, URL or client takes the refresh token is worth knowing
            // while the present token lives.
            let floor = earliestAttempt(now: now)
            dueAt = min(dueAt ?? floor, floor)
        }
        return []
    }

    /// What stands now is of the old configuration; the new one is tried at once.
    private mutating func noteReloaded() { errorBeforeReload = standingError }

    /// The problem that is told is older than the last reload, which has it tried again.
    public var isErrorBeforeReload: Bool {
        errorBeforeReload != nil && errorBeforeReload == standingError
    }
}
