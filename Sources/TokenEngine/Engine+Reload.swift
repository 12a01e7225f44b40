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
            let (orders, removed) = fleet.configure(new, now: now)
            perform(orders, &group)
            withdrawAbandonedOutputs(of: old, &group)
            answerOrders(ofRemoved: removed.map(\.name))
            world.journal.write(
                JournalEntry(
                    .info, "Configuration reloaded", fields: reloadFields(old, new)))
        }
    }

    private func reloadFields(_ old: Configuration, _ new: Configuration) -> [HeaderField] {
        let before = Dictionary(uniqueKeysWithValues: old.credentials.map { ($0.name, $0) })
        let after = Dictionary(uniqueKeysWithValues: new.credentials.map { ($0.name, $0) })
        func list(_ names: [String]) -> String { names.sorted().joined(separator: " ") }
        return [
            HeaderField("ADDED", list(after.keys.filter { before[$0] == nil })),
            HeaderField("REMOVED", list(before.keys.filter { after[$0] == nil })),
            HeaderField(
                "CHANGED", list(after.keys.filter { before[$0] != nil && before[$0] != after[$0] })),
        ]
    }

    /// A credential that is gone keeps its state and loses its outputs; so does an output that is
    /// no longer configured.
    private func withdrawAbandonedOutputs(
        of old: Configuration, _ group: inout DiscardingTaskGroup
    ) {
        let kept = Set(configuration.credentials.flatMap { $0.outputs.map(\.path) })
        let abandoned = old.credentials.flatMap(\.outputs).filter { !kept.contains($0.path) }
        guard !abandoned.isEmpty else { return }
        group.addTask { [world] in await world.outputs.remove(abandoned) }
    }

    private mutating func answerOrders(ofRemoved names: [String]) {
        for name in names {
            for reply in orderReplies.removeValue(forKey: name) ?? [] {
                reply(.problem(404, "\(name) was removed from the configuration"))
            }
        }
    }
}
