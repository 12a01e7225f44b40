/// Why a document is not JSON, and where.
package struct JSONSyntaxError: Error, Equatable, Sendable {
    /// Byte offset of the mistake.
    package var offset: Int
    /// What is wrong there. Never quotes the document: it may contain a secret.
    package var problem: String
}

/// A strict JSON reader (RFC 8259): UTF-8 only, no duplicate keys, no trailing bytes, bounded
/// depth.
///
/// Configuration, profiles, stored state and token responses all use it. Foundation's readers give
/// no position and silently accept duplicate keys.
package struct JSONReader {
    /// Arrays and objects nested deeper than this are refused.
    package static let maximumDepth = 32

    let bytes: [UInt8]
    var at = 0
    /// What lenient reading has tolerated; `nil` for strict reading.
    var forgiven: ForgivenJSON?

    /// - Throws: ``JSONSyntaxError`` at the first byte that violates the grammar.
    package static func read(_ bytes: [UInt8]) throws(JSONSyntaxError) -> JSONNode {
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

    init(bytes: [UInt8]) { self.bytes = bytes }

    var byte: UInt8? { at < bytes.count ? bytes[at] : nil }

    func error(_ problem: String) -> JSONSyntaxError {
        JSONSyntaxError(
            offset: at,
            problem: at >= bytes.count ? "the document ends too early" : custom ?? problem)
    }

    /// Names the usual extension of JSON (comments, single quotes, trailing commas) found here.
    private var custom: String? {
        let next = at + 1 < bytes.count ? bytes[at + 1] : 0
        switch byte {
        case UInt8(ascii: "#"): return "JSON has no comments; take it out"
        case UInt8(ascii: "/") where next == UInt8(ascii: "/") || next == UInt8(ascii: "*"):
            return "JSON has no comments; take it out"
        case UInt8(ascii: "]"), UInt8(ascii: "}"):
            let before = bytes[..<at].last { !isJSONSpace($0) }
            return before == UInt8(ascii: ",")
                ? "there is a comma behind the last value, which JSON has not; take it out" : nil
        default: return nil
        }
    }

    private mutating func skipSpace() {
        while let byte, isJSONSpace(byte) { at += 1 }
        if forgiven != nil, byte == UInt8(ascii: "/"), stepOverComment() { skipSpace() }
    }

    mutating func value(depth: Int) throws(JSONSyntaxError) -> JSONNode {
        let start = at
        guard depth <= Self.maximumDepth else {
            guard forgiven != nil else { throw error("nested too deeply") }
            try stepOverNested()
            return JSONNode(.null, offset: start)
        }
        switch byte {
        case UInt8(ascii: "{"): return JSONNode(.object(try object(depth)), offset: start)
        case UInt8(ascii: "["): return JSONNode(.array(try array(depth)), offset: start)
        case UInt8(ascii: "\""): return JSONNode(.string(try string()), offset: start)
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        case UInt8(ascii: "'") where forgiven != nil:
            return JSONNode(.string(try string()), offset: start)
        case .some(let byte) where byte == UInt8(ascii: "-") || isDigit(byte):
            guard forgiven != nil else { return JSONNode(.number(try number()), offset: start) }
            if let literal = try? number(), endsWord() { return JSONNode(.number(literal)) }
            at = start
            return try looseWord()
        default:
            guard forgiven != nil else { throw error("expected a value") }
            return try looseWord()
        }
    }

    private mutating func word(
        _ word: String, _ kind: JSONNode.Kind
    ) throws(JSONSyntaxError) -> JSONNode {
        let start = at
        guard bytes[at...].starts(with: word.utf8) else {
            if forgiven != nil { return try looseWord() }
            throw error("expected a value")
        }
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
            do throws(JSONSyntaxError) {
                skipSpace()
                if byte == UInt8(ascii: "]"), mayEndWithComma() { return elements }
                elements.append(try value(depth: depth + 1))
                skipSpace()
                switch byte {
                case UInt8(ascii: ","): at += 1
                case UInt8(ascii: "]"):
                    at += 1
                    return elements
                default: throw error("expected ',' or ']'")
                }
            } catch {
                if mayEndHere() { return elements }
                throw error
            }
        }
    }

    private mutating func object(_ depth: Int) throws(JSONSyntaxError) -> [JSONMember] {
        at += 1
        var members: [JSONMember] = []
        var seen = KeyPlaces()
        skipSpace()
        if byte == UInt8(ascii: "}") {
            at += 1
            return members
        }
        while true {
            do throws(JSONSyntaxError) {
                skipSpace()
                if byte == UInt8(ascii: "}"), mayEndWithComma() { return members }
                let (member, place) = try member(depth, after: members, &seen)
                if let place {
                    forgiven?.replaced.append(members[place])
                    members[place] = member
                } else {
                    members.append(member)
                }
                skipSpace()
                switch byte {
                case UInt8(ascii: ","): at += 1
                case UInt8(ascii: "}"):
                    at += 1
                    return members
                default: throw error("expected ',' or '}'")
                }
            } catch {
                if mayEndHere() { return members }
                throw error
            }
        }
    }

    /// A key, its colon and its value.
    ///
    /// - Parameter seen: The keys of the members before it.
    /// - Returns: Also the index of an earlier member that has the same key.
    private mutating func member(
        _ depth: Int, after members: [JSONMember], _ seen: inout KeyPlaces
    ) throws(JSONSyntaxError) -> (JSONMember, Int?) {
        let start = at
        let key: String
        if byte == UInt8(ascii: "\"") || (forgiven != nil && byte == UInt8(ascii: "'")) {
            key = try string()
        } else if forgiven != nil, let word = bareWord() {
            key = word
        } else {
            throw error("expected a key in quotes")
        }
        let place = seen.place(of: key, in: members)
        if place != nil, forgiven == nil {
            throw JSONSyntaxError(offset: start, problem: "this key appears twice")
        }
        skipSpace()
        guard byte == UInt8(ascii: ":") else { throw error("expected ':'") }
        at += 1
        skipSpace()
        return (JSONMember(key, try value(depth: depth + 1), keyOffset: start), place)
    }

    mutating func number() throws(JSONSyntaxError) -> String {
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
        // The last digits of a number at the end of a truncated document may be missing.
        if forgiven != nil, at >= bytes.count { throw error("") }
        return String(decoding: bytes[start..<at], as: UTF8.self)
    }

    private mutating func digits() throws(JSONSyntaxError) {
        guard let first = byte, isDigit(first) else { throw error("expected a digit") }
        while let byte, isDigit(byte) { at += 1 }
    }

    mutating func string() throws(JSONSyntaxError) -> String {
        let quote = bytes[at]
        if quote == UInt8(ascii: "'") { forgiven?.isLoose = true }
        at += 1
        var text: [UInt8] = []
        while true {
            // What stands for itself is taken over in one piece: nearly always all of it.
            let start = at
            while at < bytes.count, bytes[at] >= 0x20, bytes[at] != quote,
                bytes[at] != UInt8(ascii: "\\")
            { at += 1 }
            text += bytes[start..<at]
            guard let byte else { throw error("") }
            switch byte {
            case quote:
                at += 1
                if let valid = String(validating: text, as: UTF8.self) { return valid }
                guard forgiven != nil else { throw error("this text is not UTF-8") }
                forgiven?.isLoose = true
                return String(decoding: text, as: UTF8.self)
            case UInt8(ascii: "\\"):
                at += 1
                try escape(into: &text)
            case 0..<0x20 where forgiven == nil:
                throw error("a control character must be escaped")
            default:
                if byte < 0x20 { forgiven?.isLoose = true }
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
        case UInt8(ascii: "u"): try unicodeEscape(into: &text)
        default:
            guard forgiven != nil else {
                at -= 1
                throw error("unknown escape")
            }
            forgiven?.isLoose = true
            text.append(byte)
        }
    }

    private mutating func unicodeEscape(into text: inout [UInt8]) throws(JSONSyntaxError) {
        var scalar = UInt32(try codeUnit())
        let isHigh = scalar & 0xFC00 == 0xD800
        if isHigh, bytes[at...].starts(with: [UInt8(ascii: "\\"), UInt8(ascii: "u")]) {
            at += 2
            let low = UInt32(try codeUnit())
            if low & 0xFC00 == 0xDC00 { scalar = 0x10000 + (scalar & 0x3FF) << 10 + (low & 0x3FF) }
        }
        guard let character = Unicode.Scalar(scalar) else {
            guard forgiven != nil else { throw error("half of a surrogate pair") }
            forgiven?.isLoose = true
            return text.append(contentsOf: UTF8.encodedReplacementCharacter)
        }
        text.append(contentsOf: UTF8.encode(character) ?? UTF8.encodedReplacementCharacter)
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
