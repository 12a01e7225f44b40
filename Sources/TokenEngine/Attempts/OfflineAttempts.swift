package import TokenConfiguration
package import TokenControl
internal import TokenFormats
internal import TokenSlots

/// Sign-ins, imports and erasures without a daemon: the same attempts on the same slots, whose lock
/// the caller holds. The daemon finds the tokens when it starts.
package struct OfflineAttempts: Sendable {
    private let configuration: Configuration
    private let runner: AttemptRunner
    private let onUnsaved: @Sendable (String) -> Void

    /// - Parameters:
    ///   - world: The ports; the lock of the state directory is held.
    ///   - configuration: The configuration in force.
    ///   - onUnsaved: Called while a response waits for a disk that does not take it.
    package init(
        world: AttemptPorts, configuration: Configuration,
        onUnsaved: @escaping @Sendable (String) -> Void
    ) async {
        let owners = RefreshTokenOwners()
        let known = Dictionary(
            uniqueKeysWithValues: configuration.credentials.map { ($0.name, $0) })
        for name in (try? await world.store.names()) ?? [] {
            guard let evidence = try? await world.store.evidence(of: name) else { continue }
            // Which credential holds which token, and which tokens are spent (I11).
            let profile = known[name]?.profile
            let grant = profile.flatMap { evidence.grant(profile: $0) } ?? evidence.latest?.grant
            if let grant { owners.learn(grant, of: name, at: profile) }
        }
        for (name, traces) in (try? await world.store.spentTraces()) ?? [:] {
            owners.learn(traces, of: name)
        }
        (self.configuration, self.onUnsaved) = (configuration, onUnsaved)
        runner = AttemptRunner(
            world: world, gates: CredentialGates(), owners: owners)
    }

    /// Executes one request, as the daemon would.
    ///
    /// - Returns: Status 503 for requests that only a running daemon can answer, 404 for a
    ///   credential that the configuration does not have.
    package func answer(_ request: ControlRequest) async -> ControlReply {
        switch request {
        case .signIn(let name, let wish):
            guard let credential = credential(name) else { return unknown(name) }
            return await runner.signIn(credential, wish)
        case .order(let name, let given):
            guard let credential = credential(name) else { return unknown(name) }
            let order = given.attempt
            if let refusal = order.obstacle(for: credential) { return refusal }
            let report = await runner.run(
                order, credential, memory: LastKnown(grant: CredentialRecord())
            ) { [onUnsaved] problem, _ in onUnsaved("\(name): \(problem)") }
            return .ended(report.end, name)
        case .stored(let name):
            return await answer(name) { () throws(StorageFailure) in
                try await runner.survey(name, profile: credential(name)?.profile, memory: nil)
            }
        case .forget(let name, let allTraces):
            return await answer(name) { () throws(StorageFailure) in
                try await runner.forget(
                    name, profile: credential(name)?.profile, memory: nil, allTraces: allTraces)
            }
        case .status, .credential, .token, .refresh, .accept, .reload, .check, .health,
            .liveness, .metrics:
            return .problem(503, "this needs the daemon", remedy: "Start it")
        }
    }

    private func answer(
        _ name: String, _ body: () async throws(StorageFailure) -> StoredSurvey
    ) async -> ControlReply {
        do throws(StorageFailure) {
            let isConfigured = credential(name) != nil
            let report = try await body().report(name, isConfigured: isConfigured, state: nil)
            return ControlReply(200, .stored(report))
        } catch { return .storage(error, of: name) }
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
        .problem(404, UnmatchedName(pattern: name, names: names).problem)
    }
}
