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
        let (inbox, old) = (engine.inbox, configuration)
        world.loadConfiguration { result in
            inbox.yield(
                .configurationLoaded(result.map { ConfigurationUpdate(from: old, to: $0) }))
        }
    }

    mutating func endReload(
        _ result: Result<ConfigurationUpdate, ConfigurationMistakes>,
        _ group: inout DiscardingTaskGroup
    ) {
        guard !credentials.isStopping else { return }
        switch result {
        case .failure(let found):
            refuse(found)
            answerReloads()
        case .success(let update): apply(update, &group)
        }
    }

    private mutating func answerReloads() {
        look.want()
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

    private mutating func apply(
        _ update: ConfigurationUpdate, _ group: inout DiscardingTaskGroup
    ) {
        (refusal, mistakes) = ([], [])
        configuration = update.new
        lastReload = update.changes
        lastReload.problems = world.applied(update.new)
        needingRestart = ConfigurationChanges.placesDiffering(startedWith, update.new)
        noteConfigured(update)
        credentials.limit(update.new, providers: update.providers.count)
        configuring = ConfigurationProgress(update, troubled: credentials.troubled)
        goOnApplying(&group)
    }

    /// Applies a few credentials of the new configuration. The rest follows in further steps: other
    /// inputs must not wait for all of them.
    mutating func goOnApplying(_ group: inout DiscardingTaskGroup) {
        guard !credentials.isStopping, let (touched, names) = configuring?.next() else { return }
        for credential in touched {
            perform(credentials.configure(credential, now: now), &group)
        }
        for name in names {
            guard let same = credentials[name]?.configuration else { continue }
            perform(credentials.configure(same, now: now), &group)
        }
        guard let progress = configuring, progress.isComplete else {
            engine.inbox.yield(.configuring)
            return
        }
        configuring = nil
        endApplying(progress.update, &group)
    }

    private mutating func endApplying(
        _ update: ConfigurationUpdate, _ group: inout DiscardingTaskGroup
    ) {
        let removed = update.changes.removed
        let busy = Set(removed.filter { credentials[$0]?.isAttempting ?? false })
        credentials.remove(removed, now: now)
        releaseTokens(of: removed, busy: busy, &group)
        lookAtInitialTokens(&group, isReload: true)
        survey(.everything, &group)
        for (name, outputs) in update.abandoned {
            group.addTask { [world] in await world.outputs.remove(outputs, of: name) }
        }
        answerOrders(ofRemoved: removed)
        for name in removed { renewedForLife[name] = nil }
        world.journal.write(
            JournalEntry(.info, "Configuration reloaded", fields: lastReload.fields))
        answerReloads()
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
