/// The word that was most likely meant, or `nil` where none is near.
///
/// Two letters that changed places are one slip (optimal string alignment distance).
func nearestWord(to word: String, among candidates: [String]) -> String? {
    let limit = max(1, word.count / 3)
    return candidates.map { ($0, slips(word, $0)) }
        .filter { $0.1 <= limit && $0.1 < word.count }
        .min { $0.1 < $1.1 }?.0
}

private func slips(_ left: String, _ right: String) -> Int {
    let (left, right) = (Array(left.lowercased()), Array(right))
    var rows = [Array(0...right.count)]
    for i in left.indices {
        var row = [i + 1]
        for j in right.indices {
            let change = left[i] == right[j] ? 0 : 1
            var best = min(rows[i][j + 1] + 1, row[j] + 1, rows[i][j] + change)
            if i > 0, j > 0, left[i] == right[j - 1], left[i - 1] == right[j] {
                best = min(best, rows[i - 1][j - 1] + 1)
            }
            row.append(best)
        }
        rows.append(row)
    }
    return rows[left.count][right.count]
}

/// What to say of a command line whose command is none: `unknown command "stauts"; did you mean
/// status?`. `nil` where the parser has to say it.
struct UnknownCommand {
    let message: String

    /// - Parameter words: Without the program's own name.
    init?(_ words: [String], known: [String]) {
        let isHelp = words.first == "help"
        guard let word = isHelp ? words.dropFirst().first : words.first, !word.hasPrefix("-"),
            !known.contains(word)
        else { return nil }
        let near = nearestWord(to: word, among: known)
        message =
            "unknown command \"\(word)\"; "
            + (near.map { "did you mean \($0)?" } ?? "evertoken --help lists them")
    }
}
