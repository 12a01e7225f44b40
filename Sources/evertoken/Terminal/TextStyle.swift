internal import Glibc

/// The style of lines: plain and complete in files and pipes; with colour and bars, and cut or
/// wrapped to the width, on a terminal.
struct TextStyle {
    enum Colour: Int {
        case red = 31
        case green = 32
        case yellow = 33
    }

    var hasColour = false
    /// Whether the terminal's character set has more than ASCII.
    var isUnicode = false
    /// A terminal's columns; `nil` if nothing is cut or wrapped.
    var width: Int?

    static let plain = TextStyle()

    /// Uses colour only on a terminal, and only if it is not disabled (no-color.org, terminfo(5)).
    static func standardOutput() -> TextStyle {
        let isTerminal = isatty(STDOUT_FILENO) == 1
        let isDumb = ["", "dumb"].contains(variable("TERM") ?? "")
        let isRefused = !(variable("NO_COLOR") ?? "").isEmpty
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].compactMap(variable).first { !$0.isEmpty }
        let characters = (locale ?? "").uppercased()
        return TextStyle(
            hasColour: isTerminal && !isDumb && !isRefused,
            isUnicode: isTerminal && (characters.contains("UTF-8") || characters.contains("UTF8")),
            width: isTerminal ? terminalWidth : nil)
    }

    /// 80 if the terminal does not report its width.
    private static var terminalWidth: Int {
        var size = winsize()
        let isKnown = ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0
        return isKnown ? max(40, Int(size.ws_col)) : 80
    }

    private static func variable(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }
    }

    func coloured(_ text: String, _ colour: Colour?) -> String {
        guard hasColour, let colour else { return text }
        return "\u{1B}[\(colour.rawValue)m\(text)\u{1B}[0m"
    }

    func bold(_ text: String) -> String { hasColour ? "\u{1B}[1m\(text)\u{1B}[0m" : text }

    /// Removes what ``coloured(_:_:)`` and ``bold(_:)`` add.
    static func withoutColours(_ text: String) -> String {
        let parts = text.split(separator: "\u{1B}", omittingEmptySubsequences: false)
        let rest = parts.dropFirst().map { $0.drop { $0 != "m" }.dropFirst() }
        return (parts.prefix(1) + rest).joined()
    }

    /// A bar for a remaining fraction, such as `######....`.
    func bar(_ fraction: Double, width: Int) -> String {
        let filled = Int((min(1, max(0, fraction)) * Double(width)).rounded())
        return String(repeating: isUnicode ? "█" : "#", count: filled)
            + String(repeating: isUnicode ? "░" : ".", count: width - filled)
    }

    /// Marks omitted text.
    var mark: String { isUnicode ? "…" : "~" }

    /// Padded with blanks.
    func fitted(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }

    /// Lines that fit the terminal, with two more columns of indentation after the first. Elsewhere
    /// a single line, so that a script finds the whole text.
    func wrapped(_ text: String, indent: String) -> [String] {
        guard let width else { return [indent + text] }
        var lines: [String] = []
        var line = indent
        for word in text.split(separator: " ") {
            if line.count + 1 + word.count >= width, line.count > indent.count {
                lines.append(line)
                line = indent + "  "
            }
            line += line.last == " " || line.isEmpty ? String(word) : " " + word
        }
        return lines + [line]
    }
}
