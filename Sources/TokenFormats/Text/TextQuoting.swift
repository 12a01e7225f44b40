/// Quotes a text as one word of a file that another program reads: text from a provider must not
/// end the word or begin a command.
///
/// Each result is a complete literal, quoted where necessary.
package enum TextQuoting: String, CaseIterable, Sendable {
    /// A word of the POSIX shell (XCU section 2.2.2) and of systemd's EnvironmentFile=.
    case shell
    /// A string of RFC 8259.
    case json
    /// A value of git-config(1), systemd.syntax(7) and similar formats.
    case ini
    /// A token of netrc(5) as curl and Python read it.
    case netrc
    /// A parameter in a file of curl --config (curl(1)).
    case curl

    /// `nil` for a text with a character that the format cannot express.
    package func quote(_ text: String) -> String? {
        switch self {
        case .shell: Self.shell(text)
        case .json: String(decoding: JSONNode.string(text).serialized(), as: UTF8.self)
        case .ini: Self.isHarmless(text) ? text : Self.inDoubleQuotes(text, escapes: [:])
        case .netrc:
            Self.isHarmless(text)
                ? text : Self.inDoubleQuotes(text, escapes: [0x09: "t", 0x0A: "n", 0x0D: "r"])
        case .curl:
            Self.inDoubleQuotes(
                text, escapes: [0x09: "t", 0x0A: "n", 0x0B: "v", 0x0D: "r"])
        }
    }

    /// Whether no reader treats any of its characters specially.
    package static func isHarmless(_ text: String) -> Bool {
        !text.isEmpty
            && text.utf8.allSatisfy {
                isDigit($0) || ($0 | 0x20 >= 0x61 && $0 | 0x20 <= 0x7A)
                    || "-._~+/=:,@%".utf8.contains($0)
            }
    }

    /// Inside single quotes only the quote itself is special.
    private static func shell(_ text: String) -> String? {
        guard !text.utf8.contains(0) else { return nil }
        if isHarmless(text) { return text }
        var bytes = [UInt8(ascii: "'")]
        for byte in text.utf8 {
            if byte == UInt8(ascii: "'") {
                bytes += Array("'\\''".utf8)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes + [UInt8(ascii: "'")], as: UTF8.self)
    }

    /// - Parameter escapes: For each control character with an escape, the letter after the
    ///   backslash.
    private static func inDoubleQuotes(_ text: String, escapes: [UInt8: String]) -> String? {
        var bytes = [UInt8(ascii: "\"")]
        for byte in text.utf8 {
            if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") {
                bytes += [UInt8(ascii: "\\"), byte]
            } else if let letter = escapes[byte] {
                bytes += Array("\\\(letter)".utf8)
            } else if byte < 0x20 || byte == 0x7F {
                return nil
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes + [UInt8(ascii: "\"")], as: UTF8.self)
    }
}
