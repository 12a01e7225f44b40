internal import TokenCore

extension EngineLoop {
    /// Checks the new configuration as a whole; with any mistake the running one stays.
    mutating func reload(_ group: inout DiscardingTaskGroup) {
        guard !fleet.isStopping else { return }
        look.want()
        world.supervisor.reloading()
        defer {
            // READY=1 ends a reload (sd_notify(3)); before the first READY there is nothing to end.
            if isReady { world.supervisor.ready(status: fleet.statusLine(now: now)) }
        }
        switch world.loadConfiguration() {
        case .failure(let found):
            refusal = found.sorted
            mistakes = refusal.map(\.description)
            for mistake in mistakes {
                world.journal.write(
                    JournalEntry(
                        .error, "The new configuration has a mistake; the old one stays",
                        fields: [HeaderField("MISTAKE", mistake)],
                        messageID: MessageID.configurationRefused))
            }
        case .success(let new):
            (refusal, mistakes) = ([], [])
            let old = configuration
            configuration = new
            noteConfigured()
            let problems = world.applied(new)
            let busy = Set(fleet.all.filter(\.isAttempting).map(\.name))
            let (orders, removed) = fleet.configure(new, now: now)
            releaseTokens(of: removed.map(\.name), busy: busy, &group)
            perform(orders, &group)
            lookAtInitialTokens(&group, isReload: true)
            survey(.everything, &group)
            withdrawAbandonedOutputs(of: old, &group)
            answerOrders(ofRemoved: removed.map(\.name))
            lastReload = ConfigurationChanges(from: old, to: new)
            lastReload.problems = problems
            needingRestart = ConfigurationChanges.placesDiffering(startedWith, new)
            world.journal.write(
                JournalEntry(.info, "Configuration reloaded", fields: lastReload.fields))
        }
    }

    /// A removed credential keeps its state and loses its outputs; so does an output that is no
    /// longer configured.
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

    /// Another credential may use what a removed one held: at once, or when its running attempt has
    /// ended.
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
