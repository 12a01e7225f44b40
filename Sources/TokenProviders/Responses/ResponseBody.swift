internal import TokenFormats

/// The body of a response, as far as it can be parsed.
enum ResponseBody {
    case parsed(JSONNode)
    case empty
    case unreadable

    init(_ response: RawResponse, format: ResponseSpecification.Format) {
        let isBlank = response.body.allSatisfy(isJSONSpace)
        if isBlank {
            self = .empty
            return
        }
        let node: JSONNode?
        switch format {
        case .json: node = Self.json(response.body)
        case .form: node = Self.form(response.body)
        case .text: node = Self.text(response.body)
        case .auto:
            let type = response.header("Content-Type")?.asciiLowercased ?? ""
            if let json = Self.json(response.body), json.text == nil {
                node = json
            } else if type.containsBytes(of: "x-www-form-urlencoded")
                || type.hasBytePrefix("text/plain")
            {
                node = Self.form(response.body)
            } else {
                node = nil
            }
        }
        self = node.map(ResponseBody.parsed) ?? .unreadable
    }

    var node: JSONNode? {
        if case .parsed(let node) = self { node } else { nil }
    }

    /// Tolerates a byte order mark and invalid UTF-8 in fields that are not read: a granted token
    /// must not be lost because of them. A token with such a byte is refused where it is used.
    package static func json(_ bytes: [UInt8]) -> JSONNode? {
        let isMarked = bytes.starts(with: [0xEF, 0xBB, 0xBF])
        let plain = isMarked ? Array(bytes.dropFirst(3)) : bytes
        if let node = try? JSONReader.read(plain) { return node }
        let repaired = Array(String(decoding: plain, as: UTF8.self).utf8)
        return repaired == plain ? nil : try? JSONReader.read(repaired)
    }

    /// `a=b&c=d` as an object of strings; `nil` if a pair has no `=` or a key occurs twice.
    private static func form(_ bytes: [UInt8]) -> JSONNode? {
        guard let text = String(validating: bytes, as: UTF8.self) else { return nil }
        var members: [JSONMember] = []
        var seen: Set<ByteText> = []
        for pair in text.utf8.split(separator: UInt8(ascii: "&")) {
            guard let equals = pair.firstIndex(of: UInt8(ascii: "=")),
                let key = formDecoded(Substring(pair[..<equals])),
                let value = formDecoded(Substring(pair[pair.index(after: equals)...])),
                seen.insert(ByteText(key)).inserted
            else { return nil }
            members.append(JSONMember(key, .string(value)))
        }
        return members.isEmpty ? nil : JSONNode(.object(members))
    }

    private static func text(_ bytes: [UInt8]) -> JSONNode? {
        guard let text = String(validating: bytes, as: UTF8.self) else { return nil }
        return .string(String(text.trimmedOfSpace))
    }
}
