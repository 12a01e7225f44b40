internal import TokenFormats
internal import TokenProviders

// Findings of the configuration's own providers. A provider that a credential uses is checked
// together with that credential, whose variables it may need.
extension ConfigurationReading {
    /// - Parameter others: The providers that credentials use which are not read.
    func findings(
        of profiles: ProfileCatalogue, alsoUsed others: Set<String>
    ) -> [CheckFinding] {
        let used = others.union(credentials.compactMap { $0.field.node["provider"]?.text })
        return providers.sorted { $0.key < $1.key }.flatMap { name, source in
            guard let profile = profiles.profile(named: name, usedBy: source.field) else {
                return [CheckFinding]()
            }
            let problems = used.contains(name) ? [] : profile.urlProblems(with: [:])
            return problems.map { problem in
                let cause = CheckCause.unusedProvider(
                    problem: "the token URL \(problem.problem)", remedy: problem.remedy)
                return CheckFinding(key: "providers." + name, cause: cause)
            } + unreadVariables(of: profile, source.node)
        }
    }

    /// Variables that the provider declares and does not use, unless another provider extends it.
    private func unreadVariables(of profile: ProviderProfile, _ node: JSONNode) -> [CheckFinding] {
        let isExtended = providers.contains { name, source in
            name != profile.name && source.node["extends"]?.text == profile.name
        }
        guard !isExtended else { return [] }
        let named = profile.namedVariables
        return (node["variables"]?.members ?? []).map(\.key).filter { name in
            profile.variables[name] != nil && !named.contains(name)
                && ContextVariable(rawValue: name) == nil
        }.map { name in
            CheckFinding(
                key: "providers.\(profile.name).variables.\(name)",
                cause: .unread(provider: profile.name))
        }
    }
}
