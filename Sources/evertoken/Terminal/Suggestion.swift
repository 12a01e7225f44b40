internal import TokenFormats

/// The message for an unknown command: `unknown command "stauts"; did you mean status?`. `nil` if
/// the parser must report the error.
struct UnknownCommand {
    let message: String

    /// - Parameter words: The arguments without the program's name.
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
