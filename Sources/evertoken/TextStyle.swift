import Glibc

/// How lines look: plain in files and pipes, with colour and bars on a terminal.
struct TextStyle {
    enum Colour: Int {
        case red = 31
        case green = 32
        case yellow = 33
    }

    var hasColour = false
    /// Whether the terminal's character set has more than ASCII.
    var isUnicode = false

    static let plain = TextStyle()

    /// Colour only on a terminal, and never where somebody said no (no-color.org, terminfo(5)).
    static func standardOutput() -> TextStyle {
        let isTerminal = isatty(STDOUT_FILENO) == 1
        let isDumb = ["", "dumb"].contains(variable("TERM") ?? "")
        let isRefused = !(variable("NO_COLOR") ?? "").isEmpty
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].compactMap(variable).first { !$0.isEmpty }
        let characters = (locale ?? "").uppercased()
        return TextStyle(
            hasColour: isTerminal && !isDumb && !isRefused,
            isUnicode: isTerminal && (characters.contains("UTF-8") || characters.contains("UTF8")))
    }

    private static func variable(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }
    }

    func coloured(_ text: String, _ colour: Colour?) -> String {
        guard hasColour, let colour else { return text }
        return "\u{1B}[\(colour.rawValue)m\(text)\u{1B}[0m"
    }

    func bold(_ text: String) -> String { hasColour ? "\u{1B}[1m\(text)\u{1B}[0m" : text }

    /// What is left of a whole, such as `######....`.
    func bar(_ fraction: Double, width: Int) -> String {
        let filled = Int((min(1, max(0, fraction)) * Double(width)).rounded())
        return String(repeating: isUnicode ? "█" : "#", count: filled)
            + String(repeating: isUnicode ? "░" : ".", count: width - filled)
    }

    /// Cut to a width, and said so.
    func fitted(_ text: String, _ width: Int) -> String {
        guard text.count > width else {
            return text + String(repeating: " ", count: width - text.count)
        }
        let mark = isUnicode ? "…" : "~"
        return String(text.prefix(width - 1)) + mark
    }
}

/// Lines of at most 79 columns; the ones after the first are indented by two more.
func wrapped(_ text: String, indent: String) -> [String] {
    var lines: [String] = []
    var line = indent
    for word in text.split(separator: " ") {
        if line.count + word.count > 78, line.count > indent.count {
            lines.append(line)
            line = indent + "  "
        }
        line += line.last == " " || line.isEmpty ? String(word) : " " + word
    }
    return lines + [line]
}
