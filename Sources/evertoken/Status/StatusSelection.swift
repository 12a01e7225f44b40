internal import TokenControl
internal import TokenFormats
internal import TokenScheduling

/// The credentials that the arguments select: by names and patterns, and by their states. Empty
/// lists select all.
struct StatusSelection: Equatable {
    /// Patterns of ``NameMatching``.
    var patterns: [String] = []
    /// Words of states and conditions; a dash counts as an underscore.
    var words: [String] = []

    init(patterns: [String] = [], words: [String] = []) {
        self.patterns = patterns
        self.words = words.map { String($0.map { $0 == "-" ? "_" : $0 }) }
    }

    /// The only possible credential, if it is fully named and there is no other condition.
    var onlyName: String? {
        guard words.isEmpty, patterns.count == 1, let name = patterns.first,
            !NameMatching.isGlob(name)
        else {
            return nil
        }
        return name
    }

    var isAll: Bool { patterns.isEmpty && words.isEmpty }

    func includes(_ credential: CredentialStatus) -> Bool {
        (patterns.isEmpty || patterns.contains { NameMatching.matches($0, credential.name) })
            && (words.isEmpty || words.contains(credential.state.text)
                || words.contains(credential.condition.text))
    }

    /// The first name or pattern without a match.
    func unmatched(among names: [String]) -> String? {
        patterns.first { pattern in !names.contains { NameMatching.matches(pattern, $0) } }
    }

    /// The first word that is not a state or condition.
    func unknownWord(besides told: [CredentialStatus]) -> String? {
        words.first { word in
            !StateWords.all.contains(word)
                && !told.contains { $0.state.text == word || $0.condition.text == word }
        }
    }
}

/// The values of `--state`.
enum StateWords {
    static let all =
        CredentialState.allCases.map(\.rawValue)
        + CredentialCondition.allCases.map(\.rawValue).filter {
            CredentialState(rawValue: $0) == nil
        }
}
