internal import ArgumentParser
internal import Glibc
internal import TokenFormats

struct Explain: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Say what a word of status, the journal or an exit status means.",
        discussion: """
            Asks no daemon. Without a word it lists all of them.

              evertoken explain login_required
              evertoken explain fb6943331b894f3ca1cb9bed10536948     a MESSAGE_ID of the journal
              evertoken explain 75                                   an exit status
            """)

    @Argument(
        help: "A state, condition, class, cause, MESSAGE_ID or exit status.",
        completion: .list(ExplanationTable.words))
    var word: String?

    func run() throws {
        let style = TextStyle.standardOutput()
        guard let word else {
            for line in Self.list(style) { print(line) }
            return
        }
        let found = ExplanationTable.explanations(of: word)
        guard !found.isEmpty else {
            let near = NameMatching.nearest(to: word, among: ExplanationTable.words)
            throw fail(
                EX_DATAERR,
                "\"\(word)\" is not one of the explained words; "
                    + (near.map { "did you mean \($0)?" } ?? "evertoken explain lists them"))
        }
        for explanation in found {
            print(style.bold(explanation.word) + "  (\(explanation.kind.rawValue))")
            for line in explanation.lines.flatMap({ style.wrapped($0, indent: "  ") }) {
                print(line)
            }
        }
    }

    /// Each kind with its words, and the first sentence of each word.
    static func list(_ style: TextStyle) -> [String] {
        Explanation.Kind.allCases.flatMap { kind -> [String] in
            let words = ExplanationTable.all.filter { $0.kind == kind }
            guard !words.isEmpty else { return [] }
            let width = words.map(\.word.count).max() ?? 0
            return [style.bold(kind.rawValue)]
                + words.map { "  " + style.fitted($0.word, width) + "  " + $0.meaning }
        }
    }
}
