/// A path into a JSON value (RFC 6901).
package struct JSONPointer: Sendable, Equatable {
    package var tokens: [String]

    /// `nil` unless the text is empty or starts with `/`, and every `~` is `~0` or `~1`.
    package init?(_ text: String) {
        guard text.isEmpty || text.hasPrefix("/") else { return nil }
        var tokens: [String] = []
        for part in text.split(separator: "/", omittingEmptySubsequences: false).dropFirst() {
            var token = ""
            var rest = part[...]
            while let tilde = rest.firstIndex(of: "~") {
                token += rest[..<tilde]
                let next = rest.index(after: tilde)
                guard next < rest.endIndex, rest[next] == "0" || rest[next] == "1" else {
                    return nil
                }
                token += rest[next] == "0" ? "~" : "/"
                rest = rest[rest.index(after: next)...]
            }
            tokens.append(token + rest)
        }
        self.tokens = tokens
    }

    /// The pointer in the notation of RFC 6901.
    package var text: String {
        tokens.map { "/" + $0.replacing("~", with: "~0").replacing("/", with: "~1") }.joined()
    }

    /// The value it points to, or `nil` if it does not resolve.
    package func resolve(in root: JSONNode) -> JSONNode? {
        var node = root
        for token in tokens {
            switch node.kind {
            case .object:
                guard let next = node[token] else { return nil }
                node = next
            case .array(let elements):
                // RFC 6901 section 4: digits without a leading zero.
                guard let index = Int(token), String(index) == token, elements.indices ~= index
                else { return nil }
                node = elements[index]
            default: return nil
            }
        }
        return node
    }
}
