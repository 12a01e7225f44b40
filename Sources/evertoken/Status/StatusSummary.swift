internal import TokenControl
internal import TokenFormats
internal import TokenScheduling

/// The first line: how many credentials have each state, and whether the last reload succeeded.
struct StatusSummary {
    private let all: Int
    private let fresh: Int
    private let severities: [CredentialStatus.Severity: Int]
    private let mistakes: Int

    init(credentials: [CredentialStatus], mistakes: Int = 0) {
        all = credentials.count
        fresh = credentials.count { [.fresh, .refreshing].contains($0.condition.known) }
        severities = Dictionary(grouping: credentials, by: \.severity).mapValues(\.count)
        self.mistakes = mistakes
    }

    /// - Parameter counts: How many credentials are in each state, by its word.
    init(counts: [String: Int], mistakes: Int = 0) {
        let known = CredentialState.allCases.map { state in
            (CredentialStatus.Severity(state), counts[state.rawValue] ?? 0)
        }
        all = counts.values.reduce(0, +)
        severities = Dictionary(known, uniquingKeysWith: +)
        fresh = severities[.fine] ?? 0
        self.mistakes = mistakes
    }

    /// `2 of 14 fresh, 5 need a person, 7 misconfigured`.
    var text: String {
        guard all > 0 else { return "no credentials" + refused }
        return "\(fresh) of \(all) fresh" + kinds.joined() + refused
    }

    private var refused: String { mistakes > 0 ? "; reload refused" : "" }

    private var kinds: [String] {
        let words: [(CredentialStatus.Severity, String)] = [
            (.misconfigured, "misconfigured"), (.expired, "expired"), (.failing, "failing"),
            (.undelivered, "undelivered"), (.pending, "pending"), (.retrying, "retrying"),
        ]
        let people = severities[.needsPerson] ?? 0
        let calls = people == 0 ? [] : [", \(people) \(people == 1 ? "needs" : "need") a person"]
        return calls
            + words.compactMap { severity, word in
                let number = severities[severity] ?? 0
                return number == 0 ? nil : ", \(number) \(word)"
            }
    }
}

/// The mistakes of a refused reload, in the order of the files: one heading, then a line for each.
struct RefusedReload {
    struct Mistake: Equatable {
        var file: String
        var line: Int
        var column: Int
        var text: String
    }
    let mistakes: [Mistake]

    /// - Parameter texts: `FILE:LINE:COLUMN: path: what is wrong; what to write`.
    init(_ texts: [String]) {
        let read = texts.map(Self.read)
        let files = read.map(\.file)
        mistakes = read.sorted { left, right in
            let (one, two) = (files.firstIndex(of: left.file), files.firstIndex(of: right.file))
            if one != two { return one ?? 0 < two ?? 0 }
            return (left.line, left.column) < (right.line, right.column)
        }
    }

    func lines(_ style: TextStyle) -> [String] {
        guard let first = mistakes.first else { return [] }
        let isOneFile = mistakes.allSatisfy { $0.file == first.file } && !first.file.isEmpty
        let place = isOneFile ? " for \(first.file)" : ""
        let number = mistakes.count == 1 ? "1 mistake" : "\(mistakes.count) mistakes"
        let head = "the last reload was refused\(place): \(number); the former one is in force"
        return style.wrapped(head, indent: "").map { style.coloured($0, .red) }
            + mistakes.flatMap { mistake in
                style.wrapped(Self.text(mistake, isFileTold: isOneFile), indent: "  ")
            } + ["  Run: evertoken check; then evertoken reload"]
    }

    private static func text(_ mistake: Mistake, isFileTold: Bool) -> String {
        guard mistake.line > 0 else { return mistake.text }
        let place = "\(mistake.line):\(mistake.column) \(mistake.text)"
        return isFileTold ? place : "\(mistake.file):\(place)"
    }

    /// A text without a file and position is kept as a whole.
    static func read(_ text: String) -> Mistake {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        let isNumber = { (part: Substring) in
            (1...9).contains(part.utf8.count) && part.utf8.allSatisfy { (0x30...0x39).contains($0) }
        }
        let at = parts.indices.dropFirst().first { index in
            index + 2 < parts.count && isNumber(parts[index]) && isNumber(parts[index + 1])
                && parts[index + 2].hasPrefix(" ")
        }
        guard let at, let line = Int(parts[at]), let column = Int(parts[at + 1]) else {
            return Mistake(file: "", line: 0, column: 0, text: text)
        }
        return Mistake(
            file: parts[..<at].joined(separator: ":"), line: line, column: column,
            text: String(parts[(at + 2)...].joined(separator: ":").dropFirst()))
    }
}
