internal import TokenConfiguration
internal import TokenFormats
internal import TokenProviders
internal import TokenScheduling
internal import TokenSlots

/// What a survey of the configuration covers.
package enum SurveyScope: Sendable {
    case everything
    /// Files and directories with a finding, to see whether it was corrected.
    case troubled
    case credential(String)
}

/// The findings of the last survey.
struct SurveyState: Sendable {
    var isUnderWay = false
    /// A reload requested another survey meanwhile.
    var isWanted = false
    /// When the last survey began.
    var lastAt: Uptime?
    var findings: [CheckFinding] = []

    /// By credential; findings about the whole configuration, such as its CA file, count for all.
    func byCredential(_ names: Set<String>) -> [String: [CheckFinding]] {
        let own = Dictionary(grouping: findings, by: \.credential)
        let whole = (own[nil] ?? []).filter { $0.file != nil }
        return Dictionary(uniqueKeysWithValues: names.map { ($0, (own[$0] ?? []) + whole) })
    }

    mutating func apply(_ found: [CheckFinding], _ scope: SurveyScope) {
        let isKept: (CheckFinding) -> Bool
        switch scope {
        case .everything: isKept = { _ in false }
        // The survey had no complete configuration to compare with.
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

// The survey that `evertoken check` makes, at the start, at every reload and, for existing
// findings, every minute: the status shows in advance what a refresh would meet.
extension EngineLoop {
    /// Minimum interval; looks at the outputs may be more frequent.
    private static let shortest: Duration = .seconds(40)

    mutating func survey(_ scope: SurveyScope, _ group: inout DiscardingTaskGroup) {
        guard !credentials.isStopping else { return }
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

    /// A successful refresh proves that its files are usable, so their findings are checked again.
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
        // Findings about the whole configuration, such as its CA file, belong to all credentials.
        let isOfAll = { (finding: CheckFinding) in finding.credential == nil }
        let wholeChanged =
            before.findings.filter(isOfAll) != surveyed.findings.filter(isOfAll)
        var names = Set((before.findings + surveyed.findings).compactMap(\.credential))
        if wholeChanged { names.formUnion(credentials.names) }
        for (name, findings) in surveyed.byCredential(names).sorted(by: { $0.key < $1.key }) {
            perform(credentials.handle(.surveyed(findings), for: name, now: now), &group)
        }
        guard surveyed.isWanted else { return }
        surveyed.isWanted = false
        survey(.everything, &group)
    }

    private func tell(_ finding: CheckFinding) {
        // Reported after the state is read, when it is known whether an initial refresh token is
        // needed.
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
