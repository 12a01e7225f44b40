import TokenCore

/// Which credentials a command line asks for: by names and patterns, and by the words of their
/// states. Empty lists ask for all.
struct StatusSelection: Equatable {
    /// As ``NameMatching`` reads them.
    var patterns: [String] = []
    /// Words of states and conditions; a dash counts as an underscore.
    var words: [String] = []

    init(patterns: [String] = [], words: [String] = []) {
        self.patterns = patterns
        self.words = words.map { String($0.map { $0 == "-" ? "_" : $0 }) }
    }

    /// The only credential that can be meant, where it is named in full and nothing else is asked.
    var onlyName: String? {
        guard words.isEmpty, patterns.count == 1, let name = patterns.first,
            !NameMatching.isGlob(name)
        else {
            return nil
        }
        return name
    }

    var isAll: Bool { patterns.isEmpty && words.isEmpty }

    func includes(_ credential: ShownCredential) -> Bool {
        (patterns.isEmpty || patterns.contains { NameMatching.matches($0, credential.name) })
            && (words.isEmpty || words.contains(credential.state)
                || words.contains(credential.condition))
    }

    /// The first name or pattern that is none of these.
    func unmatched(among names: [String]) -> String? {
        patterns.first { pattern in !names.contains { NameMatching.matches(pattern, $0) } }
    }

    /// The first word that names no state or condition.
    func unknownWord(besides told: [ShownCredential]) -> String? {
        words.first { word in
            !StateWords.all.contains(word)
                && !told.contains { $0.state == word || $0.condition == word }
        }
    }
}

/// What `--state` takes.
enum StateWords {
    static let all =
        CredentialState.allCases.map(\.rawValue)
        + CredentialCondition.allCases.map(\.rawValue).filter {
            CredentialState(rawValue: $0) == nil
        }
}
