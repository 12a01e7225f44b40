internal import TokenConfiguration
internal import TokenProviders

/// A new configuration with what it changes: both are compared before the loop takes it over.
package struct ConfigurationUpdate: Sendable {
    let new: Configuration
    let changes: ConfigurationChanges
    /// Credentials that are new or differ, in name order.
    let touched: [CredentialConfiguration]
    /// Token files that are no longer configured, by the credential that wrote them.
    let abandoned: [(credential: String, outputs: [OutputSpecification])]
    /// The providers in use.
    let providers: Set<String>

    /// Compares a configuration with the one in force; at 100 000 credentials this takes too long
    /// for the loop.
    init(from old: Configuration, to new: Configuration) {
        self.new = new
        changes = ConfigurationChanges(from: old, to: new)
        let names = Set(changes.added + changes.changed.map(\.name))
        touched = new.credentials.filter { names.contains($0.name) }
        // A file of an unchanged credential belongs to it in both.
        let kept = Set(touched.flatMap { $0.outputs.map(\.path) })
        let gone = names.union(changes.removed)
        abandoned = old.credentials.filter { gone.contains($0.name) }.compactMap { credential in
            let outputs = credential.outputs.filter { !kept.contains($0.path) }
            return outputs.isEmpty ? nil : (credential.name, outputs)
        }
        providers = Set(new.credentials.map(\.profile.name))
    }
}

/// A configuration that is being applied, a few credentials in each step of the loop.
struct ConfigurationProgress {
    /// How many credentials one step configures.
    static let most = 64

    let update: ConfigurationUpdate
    /// Unchanged credentials with a problem that their files or programs may have had.
    let troubled: [String]
    private var position = 0

    init(_ update: ConfigurationUpdate, troubled: [String]) {
        let touched = Set(update.touched.map(\.name))
        self.update = update
        self.troubled = troubled.filter { !touched.contains($0) }
    }

    var isComplete: Bool { position >= update.touched.count + troubled.count }

    /// The next credentials to configure: changed ones, or names of unchanged ones.
    mutating func next() -> (
        touched: ArraySlice<CredentialConfiguration>, names: ArraySlice<String>
    ) {
        let count = update.touched.count
        let end = position + Self.most
        defer { position = end }
        return (
            update.touched[min(position, count)..<min(end, count)],
            troubled[max(0, position - count)..<max(0, min(end - count, troubled.count))]
        )
    }
}
