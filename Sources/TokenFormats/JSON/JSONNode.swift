/// A JSON value (RFC 8259) that remembers where in its document it began.
package struct JSONNode: Sendable {
    /// What the value is. Numbers keep their text, so reading never rounds them.
    package enum Kind: Sendable {
        case null
        case bool(Bool)
        case number(String)
        case string(String)
        case array([JSONNode])
        case object([JSONMember])
    }

    package var kind: Kind
    /// Byte offset of the value's first byte; 0 for a value that was not read from a document.
    package var offset: Int

    package init(_ kind: Kind, offset: Int = 0) { (self.kind, self.offset) = (kind, offset) }
}

/// One `"key": value` of an object, in document order.
package struct JSONMember: Sendable {
    package var key: String
    package var keyOffset: Int
    package var value: JSONNode

    package init(_ key: String, _ value: JSONNode, keyOffset: Int = 0) {
        (self.key, self.keyOffset, self.value) = (key, keyOffset, value)
    }
}

extension JSONMember: Equatable {
    /// Members compare equal wherever they are in the document.
    package static func == (left: JSONMember, right: JSONMember) -> Bool {
        left.key.hasSameBytes(as: right.key) && left.value == right.value
    }
}

extension JSONNode: Equatable {
    /// Values compare equal wherever they are in the document.
    package static func == (left: JSONNode, right: JSONNode) -> Bool { left.kind == right.kind }
}

extension JSONNode.Kind: Equatable {
    /// Texts are compared by their bytes (RFC 8259 section 8.3).
    package static func == (left: JSONNode.Kind, right: JSONNode.Kind) -> Bool {
        switch (left, right) {
        case (.null, .null): true
        case (.bool(let one), .bool(let other)): one == other
        case (.number(let one), .number(let other)), (.string(let one), .string(let other)):
            one.hasSameBytes(as: other)
        case (.array(let one), .array(let other)): one == other
        case (.object(let one), .object(let other)): one == other
        case (.null, _), (.bool, _), (.number, _), (.string, _), (.array, _), (.object, _): false
        }
    }
}

extension JSONNode {
    package subscript(_ key: String) -> JSONNode? {
        members?.first { $0.key.hasSameBytes(as: key) }?.value
    }
    package var members: [JSONMember]? {
        if case .object(let members) = kind { members } else { nil }
    }
    package var elements: [JSONNode]? {
        if case .array(let elements) = kind { elements } else { nil }
    }
    package var text: String? {
        if case .string(let text) = kind { text } else { nil }
    }
    package var flag: Bool? {
        if case .bool(let flag) = kind { flag } else { nil }
    }
    /// The number as an integer; `nil` for a fraction or when it does not fit.
    package var integer: Int64? {
        guard case .number(let literal) = kind else { return nil }
        return Int64(literal)
    }
    package var isNull: Bool { if case .null = kind { true } else { false } }

    /// One spelling for comparing: `0` and `"0"` are the same, `true` and `"true"` too
    /// (ProfileRules 5). `nil` for arrays, objects and null.
    package var canonicalText: String? {
        switch kind {
        case .string(let text): text
        case .bool(let flag): flag ? "true" : "false"
        case .number(let literal): canonicalNumber(literal)
        case .null, .array, .object: nil
        }
    }

    /// A short name for error messages.
    package var typeName: String {
        switch kind {
        case .null: "null"
        case .bool: "a boolean"
        case .number: "a number"
        case .string: "a string"
        case .array: "an array"
        case .object: "an object"
        }
    }
}

/// `1.0`, `1e0` and `1` become `1`; anything else keeps its text.
private func canonicalNumber(_ literal: String) -> String {
    if Int64(literal) != nil { return literal == "-0" ? "0" : literal }
    if let value = Double(literal), value == value.rounded(), value.magnitude < 1e15 {
        return String(Int64(value))
    }
    return literal
}

// Literals in source code.
extension JSONNode: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral,
    ExpressibleByBooleanLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral,
    ExpressibleByNilLiteral
{
    package init(stringLiteral value: String) { self.init(.string(value)) }
    package init(integerLiteral value: Int64) { self.init(.number(String(value))) }
    package init(booleanLiteral value: Bool) { self.init(.bool(value)) }
    package init(arrayLiteral elements: JSONNode...) { self.init(.array(elements)) }
    package init(dictionaryLiteral elements: (String, JSONNode)...) {
        self.init(.object(elements.map { JSONMember($0.0, $0.1) }))
    }
    package init(nilLiteral: ()) { self.init(.null) }

    package static func string(_ text: String) -> JSONNode { JSONNode(.string(text)) }
    package static func integer(_ value: Int64) -> JSONNode { JSONNode(.number(String(value))) }
    package static func bool(_ value: Bool) -> JSONNode { JSONNode(.bool(value)) }
    package static func array(_ elements: [JSONNode]) -> JSONNode { JSONNode(.array(elements)) }
    package static func object(_ members: [(String, JSONNode?)]) -> JSONNode {
        JSONNode(
            .object(members.compactMap { key, value in value.map { JSONMember(key, $0) } }))
    }
}
