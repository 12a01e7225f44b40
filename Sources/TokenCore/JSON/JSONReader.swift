/// Why a document is not JSON, and where.
public struct JSONSyntaxError: Error, Equatable, Sendable {
    /// Byte offset of the mistake.
    public var offset: Int
    /// What is wrong there. Quotes nothing of the document: it may hold a secret.
    public var problem: String
}

/// A strict JSON reader (RFC 8259): UTF-8 only, no duplicate keys, no trailing bytes, bounded
/// depth.
///
/// Config, profiles, stored state and token answers all go through it. Foundation's readers give
/// no position, and accept duplicate keys silently.
public struct JSONReader {
    /// Arrays and objects nested deeper than this are refused.
    public static let maximumDepth = 32

    private let bytes: [UInt8]
    private var at = 0

    /// - Throws: ``JSONSyntaxError`` at the first byte that does not belong.
    public static func read(_ bytes: [UInt8]) throws(JSONSyntaxError) -> JSONNode {
        var reader = JSONReader(bytes: bytes)
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) {
            throw JSONSyntaxError(offset: 0, problem: "starts with a byte order mark; remove it")
        }
        reader.skipSpace()
        let value = try reader.value(depth: 0)
        reader.skipSpace()
        guard reader.at == bytes.count else { throw reader.error("more text after the value") }
        return value
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    private var byte: UInt8? { at < bytes.count ? bytes[at] : nil }

    private func error(_ problem: String) -> JSONSyntaxError {
        JSONSyntaxError(
            offset: at, problem: at >= bytes.count ? "the document ends too early" : problem)
    }

    private mutating func skipSpace() {
        while let byte, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { at += 1 }
    }

    private mutating func value(depth: Int) throws(JSONSyntaxError) -> JSONNode {
        guard depth <= Self.maximumDepth else { throw error("nested too deeply") }
        let start = at
        switch byte {
        case UInt8(ascii: "{"): return JSONNode(.object(try object(depth)), offset: start)
        case UInt8(ascii: "["): return JSONNode(.array(try array(depth)), offset: start)
        case UInt8(ascii: "\""): return JSONNode(.string(try string()), offset: start)
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        case .some(let byte) where byte == UInt8(ascii: "-") || isDigit(byte):
            return JSONNode(.number(try number()), offset: start)
        default: throw error("expected a value")
        }
    }

    private mutating func word(
        _ word: String, _ kind: JSONNode.Kind
    ) throws(JSONSyntaxError) -> JSONNode {
        let start = at
        guard bytes[at...].starts(with: word.utf8) else { throw error("expected a value") }
        at += word.utf8.count
        return JSONNode(kind, offset: start)
    }

    private mutating func array(_ depth: Int) throws(JSONSyntaxError) -> [JSONNode] {
        at += 1
        var elements: [JSONNode] = []
        skipSpace()
        if byte == UInt8(ascii: "]") {
            at += 1
            return elements
        }
        while true {
            skipSpace()
            elements.append(try value(depth: depth + 1))
            skipSpace()
            switch byte {
            case UInt8(ascii: ","): at += 1
            case UInt8(ascii: "]"):
                at += 1
                return elements
            default: throw error("expected ',' or ']'")
            }
        }
    }

    private mutating func object(_ depth: Int) throws(JSONSyntaxError) -> [JSONMember] {
        at += 1
        var members: [JSONMember] = []
        var seen: Set<ByteText> = []
        skipSpace()
        if byte == UInt8(ascii: "}") {
            at += 1
            return members
        }
        while true {
            skipSpace()
            let start = at
            guard byte == UInt8(ascii: "\"") else { throw error("expected a key in quotes") }
            let key = try string()
            guard seen.insert(ByteText(key)).inserted else {
                throw JSONSyntaxError(offset: start, problem: "this key appears twice")
            }
            skipSpace()
            guard byte == UInt8(ascii: ":") else { throw error("expected ':'") }
            at += 1
            skipSpace()
            members.append(JSONMember(key, try value(depth: depth + 1), keyOffset: start))
            skipSpace()
            switch byte {
            case UInt8(ascii: ","): at += 1
            case UInt8(ascii: "}"):
                at += 1
                return members
            default: throw error("expected ',' or '}'")
            }
        }
    }

    private mutating func number() throws(JSONSyntaxError) -> String {
        let start = at
        if byte == UInt8(ascii: "-") { at += 1 }
        if byte == UInt8(ascii: "0") {
            at += 1
            if let byte, isDigit(byte) { throw error("a number may not start with 0") }
        } else {
            try digits()
        }
        if byte == UInt8(ascii: ".") {
            at += 1
            try digits()
        }
        if byte == UInt8(ascii: "e") || byte == UInt8(ascii: "E") {
            at += 1
            if byte == UInt8(ascii: "+") || byte == UInt8(ascii: "-") { at += 1 }
            try digits()
        }
        return String(decoding: bytes[start..<at], as: UTF8.self)
    }

    private mutating func digits() throws(JSONSyntaxError) {
        guard let first = byte, isDigit(first) else { throw error("expected a digit") }
        while let byte, isDigit(byte) { at += 1 }
    }

    private mutating func string() throws(JSONSyntaxError) -> String {
        at += 1
        var text: [UInt8] = []
        while true {
            guard let byte else { throw error("") }
            switch byte {
            case UInt8(ascii: "\""):
                at += 1
                guard let valid = String(validating: text, as: UTF8.self) else {
                    throw error("this text is not UTF-8")
                }
                return valid
            case UInt8(ascii: "\\"):
                at += 1
                try escape(into: &text)
            case 0..<0x20: throw error("a control character must be escaped")
            default:
                text.append(byte)
                at += 1
            }
        }
    }

    private mutating func escape(into text: inout [UInt8]) throws(JSONSyntaxError) {
        guard let byte else { throw error("") }
        at += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"):
            var scalar = UInt32(try codeUnit())
            if scalar & 0xFC00 == 0xD800 {
                guard bytes[at...].starts(with: [UInt8(ascii: "\\"), UInt8(ascii: "u")]) else {
                    throw error("half of a surrogate pair")
                }
                at += 2
                let low = UInt32(try codeUnit())
                guard low & 0xFC00 == 0xDC00 else { throw error("half of a surrogate pair") }
                scalar = 0x10000 + (scalar & 0x3FF) << 10 + (low & 0x3FF)
            }
            guard let character = Unicode.Scalar(scalar) else {
                throw error("half of a surrogate pair")
            }
            text.append(contentsOf: UTF8.encode(character) ?? UTF8.encodedReplacementCharacter)
        default:
            at -= 1
            throw error("unknown escape")
        }
    }

    private mutating func codeUnit() throws(JSONSyntaxError) -> UInt16 {
        var value: UInt16 = 0
        for _ in 0..<4 {
            guard let byte, let digit = hexadecimalValue(byte) else {
                throw error("expected four hexadecimal digits")
            }
            value = value << 4 | UInt16(digit)
            at += 1
        }
        return value
    }
}

func isDigit(_ byte: UInt8) -> Bool { byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") }

func hexadecimalValue(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
}
