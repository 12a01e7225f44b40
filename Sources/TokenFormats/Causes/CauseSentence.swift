/// A sentence with placeholders for facts.
///
/// `{name}` is a fact. `[a|b|c]` is the first alternative whose facts are all known, and empty
/// without one. Brackets do not nest.
struct CauseSentence: Sendable, Equatable {
    let pattern: String

    init(_ pattern: String) { self.pattern = pattern }

    /// - Parameter fact: Returns the fact with a name, if known.
    func text(_ fact: (String) -> String?) -> String {
        var text = ""
        var rest = pattern[...]
        while let open = rest.firstIndex(of: "[") {
            text += filled(rest[..<open], fact) ?? ""
            let inner = rest[rest.index(after: open)...]
            let close = inner.firstIndex(of: "]") ?? inner.endIndex
            let alternatives = inner[..<close].split(
                separator: "|", omittingEmptySubsequences: false)
            for alternative in alternatives {
                guard let chosen = filled(alternative, fact) else { continue }
                text += chosen
                break
            }
            rest = inner[close...].dropFirst()
        }
        return text + (filled(rest, fact) ?? "")
    }

    /// - Returns: `nil` if a fact is unknown.
    private func filled(_ part: Substring, _ fact: (String) -> String?) -> String? {
        var text = ""
        var rest = part
        while let open = rest.firstIndex(of: "{") {
            text += rest[..<open]
            let inner = rest[rest.index(after: open)...]
            let close = inner.firstIndex(of: "}") ?? inner.endIndex
            guard let value = fact(String(inner[..<close])) else { return nil }
            text += value
            rest = inner[close...].dropFirst()
        }
        return text + rest
    }

    /// The name of the fact at its beginning.
    var first: String? {
        guard pattern.utf8.first == UInt8(ascii: "{") else { return nil }
        return String(pattern.dropFirst().prefix { $0 != "}" })
    }

    /// The names outside of brackets; the sentence needs all of them.
    var required: [String] {
        var names: [String] = []
        var depth = 0
        var name: String?
        for character in pattern {
            switch character {
            case "[": depth += 1
            case "]": depth -= 1
            case "{": name = ""
            case "}":
                if depth == 0, let name { names.append(name) }
                name = nil
            default: name?.append(character)
            }
        }
        return names
    }
}

extension CauseFacts {
    /// The fact with this name.
    func text(of name: String) -> String? {
        switch name {
        case "host": host
        case "name": host.map { EndpointURL.host(of: "https://" + $0) }
        case "origin": host.map { (isPlain ? "http://" : "https://") + $0 + "/" }
        case "file": file
        case "errno": systemError
        case "status": status.map { String($0) }
        case "code": errorCode
        case "date": date.map { CivilTime(epochSeconds: $0.epochSeconds).text + " UTC" }
        case "subject": subject
        case "type": contentType.map { $0 == .other ? "another content type" : $0.rawValue }
        case "target": target
        case "path": isSamePath.map { $0 ? "the same path" : "another path" }
        case "key": key
        case "other": other
        case "account": account
        case "folder": folder
        case "wait": wait.map { describe($0) }
        case "detail": detail
        case "advice": advice
        default: nil
        }
    }
}
