extension CauseKind {
    /// What it means where nothing has happened: facts are names in capitals.
    public var meaning: String {
        let sentence = row.problem
        // Some causes are told in the words of the place where they were found.
        let isTold = sentence.pattern.hasBytePrefix("{detail}")
        let text =
            isTold
            ? String(rawValue.map { $0 == "_" ? " " : $0 }) : sentence.text(Self.placeholder(of:))
        return text.prefix(1).uppercased() + text.dropFirst() + "."
    }

    /// What to do then, for a credential NAME whose provider has a sign-in.
    public var usualRemedy: String { row.remedy.text(Self.placeholder(of:)) }

    private static func placeholder(of fact: String) -> String? {
        switch fact {
        case "credential": "NAME"
        case "login": "evertoken login NAME"
        case "signin": "Run: evertoken login NAME"
        case "service": "[Service]"
        case "origin": "https://HOST/"
        case "name": "HOST"
        case "type": "text/html"
        case "path": "another path"
        case "wait": "a while"
        default: fact.uppercased()
        }
    }
}
