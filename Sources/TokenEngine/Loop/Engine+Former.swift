internal import TokenConfiguration
internal import TokenScheduling
internal import TokenSlots

extension Engine {
    /// Loads the spent tokens of credentials that are no longer configured or have been renamed,
    /// and of erased states.
    func loadSpentTokens(_ configuration: Configuration, _ owners: RefreshTokenOwners) async {
        let configured = Set(configuration.credentials.map(\.name))
        for name in (try? await world.store.names()) ?? [] where !configured.contains(name) {
            guard let grant = (try? await world.store.evidence(of: name))?.latest?.grant
            else { continue }
            owners.learn(grant, of: name, at: nil)
        }
        for (name, traces) in (try? await world.store.spentTraces()) ?? [:] {
            owners.learn(traces, of: name)
        }
    }
}

extension StateRecovery {
    var grant: CredentialRecord? {
        switch self {
        case .grant(let grant), .foreign(let grant, _, _): grant
        case .unreadable, .unavailable: nil
        }
    }
}
