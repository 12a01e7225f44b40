/// A regular expression with its text, ready to run.
package struct Pattern: Sendable, Equatable {
    package let text: String
    private let program: PatternProgram

    /// `nil` unless the text is a pattern (ProfileRules 11).
    package init?(_ text: String) {
        guard let program = PatternProgram(text) else { return nil }
        (self.text, self.program) = (text, program)
    }

    package static func == (left: Pattern, right: Pattern) -> Bool { left.text == right.text }

    /// The first group of the first match, or all of it; `nil` without a match.
    package func firstMatch(in subject: String) -> String? { program.firstMatch(in: subject) }

    package func matches(_ subject: String) -> Bool { firstMatch(in: subject) != nil }

    package func matchesWhole(_ subject: String) -> Bool {
        program.firstMatch(in: subject, isWhole: true) != nil
    }

    /// Whether the pattern matches only whole texts: `^…$` without a choice outside of groups.
    package var isAnchored: Bool {
        guard text.hasPrefix("^"), text.hasSuffix("$"), !text.hasSuffix("\\$") else { return false }
        var depth = 0
        var isInClass = false
        var isEscaped = false
        for character in text {
            if isEscaped {
                isEscaped = false
                continue
            }
            switch character {
            case "\\": isEscaped = true
            case "[": isInClass = true
            case "]": isInClass = false
            case "(" where !isInClass: depth += 1
            case ")" where !isInClass: depth -= 1
            case "|" where !isInClass && depth == 0: return false
            default: break
            }
        }
        return true
    }
}
