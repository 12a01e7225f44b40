internal import ArgumentParser
internal import Glibc

/// Asks before an action that cannot be undone.
struct Confirmation {
    /// The consequences, in whole sentences.
    var warning: String
    /// The word to type for confirmation.
    var word: String
    /// `erase`, `go on`.
    var verb: String

    /// - Throws: `ExitCode` 65 after any other answer, 64 without a terminal to ask on.
    func demand(isGiven: Bool) throws {
        if isGiven { return }
        guard isatty(STDIN_FILENO) == 1 else {
            throw fail(
                EX_USAGE,
                warning + " Say --yes to \(verb); --dry-run only looks. Nothing was changed.")
        }
        let question = Array("\(warning) Type \"\(word)\" to \(verb): ".utf8)
        _ = write(STDERR_FILENO, question, question.count)
        let answer = readLine() ?? ""
        guard answer.trimmingBlanks == word else {
            throw fail(EX_DATAERR, "nothing was changed")
        }
    }
}

extension String {
    fileprivate var trimmingBlanks: Substring {
        let rest = drop { $0 == " " || $0 == "\t" }
        guard let last = rest.lastIndex(where: { $0 != " " && $0 != "\t" }) else { return "" }
        return rest[...last]
    }
}
