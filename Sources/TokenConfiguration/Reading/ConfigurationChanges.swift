internal import TokenFormats
package import TokenProviders

/// What a reload changes, for the client that requested it.
package struct ConfigurationChanges: Sendable, Equatable {
    /// Credential names.
    package var added: [String] = []
    package var removed: [String] = []
    /// Credential names with the keys that differ.
    package var changed: [(name: String, keys: [String])] = []
    /// Global keys that differ and now apply.
    package var settings: [String] = []
    /// Global keys that differ and take effect at the next start: the directories.
    package var needingRestart: [String] = []
    /// Settings that could not be applied: sockets that cannot be opened.
    package var problems: [String] = []
    /// Settings that apply and cannot work, or have no effect.
    package var warnings: [String] = []

    package init() {}

    package init(from old: Configuration, to new: Configuration) {
        let before = Dictionary(uniqueKeysWithValues: old.credentials.map { ($0.name, $0) })
        let after = Dictionary(uniqueKeysWithValues: new.credentials.map { ($0.name, $0) })
        added = after.keys.filter { before[$0] == nil }.sorted()
        removed = before.keys.filter { after[$0] == nil }.sorted()
        changed = new.credentials.compactMap { credential in
            guard let former = before[credential.name], former != credential else { return nil }
            return (credential.name, credential.keys(differingFrom: former))
        }
        let differing = { (pairs: [(String, Bool)]) in pairs.filter { !$0.1 }.map(\.0) }
        settings = differing([
            ("control_socket", old.controlSocket == new.controlSocket),
            ("credential_socket", old.credentialSocket == new.credentialSocket),
            ("control", old.control == new.control),
            ("metrics", old.metricsListen == new.metricsListen),
            ("ready_timeout", old.readyTimeout == new.readyTimeout),
            ("max_in_flight", old.maxInFlight == new.maxInFlight),
            ("log_level", old.logLevel == new.logLevel),
        ])
        needingRestart = Self.placesDiffering(old, new)
    }

    /// Directories cannot change at a reload: the daemon's unit names the same ones.
    package static func placesDiffering(_ old: Configuration, _ new: Configuration) -> [String] {
        [
            ("token_dir", old.tokenDirectory == new.tokenDirectory),
            ("state_dir", old.stateDirectory == new.stateDirectory),
            ("slot_size", old.slotSize == new.slotSize),
            ("allow_unsafe_state", old.allowUnsafeState == new.allowUnsafeState),
        ].filter { !$0.1 }.map(\.0)
    }

    package static func == (left: Self, right: Self) -> Bool {
        (left.added, left.removed, left.settings) == (right.added, right.removed, right.settings)
            && left.changed.elementsEqual(right.changed) { $0 == $1 }
            && (left.needingRestart, left.problems, left.warnings)
                == (right.needingRestart, right.problems, right.warnings)
    }

    /// For the journal: field names without their prefix.
    package var fields: [HeaderField] {
        [
            ("ADDED", added), ("REMOVED", removed), ("CHANGED", changed.map(\.name)),
            ("SETTINGS", settings), ("NEEDS_RESTART", needingRestart),
        ].map { HeaderField($0.0, $0.1.joined(separator: " ")) }
    }
}

extension CredentialConfiguration {
    /// Keys as the configuration spells them; a default counts for each credential that it applies
    /// to.
    func keys(differingFrom old: CredentialConfiguration) -> [String] {
        [
            ("provider", profile == old.profile), ("client_id", clientID == old.clientID),
            ("client_secret", clientSecret == old.clientSecret),
            ("refresh_token", refreshToken == old.refreshToken), ("scope", scope == old.scope),
            ("variables", variables == old.variables), ("refresh", refresh == old.refresh),
            ("outputs", outputs == old.outputs), ("units", units == old.units),
            ("on_change", hooks == old.hooks),
            ("ca_file", caFile == old.caFile),
            (
                "proxy",
                proxy.own == old.proxy.own && proxy.standard == old.proxy.standard
            ),
            ("no_proxy", proxy.exceptions == old.proxy.exceptions),
        ].filter { !$0.1 }.map(\.0)
    }
}
