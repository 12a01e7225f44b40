import TokenCore

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
        let near = NameMatching.nearest(to: word, among: known)
        message =
            "unknown command \"\(word)\"; "
            + (near.map { "did you mean \($0)?" } ?? "evertoken --help lists them")
    }
}
