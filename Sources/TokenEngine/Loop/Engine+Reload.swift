internal import TokenConfiguration
internal import TokenControl
internal import TokenFormats
internal import TokenProviders
internal import TokenScheduling

/// Reloads one after the other: a file that was changed while the former reload read it is read
/// again.
struct ReloadQueue {
    typealias Reply = @Sendable (ControlReply) -> Void
    private var isUnderWay = false
    private var isWantedAgain = false
    /// Requests from before the read began, and those that came since.
    private var replies: [Reply] = []
    private var laterReplies: [Reply] = []

    /// - Returns: Whether a read begins now.
    mutating func begin(_ reply: Reply?) -> Bool {
        guard !isUnderWay else {
            isWantedAgain = true
            if let reply { laterReplies.append(reply) }
            return false
        }
        isUnderWay = true
        if let reply { replies.append(reply) }
        return true
    }

    /// - Returns: The requests to reply to, and whether another read begins now.
    mutating func end() -> (replies: [Reply], beginsAgain: Bool) {
        let answered = replies
        (isUnderWay, replies, laterReplies) = (isWantedAgain, laterReplies, [])
        isWantedAgain = false
        return (answered, isUnderWay)
    }

    /// No more reloads end.
    mutating func stop() -> [Reply] {
        let all = replies + laterReplies
        (replies, laterReplies, isWantedAgain) = ([], [], false)
        return all
    }
}

extension EngineLoop {
    /// Reads the files off the loop: a configuration on a file server that does not respond delays
    /// only its reload.
    mutating func beginReload(_ reply: ReloadQueue.Reply?) {
        guard !credentials.isStopping else {
            reply?(.stopping)
            return
        }
        if reloads.begin(reply) { load() }
    }

    private func load() {
        world.supervisor.reloading()
        let inbox = engine.inbox
        world.loadConfiguration { inbox.yield(.configurationLoaded($0)) }
    }

    mutating func endReload(
        _ result: Result<Configuration, ConfigurationMistakes>,
        _ group: inout DiscardingTaskGroup
    ) {
        guard !credentials.isStopping else { return }
        look.want()
        switch result {
        case .failure(let found): refuse(found)
        case .success(let new): apply(new, &group)
        }
        let (replies, beginsAgain) = reloads.end()
        for reply in replies { answerReload(reply) }
        if beginsAgain {
            load()
        } else if isReady {
            // READY=1 ends a reload (sd_notify(3)); before the first READY there is nothing to end.
            world.supervisor.ready(status: credentials.statusLine(now: now))
        }
    }

    /// With any mistake the running configuration stays completely.
    private mutating func refuse(_ found: ConfigurationMistakes) {
        refusal = found.sorted
        mistakes = refusal.map(\.description)
        for mistake in mistakes {
            world.journal.write(
                JournalEntry(
                    .error, "The new configuration has a mistake; the old one stays",
                    fields: [HeaderField("MISTAKE", mistake)],
                    messageID: MessageID.configurationRefused))
        }
    }

    private mutating func apply(_ new: Configuration, _ group: inout DiscardingTaskGroup) {
        (refusal, mistakes) = ([], [])
        let old = configuration
        configuration = new
        noteConfigured()
        let problems = world.applied(new)
        let busy = Set(credentials.all.filter(\.isAttempting).map(\.name))
        let (orders, removed) = credentials.configure(new, now: now)
        releaseTokens(of: removed.map(\.name), busy: busy, &group)
        perform(orders, &group)
        lookAtInitialTokens(&group, isReload: true)
        survey(.everything, &group)
        withdrawAbandonedOutputs(of: old, &group)
        answerOrders(ofRemoved: removed.map(\.name))
        for credential in removed { renewedForLife[credential.name] = nil }
        lastReload = ConfigurationChanges(from: old, to: new)
        lastReload.problems = problems
        needingRestart = ConfigurationChanges.placesDiffering(startedWith, new)
        world.journal.write(
            JournalEntry(.info, "Configuration reloaded", fields: lastReload.fields))
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
