// Syntax that strict reading (RFC 8259) refuses although the response still contains its tokens.
extension JSONReader {
    /// Reads the object or array that begins at `start`, as leniently as ``ForgivenJSON`` says.
    /// From a truncated document it keeps what was complete.
    package static func readForgivingly(_ bytes: [UInt8], from start: Int) -> ForgivenJSON {
        var reader = JSONReader(bytes: bytes)
        (reader.at, reader.forgiven) = (start, ForgivenJSON())
        let node = try? reader.value(depth: 0)
        var found = reader.forgiven ?? ForgivenJSON()
        found.isValue = node != nil
        (found.node, found.start, found.end) = (
            node ?? found.node, start, max(reader.at, start + 1)
        )
        return found
    }

    /// Whether the syntax error here is the end of a truncated document, and lenient reading is on:
    /// the incomplete value is left out.
    mutating func mayEndHere() -> Bool {
        guard forgiven != nil, at >= bytes.count else { return false }
        forgiven?.isCut = true
        return true
    }

    /// Skips a closing bracket after a trailing comma, where lenient reading is on.
    mutating func mayEndWithComma() -> Bool {
        guard forgiven != nil else { return false }
        forgiven?.isLoose = true
        at += 1
        return true
    }

    /// A value that is not JSON, such as `NaN`, `+3600` or nothing at all: a number when it spells
    /// one, otherwise an absent value. Never a string: `undefined` is not a token.
    mutating func looseWord() throws(JSONSyntaxError) -> JSONNode {
        let start = at
        let word = bareWord()
        guard at < bytes.count else { throw error("") }
        guard endsWord() else { throw error("expected a value") }
        forgiven?.isLoose = true
        guard let word, Double(word)?.isFinite == true, word.utf8.contains(where: isDigit),
            word.utf8.allSatisfy({ isDigit($0) || "+-.eE".utf8.contains($0) })
        else { return JSONNode(.null, offset: start) }
        return JSONNode(.string(word), offset: start)
    }

    /// An unquoted word of letters, digits and the other characters of numbers and names; `nil` if
    /// there is none.
    mutating func bareWord() -> String? {
        let start = at
        while let byte,
            isDigit(byte) || (0x61...0x7A).contains(byte | 0x20)
                || "+-._$".utf8.contains(byte)
        {
            at += 1
        }
        guard at > start else { return nil }
        forgiven?.isLoose = true
        return String(decoding: bytes[start..<at], as: UTF8.self)
    }

    /// Whether an unquoted word may end at the present position.
    func endsWord() -> Bool {
        guard let byte else { return false }
        return byte <= 0x20 || ",:]}/".utf8.contains(byte)
    }

    /// Skips an array or object that is nested deeper than any known response, without recursion.
    mutating func stepOverNested() throws(JSONSyntaxError) {
        var depth = 0
        forgiven?.isLoose = true
        while let byte {
            switch byte {
            case UInt8(ascii: "\""): _ = try string()
            case UInt8(ascii: "["), UInt8(ascii: "{"):
                depth += 1
                at += 1
            case UInt8(ascii: "]"), UInt8(ascii: "}"):
                if depth == 0 { return }
                depth -= 1
                at += 1
                if depth == 0 { return }
            case UInt8(ascii: ","):
                if depth == 0 { return }
                at += 1
            default: at += 1
            }
        }
        throw error("")
    }

    /// - Returns: Whether there was one.
    mutating func stepOverComment() -> Bool {
        let rest = bytes[at...].dropFirst()
        switch rest.first {
        case UInt8(ascii: "/"): at = rest.firstIndex(of: 0x0A) ?? bytes.count
        case UInt8(ascii: "*"):
            at += 2
            while at < bytes.count, !bytes[at...].starts(with: [0x2A, 0x2F]) { at += 1 }
            at = min(at + 2, bytes.count)
        default: return false
        }
        forgiven?.isLoose = true
        return true
    }
}
