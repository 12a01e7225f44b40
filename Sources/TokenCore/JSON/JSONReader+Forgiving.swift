// What strict reading (RFC 8259) refuses and a response may still hold its tokens in.
extension JSONReader {
    /// The object or array that begins at an offset, read as forgivingly as ``ForgivenJSON`` says.
    /// Of a document that ends too early it is what was whole until then.
    static func readForgivingly(_ bytes: [UInt8], from start: Int) -> ForgivenJSON {
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

    /// Whether the mistake at this place is that the document ends, and that is forgiven: the
    /// value under way is left out.
    mutating func mayEndHere() -> Bool {
        guard forgiven != nil, at >= bytes.count else { return false }
        forgiven?.isCut = true
        return true
    }

    /// Steps over the end of an array or object behind a comma, where that is forgiven.
    mutating func mayEndWithComma() -> Bool {
        guard forgiven != nil else { return false }
        forgiven?.isLoose = true
        at += 1
        return true
    }

    /// A value that is no JSON, such as `NaN`, `+3600` or nothing at all: a number where it spells
    /// one, otherwise as if it were not there. It is never a text: `undefined` is no token.
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

    /// Letters, digits and what numbers and names hold; `nil` for none.
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

    /// Whether a word may end here.
    func endsWord() -> Bool {
        guard let byte else { return false }
        return byte <= 0x20 || ",:]}/".utf8.contains(byte)
    }

    /// Over an array or object that is nested deeper than any response, without recursion.
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
