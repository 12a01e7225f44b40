internal import TokenControl
internal import TokenFormats

/// The daemon's status as a table: the most severe first, one line for each credential, problems
/// below.
struct StatusTable {
    let credentials: [CredentialStatus]
    let general: StatusGeneral
    /// Of all credentials by state, where ``credentials`` are only some of them.
    private let counts: [String: Int]?
    let now: WallTime
    var style = TextStyle.plain
    var clock = ReaderClock.utc
    /// Shows the remaining life of each token as a bar.
    var showsLife = false
    /// Adds columns for provider, last refresh and cause.
    var isWide = false
    /// Leaves out summary, header and problems.
    var hasOnlyRows = false

    /// - Parameters:
    ///   - report: What concerns no single credential; `nil` where one was asked for.
    ///   - most: How many credentials are shown at most.
    init(
        _ credentials: [CredentialStatus], of report: StatusReport? = nil,
        selection: StatusSelection = StatusSelection(), most: Int = .max, now: WallTime
    ) {
        let chosen = credentials.filter(selection.includes).worstFirst(now: now)
        self.credentials = Array(chosen.prefix(most))
        counts = report?.counts
        general = StatusGeneral(report)
        self.now = now
    }

    var lines: [String] {
        guard !hasOnlyRows else { return table.lines(style) }
        let mistakes = general.mistakes.count
        let summary =
            counts.map { StatusSummary(counts: $0, mistakes: mistakes) }
            ?? StatusSummary(credentials: credentials, mistakes: mistakes)
        let remarks = credentials.flatMap { $0.remarks(now: now) }.joinedWhereEqual()
        return [style.bold(summary.text)] + (credentials.isEmpty ? [] : table.lines(style))
            + remarks.flatMap { $0.lines(style, clock: clock, now: now) } + general.lines(style)
    }

    private var table: TextTable {
        var titles = ["CREDENTIAL", "STATE", "EXPIRES IN", "NEXT REFRESH"]
        if isWide {
            titles.insert("PROVIDER", at: 1)
            titles += ["LAST REFRESH", "CAUSE"]
        }
        if showsLife { titles.append("LIFE") }
        return TextTable(titles: titles, rows: credentials.map(row), hasHeader: !hasOnlyRows)
    }

    private func row(_ credential: CredentialStatus) -> [TextTable.Cell] {
        let words = TimeWords(now: now)
        let state = TextTable.Cell(credential.condition.text, TextStyle.colour(of: credential))
        var row =
            [TextTable.Cell(credential.name), state] + [ending(credential), next(credential)]
        if isWide {
            row.insert(TextTable.Cell(credential.provider), at: 1)
            row.append(TextTable.Cell(credential.lastRefreshAt.map(words.ago) ?? "-"))
            row.append(TextTable.Cell(credential.lastError?.cause?.text ?? "-"))
        }
        if showsLife { row.append(life(credential)) }
        return row
    }

    private func ending(_ credential: CredentialStatus) -> TextTable.Cell {
        guard let end = credential.expiresAt else {
            return TextTable.Cell(credential.issuedAt == nil ? "-" : "never")
        }
        let words = TimeWords(now: now)
        return TextTable.Cell(words.left(until: end) ?? "expired \(words.ago(end))")
    }

    private func next(_ credential: CredentialStatus) -> TextTable.Cell {
        guard let time = credential.nextRefreshAt else { return TextTable.Cell("-") }
        let due = credential.lastError == nil ? "now" : "retry now"
        return TextTable.Cell(TimeWords(now: now).left(until: time) ?? due)
    }

    private func life(_ credential: CredentialStatus) -> TextTable.Cell {
        guard let issued = credential.issuedAt else { return TextTable.Cell("") }
        // A token that never expires has a full bar.
        let left = credential.expiresAt.map { end in
            let whole = max(1, issued.duration(to: end).secondsAsDouble)
            return now.duration(to: end).secondsAsDouble / whole
        }
        let share = left ?? 1
        let colour: TextStyle.Colour = share <= 0 ? .red : share < 0.2 ? .yellow : .green
        return TextTable.Cell(style.bar(share, width: 8), colour)
    }
}

/// The part of the status that concerns no single credential.
struct StatusGeneral {
    let mistakes: [String]
    private let problems: [String]
    private let waiting: [String]

    init(_ report: StatusReport?) {
        mistakes = report?.configurationMistakes ?? []
        (problems, waiting) = (report?.reloadProblems ?? [], report?.needingRestart ?? [])
    }

    func lines(_ style: TextStyle) -> [String] {
        let unmet = problems.flatMap {
            style.wrapped("not in force since the last reload: \($0)", indent: "")
        }
        let lines = RefusedReload(mistakes).lines(style) + unmet
        guard !waiting.isEmpty else { return lines }
        return lines
            + style.wrapped(
                "\(waiting.joined(separator: ", ")): the new value waits for a restart: "
                    + "systemctl restart evertoken", indent: "")
    }
}
