internal import TokenControl
internal import TokenFormats
internal import TokenSlots

/// Everything about one credential: its state, its problem, and its history.
struct StatusPage {
    let report: CredentialReport
    let now: WallTime
    var style = TextStyle.plain
    var clock = ReaderClock.utc

    private var words: TimeWords { TimeWords(now: now) }

    var lines: [String] {
        let credential = report.status
        let colour = TextStyle.colour(of: credential)
        let head =
            style.bold(credential.name) + "  " + style.coloured(credential.condition.text, colour)
        return [head] + facts(credential).map { "  " + style.fitted($0.0, 16) + $0.1 }
            + credential.remarks(now: now).flatMap { $0.lines(style, clock: clock, now: now) }
            + history
    }

    private func facts(_ credential: CredentialStatus) -> [(String, String)] {
        let none = credential.issuedAt == nil ? "none yet" : "never ends"
        let due = credential.lastError == nil ? "now" : "retry now"
        var facts: [(String, String?)] = [
            ("provider", credential.provider),
            ("access token", credential.expiresAt.map(ending) ?? none),
            (
                "next refresh",
                credential.nextRefreshAt.map { words.left(until: $0).map { "in " + $0 } ?? due }
            ),
            ("refresh token", credential.refreshTokenExpiresAt.map(ending)),
            ("last refresh", credential.lastRefreshAt.map { "\(words.ago($0)) (\(dated($0)))" }),
            ("refreshes", credential.refreshes.map { String($0) }),
        ]
        let failures = credential.consecutiveFailures
        if failures > 0 { facts.append(("failures", "\(failures) in a row")) }
        let outputs = credential.outputs
        if !outputs.isEmpty { facts.append(("files", outputs.joined(separator: ", "))) }
        if !credential.sourcesFixedAtStart.isEmpty {
            let keys = credential.sourcesFixedAtStart.joined(separator: ", ")
            facts.append(("read at start", "\(keys) (LoadCredential=; a change takes a restart)"))
        }
        return facts.compactMap { name, value in value.map { (name, $0) } }
    }

    private func ending(_ end: WallTime) -> String {
        let left = words.left(until: end).map { "ends in " + $0 }
        return "\(left ?? "expired " + words.ago(end)) (\(dated(end)))"
    }

    private func dated(_ time: WallTime) -> String { clock.dated(time) }

    /// Newest first, as in the reply.
    private var history: [String] {
        let attempts = report.recent
        guard !attempts.isEmpty else { return ["", "  no attempt yet"] }
        let rows = attempts.map { attempt in
            [
                TextTable.Cell(clock.short(attempt.at, now: now, hasSeconds: true)),
                TextTable.Cell(words.ago(attempt.at)), TextTable.Cell(attempt.what),
                TextTable.Cell(attempt.result, attempt.failureClass == nil ? .green : .yellow),
                TextTable.Cell(attempt.took.map(TimeWords.took) ?? "-"),
            ]
        }
        let table = TextTable(
            titles: ["WHEN", "", "WHAT", "RESULT", "TOOK"], rows: rows, indent: "  ")
        let lines = table.lines(style)
        return ["", lines[0]] + zip(lines.dropFirst(), told(attempts)).flatMap { [$0] + $1 }
    }

    /// The problem below each attempt, unless it equals the one above.
    private func told(_ attempts: [PastAttempt]) -> [[String]] {
        var before: String?
        return attempts.map { attempt in
            let problem = attempt.problem
            defer { before = problem }
            guard let problem, problem != before else { return [] }
            return style.wrapped(problem, indent: "    ")
        }
    }
}
