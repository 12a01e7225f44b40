/// One value of a configuration file with its path; records mistakes at its own place.
///
/// A reader returns `nil` after recording a mistake, so that reading goes on and every mistake of
/// the file is reported in one run.
package struct FieldReader {
    package let node: JSONNode
    /// The object of which this is a member; the path is built only for a mistake.
    private let owner: ObjectReader?
    /// The key in ``owner``; without one the whole path.
    private let name: String
    /// Where to point when the value itself is in no file (it came from a base profile).
    package let fallbackOffset: Int
    package let document: ConfigurationDocument

    package init(
        _ node: JSONNode, path: String, fallbackOffset: Int, document: ConfigurationDocument
    ) {
        (self.node, owner, name, self.document) = (node, nil, path, document)
        self.fallbackOffset = node.offset >= 0 ? node.offset : fallbackOffset
    }

    /// A member of an object.
    fileprivate init(_ member: JSONMember, of owner: ObjectReader) {
        (node, self.owner, name) = (member.value, owner, member.key)
        document = owner.field.document
        fallbackOffset = node.offset >= 0 ? node.offset : owner.field.fallbackOffset
    }

    /// `credentials.crm.refresh.at`.
    package var path: String {
        guard let above = owner?.field.path, !above.isEmpty else { return name }
        return above + "." + name
    }

    /// Inherited values are skipped: their mistake is recorded where their own profile is read.
    package func mistake(_ problem: String, _ remedy: String) {
        if node.offset < 0 { return }
        document.record(at: fallbackOffset, path: path, problem, remedy)
    }

    /// The same place with another value.
    package func replaced(by node: JSONNode) -> FieldReader {
        FieldReader(node, path: path, fallbackOffset: fallbackOffset, document: document)
    }

    package func child(_ node: JSONNode, _ suffix: String) -> FieldReader {
        FieldReader(
            node, path: path.isEmpty ? suffix : path + suffix, fallbackOffset: fallbackOffset,
            document: document)
    }

    package func string(_ example: String) -> String? {
        guard let text = node.text else { return wrongType("a string, such as \(example)") }
        return text
    }

    package func nonEmptyString(_ example: String) -> String? {
        guard let text = string(example) else { return nil }
        guard !text.isEmpty else {
            mistake("is empty", "write a text, such as \(example)")
            return nil
        }
        return text
    }

    package func bool() -> Bool? {
        guard let flag = node.flag else { return wrongType("true or false") }
        return flag
    }

    package func integer(in range: ClosedRange<Int>) -> Int? {
        guard let value = node.integer, let number = Int(exactly: value), range ~= number else {
            let expected = "a whole number from \(range.lowerBound) to \(range.upperBound)"
            if case .number = node.kind {
                mistake("is out of range", "write \(expected)")
                return nil
            }
            return wrongType(expected)
        }
        return number
    }

    /// `"0640"` as 0o640. A JSON number is refused: decimal 640 would be mode 01200.
    package func fileMode() -> UInt32? {
        guard let text = node.text, text.utf8.count == 4, text.hasPrefix("0"),
            let mode = UInt32(text, radix: 8)
        else { return wrongType("an octal mode in quotes, such as \"0640\"") }
        return mode
    }

    package func choice<Value>(_ choices: [(String, Value)]) -> Value? {
        guard let text = node.text, let found = choices.first(where: { $0.0 == text }) else {
            let names = choices.map { "\"\($0.0)\"" }.joined(separator: ", ")
            let near = node.text.flatMap { nearest($0, among: choices.map(\.0)) }
            return wrongType("one of \(names)" + (near.map { " (\"\($0)\"?)" } ?? ""))
        }
        return found.1
    }

    package func array() -> [FieldReader]? {
        guard let elements = node.elements else { return wrongType("an array, [ … ]") }
        return elements.enumerated().map { child($1, "[\($0)]") }
    }

    package func nonEmptyArray() -> [FieldReader]? {
        guard let elements = array() else { return nil }
        guard !elements.isEmpty else {
            mistake("is an empty array", "give it at least one element or leave the key out")
            return nil
        }
        return elements
    }

    package func object() -> ObjectReader? {
        guard node.members != nil else { return wrongType("an object, { … }") }
        return ObjectReader(self)
    }

    package func wrongType<Value>(_ expected: String) -> Value? {
        mistake(node.text == nil ? "is \(node.typeName)" : "is not valid", "write \(expected)")
        return nil
    }
}

/// An object whose keys are taken one by one; `finish()` reports the keys that remain.
package final class ObjectReader {
    package let field: FieldReader
    private let members: [JSONMember]
    /// Which of the members were taken.
    private var isTaken: [Bool]
    private var known: [String] = []

    package init(_ field: FieldReader) {
        self.field = field
        members = field.node.members ?? []
        isTaken = Array(repeating: false, count: members.count)
    }

    package func take(_ key: String) -> FieldReader? {
        known.append(key)
        guard let index = members.firstIndex(where: { $0.key == key }) else { return nil }
        isTaken[index] = true
        return reader(of: members[index])
    }

    /// Every member, for objects whose keys are names.
    package func takeAll() -> [(name: String, key: FieldReader, value: FieldReader)] {
        isTaken = Array(repeating: true, count: members.count)
        return members.map { member in
            let value = reader(of: member)
            let key = FieldReader(
                JSONNode(.string(member.key), offset: member.keyOffset), path: value.path,
                fallbackOffset: field.fallbackOffset, document: field.document)
            return (member.key, key, value)
        }
    }

    package func require(_ key: String, _ example: String) -> FieldReader? {
        if let found = take(key) { return found }
        field.document.record(
            at: field.fallbackOffset, path: field.path, "\"\(key)\" is missing",
            "add it, such as \(example)")
        return nil
    }

    /// - Parameter isSecret: An unknown key may be the secret itself, so the message does not quote
    ///   it.
    package func finish(isSecret: Bool = false) {
        for (member, isTaken) in zip(members, isTaken) where !isTaken {
            let near = nearest(member.key, among: known)
            field.document.record(
                at: member.keyOffset >= 0 ? member.keyOffset : field.fallbackOffset,
                path: isSecret ? field.path : reader(of: member).path,
                isSecret ? "has an unknown key" : "unknown key",
                near.map { "write \"\($0)\"" }
                    ?? "write one of \(known.sorted().joined(separator: ", "))")
        }
    }

    private func reader(of member: JSONMember) -> FieldReader {
        FieldReader(member, of: self)
    }
}
