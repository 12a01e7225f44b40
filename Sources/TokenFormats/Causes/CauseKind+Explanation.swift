extension CauseKind {
    /// Its problem without an actual failure: facts appear as names in capitals.
    package var meaning: String {
        let sentence = row.problem
        // Some causes use the words of the place that found them.
        let text =
            sentence.first == "detail"
            ? String(rawValue.map { $0 == "_" ? " " : $0 }) : sentence.text(Self.placeholder(of:))
        return text.prefix(1).uppercased() + text.dropFirst() + "."
    }

    /// The remedy for a credential NAME whose provider supports a sign-in.
    package var usualRemedy: String { row.remedy.text(Self.placeholder(of:)) }

    private static func placeholder(of fact: String) -> String? {
        switch fact {
        case "credential": "NAME"
        case "login": "evertoken login NAME"
        case "signin": "Run: evertoken login NAME"
        case "again": "run: evertoken login NAME"
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
