/// How a text becomes one word of a file that another program reads: what a provider wrote must not
/// end the word, nor begin a command.
///
/// Each result is the whole literal, with its quotes where it needs them.
enum TextQuoting: String, CaseIterable, Sendable {
    /// POSIX shell (XCU section 2.2.2), and systemd's EnvironmentFile=.
    case shell
    /// A string of RFC 8259.
    case json
    /// A value of git-config(1), systemd.syntax(7) and their like.
    case ini
    /// A token of netrc(5) as curl and Python read it.
    case netrc
    /// A parameter in a file of curl --config (curl(1)).
    case curl

    /// `nil` for a text with a character that cannot be written there.
    func quote(_ text: String) -> String? {
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

    /// Nothing is special to any reader in it.
    static func isHarmless(_ text: String) -> Bool {
        !text.isEmpty
            && text.utf8.allSatisfy {
                isDigit($0) || ($0 | 0x20 >= 0x61 && $0 | 0x20 <= 0x7A)
                    || "-._~+/=:,@%".utf8.contains($0)
            }
    }

    /// Inside single quotes nothing is special but the quote itself.
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

    /// - Parameter escapes: The letter behind a backslash for each control character that has one.
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
