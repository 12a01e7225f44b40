public import TokenCore

/// Sign-ins and imports while no daemon runs: the same attempts on the same slots, which whoever
/// calls this holds the lock of. The daemon finds the tokens when it starts.
public struct LoneAttempts: Sendable {
    private let configuration: Configuration
    private let runner: AttemptRunner

    /// - Parameter onUnsaved: Told while an answer waits for a disk that does not take it.
    public init(
        world: World, configuration: Configuration, onUnsaved: @escaping @Sendable (String) -> Void
    ) async {
        let owners = RefreshTokenOwners()
        let known = Dictionary(
            uniqueKeysWithValues: configuration.credentials.map { ($0.name, $0) })
        for name in (try? await world.slots.names()) ?? [] {
            guard let winner = (try? await world.slots.read(name))?.winner else { continue }
            // Whose tokens these are, and what was spent (I11).
            let profile = known[name]?.profile
            let grant = profile.map { winner.contents.grant(profile: $0) }
            owners.learn(grant ?? winner.contents.record.grant, of: name, at: profile)
        }
        self.configuration = configuration
        runner = AttemptRunner(
            world: world, gates: CredentialGates(), owners: owners, distrusted: DistrustedSlots(),
            onUnsaved: { name, problem, _ in onUnsaved("\(name): \(problem)") })
    }

    public func answer(_ request: ControlRequest) async -> ControlReply {
        switch request {
        case .signIn(let name, let wish):
            guard let credential = credential(name) else { return unknown(name) }
            return await runner.signIn(credential, wish)
        case .order(let name, let order):
            guard let credential = credential(name) else { return unknown(name) }
            if let refusal = order.obstacle(for: credential) { return refusal }
            let fence = Fence(grant: StoredGrant())
            return .ended(await runner.run(order, credential, fence: fence).end, name)
        case .status, .credential, .token, .refresh, .accept, .forget, .reload, .health, .metrics:
            return .problem(503, "this needs the daemon", remedy: "Start it")
        }
    }

    private func credential(_ name: String) -> CredentialConfiguration? {
        configuration.credentials.first { $0.name == name }
    }

    private func unknown(_ name: String) -> ControlReply {
        .noCredential(name, among: configuration.credentials.map(\.name))
    }
}

extension ControlReply {
    static func noCredential(_ name: String, among names: [String]) -> ControlReply {
        .problem(
            404, "there is no credential \"\(name)\"",
            remedy: names.isEmpty
                ? "None is configured" : "There is \(names.joined(separator: ", "))")
    }
}
