import ArgumentParser
import Glibc

/// Asks before something that cannot be undone.
struct Confirmation {
    /// What will happen, in whole sentences.
    var warning: String
    /// What to type to go on.
    var word: String
    /// `erase`, `go on`.
    var verb: String

    /// - Throws: `ExitCode` 65 when the answer is another one, 64 where there is no terminal to
    ///   ask on.
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
