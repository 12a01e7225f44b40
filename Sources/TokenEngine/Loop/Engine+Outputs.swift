internal import TokenConfiguration
internal import TokenControl
internal import TokenFormats
internal import TokenScheduling
internal import TokenSlots

/// When the outputs are checked, and which requests wait for it. A deleted or changed token file is
/// written again within a minute, and at once after a reload or a health request.
struct OutputCheck {
    /// After this time the check runs at the next wake for any reason.
    private static let interval: Duration = .seconds(45)
    /// After this time the loop wakes for the check.
    private static let latest: Duration = .seconds(55)
    /// Any process can request health: it causes at most one check in this time.
    private static let shortest: Duration = .seconds(1)
    /// How long a reply waits for a file server that does not respond.
    static let patience: Duration = .seconds(3)

    /// A request that is answered after a check.
    enum Question {
        case health(@Sendable (ControlReply) -> Void)
        /// Answered when missing files are restored and changed outputs are written.
        case reload(ConfigurationChanges, @Sendable (ControlReply) -> Void)
    }
    struct Waiter {
        var question: Question
        var deadline: Uptime
        /// The running check began before the request.
        var isForNext: Bool
        /// Credentials whose files are being restored; `nil` before the check has ended.
        var restoring: Set<String>?
    }

    private(set) var lastAt: Uptime
    private(set) var isUnderWay = false
    /// Another check is requested that begins after the present one.
    private var isWantedAgain = false
    var waiters: [Waiter] = []

    init(now: Uptime) { lastAt = now }

    var dueAt: Uptime {
        ([lastAt.advanced(by: Self.latest)] + waiters.map(\.deadline)).min() ?? lastAt
    }

    func isDue(_ now: Uptime) -> Bool {
        !isUnderWay && (isWantedAgain || lastAt.duration(to: now) >= Self.interval)
    }

    /// Whether the last check is recent enough for a health request.
    func isFresh(_ now: Uptime) -> Bool {
        !isUnderWay && lastAt.duration(to: now) < Self.shortest
    }

    mutating func want() { isWantedAgain = true }

    mutating func begin(_ now: Uptime) {
        (isUnderWay, isWantedAgain, lastAt) = (true, false, now)
    }

    /// - Parameter found: Credentials whose files are not as published.
    mutating func end(_ found: Set<String>) {
        isUnderWay = false
        for index in waiters.indices where waiters[index].restoring == nil {
            if !waiters[index].isForNext { waiters[index].restoring = found }
            waiters[index].isForNext = false
        }
    }
}

extension EngineLoop {
    mutating func lookIfDue(_ group: inout DiscardingTaskGroup) {
        let now = self.now.uptime
        answerAfterLook(now)
        guard look.isDue(now), !credentials.isStopping else { return }
        look.begin(now)
        lookAtInitialTokens(&group, isReload: false)
        survey(.troubled, &group)
        let inbox = engine.inbox
        group.addTask { [world] in inbox.yield(.outputsLooked(await world.outputs.altered())) }
    }

    /// `GET /healthz`: the result must be current, not up to a minute old.
    mutating func answerHealth(_ reply: @escaping @Sendable (ControlReply) -> Void) {
        guard !look.isFresh(now.uptime), !credentials.isStopping else { return reply(health()) }
        if !look.isUnderWay { look.want() }
        wait(for: .health(reply), isForNext: false)
    }

    /// Replies when deleted files are restored. A running check may have passed such a file
    /// already, so another one follows.
    mutating func answerReload(
        _ reply: @escaping @Sendable (ControlReply) -> Void
    ) {
        guard mistakes.isEmpty else {
            var refused = ControlProblem(
                422, "the new configuration has mistakes; the old one stays",
                detail: mistakes.joined(separator: "\n"))
            refused.mistakes = refusal.map(\.reported)
            return reply(ControlReply(refused))
        }
        wait(for: .reload(lastReload, reply), isForNext: look.isUnderWay)
    }

    private mutating func wait(for question: OutputCheck.Question, isForNext: Bool) {
        look.waiters.append(
            OutputCheck.Waiter(
                question: question, deadline: now.uptime.advanced(by: OutputCheck.patience),
                isForNext: isForNext))
    }

    mutating func outputsLooked(
        _ altered: [AlteredOutput], _ group: inout DiscardingTaskGroup
    ) {
        let found = Dictionary(grouping: altered, by: \.credential)
        for (name, altered) in found.sorted(by: { $0.key < $1.key }) {
            perform(credentials.handle(.outputsAltered(altered), for: name, now: now), &group)
        }
        look.end(Set(found.keys))
        answerAfterLook(now.uptime)
    }

    private func done(_ changes: ConfigurationChanges, _ names: Set<String>) -> ControlReply {
        var changes = changes
        changes.problems += names.sorted().compactMap { name in
            credentials[name]?.outputProblem.map { "\(name): \($0)" }
        }
        changes.warnings = surveyed.findings.filter { finding in
            let tokens = finding.credential.flatMap { credentials[$0]?.grant.refreshToken }
            return !(finding.isMootWithTokens && tokens != nil)
        }.map(\.text)
        return ControlReply(200, .reloaded(changes))
    }

    private mutating func answerAfterLook(_ now: Uptime) {
        let waiting = look.waiters
        look.waiters = []
        for waiter in waiting {
            let isLate = waiter.deadline <= now || credentials.isStopping
            switch waiter.question {
            case .health(let reply):
                guard isLate || waiter.restoring != nil else { break }
                reply(health())
                continue
            case .reload(let changes, let reply):
                let names = waiter.restoring.map { $0.union(changes.changed.map(\.name)) }
                let isWritten = names?.allSatisfy { !(credentials[$0]?.isWritingOutputs ?? false) }
                guard isLate || (isWritten ?? false && !surveyed.isUnderWay) else { break }
                reply(done(changes, names ?? []))
                continue
            }
            look.waiters.append(waiter)
        }
    }
}
