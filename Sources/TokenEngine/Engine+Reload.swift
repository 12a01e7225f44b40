internal import TokenCore

extension EngineLoop {
    /// Checks the new configuration whole; with any mistake the running one stays.
    mutating func reload(_ group: inout DiscardingTaskGroup) {
        guard !fleet.isStopping else { return }
        world.supervisor.reloading()
        defer {
            // READY=1 ends a reload (sd_notify(3)); before the first READY there is nothing to end.
            if isReady { world.supervisor.ready(status: fleet.statusLine(now: now)) }
        }
        switch world.loadConfiguration() {
        case .failure(let found):
            mistakes = found.all.map(\.description)
            for mistake in mistakes {
                world.journal.write(
                    JournalEntry(
                        .error, "The new configuration has a mistake; the old one stays",
                        fields: [HeaderField("MISTAKE", mistake)],
                        messageID: MessageID.configurationRefused))
            }
        case .success(let new):
            mistakes = []
            let old = configuration
            configuration = new
            world.applied(new)
            let busy = Set(fleet.all.filter(\.isAttempting).map(\.name))
            let (orders, removed) = fleet.configure(new, now: now)
            releaseTokens(of: removed.map(\.name), busy: busy, &group)
            perform(orders, &group)
            withdrawAbandonedOutputs(of: old, &group)
            answerOrders(ofRemoved: removed.map(\.name))
            lastReload = changes(old, new)
            world.journal.write(
                JournalEntry(
                    .info, "Configuration reloaded",
                    fields: lastReload.map {
                        HeaderField($0.0.uppercased(), $0.1.joined(separator: " "))
                    }))
        }
    }

    /// Names of the credentials that are `added`, `removed` and `changed`.
    private func changes(_ old: Configuration, _ new: Configuration) -> [(String, [String])] {
        let before = Dictionary(uniqueKeysWithValues: old.credentials.map { ($0.name, $0) })
        let after = Dictionary(uniqueKeysWithValues: new.credentials.map { ($0.name, $0) })
        return [
            ("added", after.keys.filter { before[$0] == nil }.sorted()),
            ("removed", before.keys.filter { after[$0] == nil }.sorted()),
            (
                "changed",
                after.keys.filter { name in before[name] != nil && before[name] != after[name] }
                    .sorted()
            ),
        ]
    }

    /// A credential that is gone keeps its state and loses its outputs; so does an output that is
    /// no longer configured.
    private func withdrawAbandonedOutputs(
        of old: Configuration, _ group: inout DiscardingTaskGroup
    ) {
        let kept = Set(configuration.credentials.flatMap { $0.outputs.map(\.path) })
        for credential in old.credentials {
            let abandoned = credential.outputs.filter { !kept.contains($0.path) }
            guard !abandoned.isEmpty else { continue }
            group.addTask { [world] in
                await world.outputs.remove(abandoned, of: credential.name)
            }
        }
    }

    /// What a removed credential held may now be another's: at once, or when an attempt that is
    /// under way has ended.
    private func releaseTokens(
        of removed: [String], busy: Set<String>, _ group: inout DiscardingTaskGroup
    ) {
        for name in removed {
            guard busy.contains(name) else {
                runner.owners.release(name)
                continue
            }
            group.addTask { [runner] in
                await runner.gates.enter(name)
                runner.owners.release(name)
                await runner.gates.leave(name)
            }
        }
    }

    private mutating func answerOrders(ofRemoved names: [String]) {
        for name in names {
            for reply in orderReplies.removeValue(forKey: name) ?? [] {
                reply(.problem(404, "\(name) was removed from the configuration"))
            }
        }
    }
}
