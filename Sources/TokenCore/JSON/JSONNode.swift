/// A JSON value (RFC 8259) that remembers where in its document it began.
public struct JSONNode: Sendable {
    /// What the value is. Numbers keep their text, so reading never rounds them.
    public enum Kind: Sendable {
        case null
        case bool(Bool)
        case number(String)
        case string(String)
        case array([JSONNode])
        case object([JSONMember])
    }

    public var kind: Kind
    /// Byte offset of the value's first byte; 0 for a value that was not read from a document.
    public var offset: Int

    public init(_ kind: Kind, offset: Int = 0) { (self.kind, self.offset) = (kind, offset) }
}

/// One `"key": value` of an object, in document order.
public struct JSONMember: Sendable {
    public var key: String
    public var keyOffset: Int
    public var value: JSONNode

    public init(_ key: String, _ value: JSONNode, keyOffset: Int = 0) {
        (self.key, self.keyOffset, self.value) = (key, keyOffset, value)
    }
}

extension JSONMember: Equatable {
    /// Members compare equal wherever they are in the document.
    public static func == (left: JSONMember, right: JSONMember) -> Bool {
        left.key.hasSameBytes(as: right.key) && left.value == right.value
    }
}

extension JSONNode: Equatable {
    /// Values compare equal wherever they are in the document.
    public static func == (left: JSONNode, right: JSONNode) -> Bool { left.kind == right.kind }
}

extension JSONNode.Kind: Equatable {
    /// Texts are compared by their bytes (RFC 8259 section 8.3).
    public static func == (left: JSONNode.Kind, right: JSONNode.Kind) -> Bool {
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
    public subscript(_ key: String) -> JSONNode? {
        members?.first { $0.key.hasSameBytes(as: key) }?.value
    }
    public var members: [JSONMember]? {
        if case .object(let members) = kind { members } else { nil }
    }
    public var elements: [JSONNode]? {
        if case .array(let elements) = kind { elements } else { nil }
    }
    public var text: String? {
        if case .string(let text) = kind { text } else { nil }
    }
    public var flag: Bool? {
        if case .bool(let flag) = kind { flag } else { nil }
    }
    /// The number as an integer; `nil` for a fraction or when it does not fit.
    public var integer: Int64? {
        guard case .number(let literal) = kind else { return nil }
        return Int64(literal)
    }
    public var isNull: Bool { if case .null = kind { true } else { false } }

    /// One spelling for comparing: `0` and `"0"` are the same, `true` and `"true"` too
    /// (ProfileRules 5). `nil` for arrays, objects and null.
    public var canonicalText: String? {
        switch kind {
        case .string(let text): text
        case .bool(let flag): flag ? "true" : "false"
        case .number(let literal): canonicalNumber(literal)
        case .null, .array, .object: nil
        }
    }

    /// A short name for error messages.
    public var typeName: String {
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
    public init(stringLiteral value: String) { self.init(.string(value)) }
    public init(integerLiteral value: Int64) { self.init(.number(String(value))) }
    public init(booleanLiteral value: Bool) { self.init(.bool(value)) }
    public init(arrayLiteral elements: JSONNode...) { self.init(.array(elements)) }
    public init(dictionaryLiteral elements: (String, JSONNode)...) {
        self.init(.object(elements.map { JSONMember($0.0, $0.1) }))
    }
    public init(nilLiteral: ()) { self.init(.null) }

    public static func string(_ text: String) -> JSONNode { JSONNode(.string(text)) }
    public static func integer(_ value: Int64) -> JSONNode { JSONNode(.number(String(value))) }
    public static func bool(_ value: Bool) -> JSONNode { JSONNode(.bool(value)) }
    public static func array(_ elements: [JSONNode]) -> JSONNode { JSONNode(.array(elements)) }
    public static func object(_ members: [(String, JSONNode?)]) -> JSONNode {
        JSONNode(
            .object(members.compactMap { key, value in value.map { JSONMember(key, $0) } }))
    }
}
