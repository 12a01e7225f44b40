/// A word of the status, the journal or an exit status: its meaning and the remedy.
struct Explanation: Equatable {
    enum Kind: String, CaseIterable {
        case state, condition
        case failureClass = "class"
        case cause, event
        case exitStatus = "exit status"
    }

    var kind: Kind
    /// As shown: `login_required`, `75`, or 32 hexadecimal digits.
    var word: String
    /// One or two sentences, the same as in the manual.
    var meaning: String
    /// What to do, as sentences; empty if nothing.
    var remedy: String

    init(_ kind: Kind, _ word: String, _ meaning: String, _ remedy: String = "") {
        (self.kind, self.word, self.meaning, self.remedy) = (kind, word, meaning, remedy)
    }

    var lines: [String] { [meaning, remedy].filter { !$0.isEmpty } }
}

/// All explanations, found by word.
enum ExplanationTable {
    static let all =
        states + conditions + failureClasses + causes + events + exitStatuses

    /// The meanings of a word; several if it is used for several things.
    ///
    /// - Parameter word: In any spelling: `Login-Required`, or a message ID with dashes.
    static func explanations(of word: String) -> [Explanation] {
        let plain = word.lowercased()
        let snake = String(plain.map { $0 == "-" || $0 == " " ? "_" : $0 })
        let digits = plain.filter { $0 != "-" }
        let wanted = [plain, snake, digits]
        return all.filter { wanted.contains($0.word) }
    }

    /// Each word once, in the table's order.
    static var words: [String] {
        var seen: Set<String> = []
        return all.map(\.word).filter { seen.insert($0).inserted }
    }
}
