internal import TokenConfiguration
internal import TokenFormats
internal import TokenProviders
internal import TokenSlots

// What a reload changes for one credential.
extension CredentialLifecycle {
    /// A changed configuration is tried at once if the old one caused a failure; otherwise the
    /// schedule stays, except that changed outputs are written again.
    mutating func configured(
        _ new: CredentialConfiguration, now: Moment
    ) -> [LifecycleAction] {
        hooks.configure(new.hooks, now: now.uptime)
        guard new != configuration else {
            // The sources of its secrets may have been corrected although the configuration is the
            // same.
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
        let isSetAside =
            new.profile != configuration.profile || new.clientID != configuration.clientID
        configuration = new
        if outputsChanged, grant.access != nil, published?.hasExpired != true {
            publishDueAt = now.uptime
            isOutputChangePending = job != .none
        }
        let isHealthy =
            grant.attempts.failures == 0 && storageFailures == 0 && grant.access != nil
        // A changed output is no reason for a request, least of all with a refresh token that may
        // be spent.
        guard requestChanged else { return [] }
        if isAttempting {
            isRetryPending = true
        } else if !isHealthy, quarantine == nil {
            dueAt = now.uptime
            noteReloaded()
        } else if isSetAside, quarantine == nil {
            // Find out while the present token is valid whether the new provider, URL or client
            // accepts the refresh token.
            let floor = earliestAttempt(now: now)
            dueAt = min(dueAt ?? floor, floor)
        }
        return []
    }

    /// Marks the present error as one of the old configuration; the new one is tried at once.
    private mutating func noteReloaded() { errorBeforeReload = standingError }

    /// Whether the present error is older than the last reload, and its retry is pending.
    package var isErrorBeforeReload: Bool {
        errorBeforeReload != nil && errorBeforeReload == standingError
    }
}
