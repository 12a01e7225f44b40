internal import TokenFormats

/// The JSON object with the tokens of an import: alone, or in an rclone configuration, as its file
/// (one `token = {…}` in each section) or as `rclone config dump` prints it.
struct ImportedDocument {
    var members: [JSONMember]
    var notes: [String] = []

    /// One token of a configuration that may have several.
    private struct Section {
        var name: String
        var json: [UInt8] = []
        var members: [JSONMember] = []
    }

    private static let wanted = "give an object with refresh_token, access_token or both"

    /// A mistake of the whole text. A caller that knows its name sets it as the subject.
    private static func whole(_ problem: String, _ remedy: String) -> RequestError {
        RequestError(problem: problem, remedy: remedy).of("this")
    }

    init(_ body: [UInt8], section: String?) throws(RequestError) {
        if body.starts(with: [0xFF, 0xFE]) || body.starts(with: [0xFE, 0xFF]) {
            throw Self.whole("is UTF-16 text", "save it as UTF-8")
        }
        let text = body.starts(with: [0xEF, 0xBB, 0xBF]) ? body.dropFirst(3) : body[...]
        if text.starts(with: Array("# Encrypted rclone".utf8))
            || text.starts(with: Array("RCLONE_ENCRYPT_".utf8))
        {
            throw RequestError(
                problem: "is encrypted", remedy: "give what `rclone config show NAME` prints"
            ).of("this rclone configuration")
        }
        let sections = Self.sections(text)
        if !sections.isEmpty {
            let chosen = try Self.chosen(section, of: sections)
            try self.init(json: chosen.json, section: nil)
            if !chosen.name.isEmpty, sections.count == 1 {
                notes.append("this is the token of \(Self.shown(chosen.name))")
            }
            return
        }
        try self.init(json: Array(text), section: section)
    }

    private init(json: [UInt8], section: String?) throws(RequestError) {
        let node: JSONNode
        let expected = "expected {\"refresh_token\": \"…\"}"
        guard json.contains(where: { !isJSONSpace($0) }) else {
            throw Self.whole("is empty", expected)
        }
        do { node = try JSONReader.read(json) } catch {
            // For text that begins as an object, the position of the syntax error helps.
            let detail = json.first == UInt8(ascii: "{") ? ": \(error.problem)" : ""
            throw Self.whole("is not JSON\(detail)", expected)
        }
        guard let members = node.members else {
            throw Self.whole("is \(node.typeName)", Self.wanted)
        }
        let remotes = members.filter { $0.value["token"] != nil }
        if !remotes.isEmpty, members.allSatisfy({ $0.value.members != nil }) {
            let sections = remotes.map { Section(name: $0.key, members: $0.value.members ?? []) }
            self.members = try Self.inner(Self.chosen(section, of: sections).members)
            return
        }
        if section != nil {
            throw Self.whole(
                "is one token and no configuration of several", "leave --section out")
        }
        self.members = try Self.inner(members)
    }

    /// Unwraps a token inside a `token` member, as JSON or as text. The other members are kept, to
    /// be reported as ignored.
    private static func inner(_ members: [JSONMember]) throws(RequestError) -> [JSONMember] {
        guard let index = members.firstIndex(where: { $0.key.hasSameBytes(as: "token") }) else {
            return members
        }
        let value = members[index].value
        var node = value
        if let text = value.text, text.utf8.first == UInt8(ascii: "{") {
            do { node = try JSONReader.read(Array(text.utf8)) } catch {
                throw RequestError(
                    problem: "token is not JSON: \(error.problem)", remedy: "give it as it was")
            }
        }
        guard let inside = node.members else { return members }
        return inside + members[..<index] + members[(index + 1)...]
    }

    // MARK: An rclone configuration

    /// The lines `token = {…}`, each with the name of its section.
    private static func sections(_ text: ArraySlice<UInt8>) -> [Section] {
        var name = ""
        var found: [Section] = []
        for bytes in text.split(whereSeparator: { $0 == 0x0A || $0 == 0x0D }) {
            let line = trimmed(bytes)
            if line.first == UInt8(ascii: "["), line.last == UInt8(ascii: "]") {
                name = String(decoding: line.dropFirst().dropLast(), as: UTF8.self)
            } else if let equals = line.firstIndex(of: UInt8(ascii: "=")),
                trimmed(line[..<equals]).elementsEqual("token".utf8)
            {
                let value = trimmed(line[(equals + 1)...])
                if value.first == UInt8(ascii: "{") {
                    found.append(Section(name: name, json: Array(value)))
                }
            }
        }
        return found
    }

    private static func trimmed(_ line: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        let isBlank = { (byte: UInt8) in byte == 0x20 || byte == 0x09 }
        let end = line.lastIndex { !isBlank($0) }.map { $0 + 1 } ?? line.startIndex
        return line[..<end].drop(while: isBlank)
    }

    /// The requested section, or the only one.
    private static func chosen(
        _ section: String?, of sections: [Section]
    ) throws(RequestError) -> Section {
        if section == nil, sections.count == 1 { return sections[0] }
        let matching = sections.filter { one in
            section.map { one.name.hasSameBytes(as: $0) } ?? false
        }
        if matching.count == 1 { return matching[0] }
        let names = sections.prefix(20).map { shown($0.name) }.joined(separator: ", ")
        throw RequestError(
            problem: section == nil
                ? "there are \(sections.count) tokens: of \(names)"
                : "there are tokens of \(names)",
            remedy: "name one of them with --section NAME")
    }

    /// A section's name if it can be shown: a user chose it.
    private static func shown(_ name: String) -> String {
        name.isPrintableASCII && name.utf8.count <= 64 ? "[\(name)]" : "a section"
    }
}
