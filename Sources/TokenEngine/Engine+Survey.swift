internal import TokenCore

/// What a look at the configuration's places is about.
public enum SurveyScope: Sendable {
    case everything
    /// Places with a finding: whether that was mended.
    case troubled
    case credential(String)
}

/// What was found when they were last looked at.
struct SurveyState: Sendable {
    var isUnderWay = false
    /// A reload came meanwhile.
    var isWanted = false
    /// When the last one began.
    var lastAt: Uptime?
    var findings: [CheckFinding] = []

    /// By credential; those of the whole, such as the file of authorities, are every one's.
    func byCredential(_ names: Set<String>) -> [String: [CheckFinding]] {
        let own = Dictionary(grouping: findings, by: \.credential)
        let whole = (own[nil] ?? []).filter { $0.file != nil }
        return Dictionary(uniqueKeysWithValues: names.map { ($0, (own[$0] ?? []) + whole) })
    }

    mutating func apply(_ found: [CheckFinding], _ scope: SurveyScope) {
        let isKept: (CheckFinding) -> Bool
        switch scope {
        case .everything: isKept = { _ in false }
        // The rest of the configuration was not there to compare with.
        case .troubled: isKept = { $0.file == nil }
        case .credential(let name): isKept = { $0.file == nil || $0.credential != name }
        }
        let looked = found.filter { finding in
            switch scope {
            case .everything: true
            case .troubled: finding.file != nil
            case .credential(let name): finding.file != nil && finding.credential == name
            }
        }
        findings = findings.filter(isKept) + looked
    }
}

// The test that `evertoken check` makes, at the start, at every reload and, for what was found,
// every minute: it tells in status what a refresh would meet, an hour before.
extension EngineLoop {
    /// Looks at the outputs may come more often.
    private static let shortest: Duration = .seconds(40)

    mutating func survey(_ scope: SurveyScope, _ group: inout DiscardingTaskGroup) {
        guard !fleet.isStopping else { return }
        let now = self.now.uptime
        var subject = configuration
        let troubled = Set(surveyed.findings.filter { $0.file != nil }.map(\.credential))
        switch scope {
        case .everything:
            if surveyed.isUnderWay { surveyed.isWanted = true }
        case .troubled:
            let isDue = surveyed.lastAt.map { $0.duration(to: now) >= Self.shortest } ?? true
            guard isDue, !troubled.isEmpty else { return }
            subject.credentials.removeAll { !troubled.contains($0.name) }
            if !troubled.contains(nil) { subject.caFile = nil }
        case .credential(let name):
            guard troubled.contains(name) else { return }
            subject.credentials.removeAll { $0.name != name }
            subject.caFile = nil
        }
        guard !surveyed.isUnderWay else { return }
        (surveyed.isUnderWay, surveyed.lastAt) = (true, now)
        let inbox = engine.inbox
        group.addTask { [world, subject] in
            inbox.yield(.surveyed(await world.survey.findings(in: subject), scope))
        }
    }

    /// What a refresh used can be no trouble any more.
    mutating func surveyIfGranted(
        _ event: LifecycleEvent, _ name: String, _ group: inout DiscardingTaskGroup
    ) {
        guard case .attemptEnded(_, let report) = event, case .granted = report.end else { return }
        survey(.credential(name), &group)
    }

    mutating func surveyEnded(
        _ found: [CheckFinding], _ scope: SurveyScope, _ group: inout DiscardingTaskGroup
    ) {
        let before = surveyed
        surveyed.isUnderWay = false
        surveyed.apply(found, scope)
        let known = Set(before.findings)
        for finding in surveyed.findings where !known.contains(finding) { tell(finding) }
        // Those of the whole, such as a file of authorities, are found at all of them.
        let isOfAll = { (finding: CheckFinding) in finding.credential == nil }
        let wholeChanged =
            before.findings.filter(isOfAll) != surveyed.findings.filter(isOfAll)
        var names = Set((before.findings + surveyed.findings).compactMap(\.credential))
        if wholeChanged { names.formUnion(fleet.names) }
        for (name, findings) in surveyed.byCredential(names).sorted(by: { $0.key < $1.key }) {
            perform(fleet.handle(.surveyed(findings), for: name, now: now), &group)
        }
        guard surveyed.isWanted else { return }
        surveyed.isWanted = false
        survey(.everything, &group)
    }

    private func tell(_ finding: CheckFinding) {
        // Whether an initial refresh token is wanted is known when the state has been read.
        guard !finding.isMootWithTokens else { return }
        world.journal.write(
            JournalEntry(
                .warning, "A setting cannot work, or has no effect",
                fields: [
                    HeaderField("CREDENTIAL", finding.credential ?? ""),
                    HeaderField("KEY", finding.key), HeaderField("PROBLEM", finding.problem),
                    HeaderField("REMEDY", finding.remedy),
                ].filter { !$0.value.isEmpty }))
    }
}
