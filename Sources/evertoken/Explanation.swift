/// A word that status, the journal or an exit tells, what it means, and what to do then.
struct Explanation: Equatable {
    enum Kind: String, CaseIterable {
        case state, condition
        case failureClass = "class"
        case cause, event
        case exitStatus = "exit status"
    }

    var kind: Kind
    /// As it is told: `login_required`, `75`, or 32 hexadecimal digits.
    var word: String
    /// One or two sentences. The manual has the same.
    var meaning: String
    /// What to do, as sentences; empty where nothing is to be done.
    var remedy: String

    init(_ kind: Kind, _ word: String, _ meaning: String, _ remedy: String = "") {
        (self.kind, self.word, self.meaning, self.remedy) = (kind, word, meaning, remedy)
    }

    var lines: [String] { [meaning, remedy].filter { !$0.isEmpty } }
}

/// All that there is to explain, looked up by word.
enum ExplanationTable {
    static let all =
        states + conditions + failureClasses + causes + events + exitStatuses

    /// What a word means; several things where it is used for several.
    ///
    /// - Parameter word: However it is written: `Login-Required`, or a message's identity with
    ///   dashes in it.
    static func explanations(of word: String) -> [Explanation] {
        let plain = word.lowercased()
        let snake = String(plain.map { $0 == "-" || $0 == " " ? "_" : $0 })
        let digits = plain.filter { $0 != "-" }
        let wanted = [plain, snake, digits]
        return all.filter { wanted.contains($0.word) }
    }

    /// Every word once, in the table's order.
    static var words: [String] {
        var seen: Set<String> = []
        return all.map(\.word).filter { seen.insert($0).inserted }
    }
}
