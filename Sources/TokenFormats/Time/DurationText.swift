/// Durations as token endpoints write them.
package enum DurationText {
    /// `P1DT12H30M` (ISO 8601). A year counts 365 days, a month 30.
    package static func iso8601(_ text: String) -> Duration? {
        guard text.utf8.count <= 64, text.isPrintableASCII, text.first == "P" else { return nil }
        var rest = text.dropFirst()
        var isTime = false
        var seconds = 0.0
        var parts = 0
        while let first = rest.first {
            if first == "T", !isTime {
                isTime = true
                rest.removeFirst()
                continue
            }
            guard let amount = takeNumber(&rest), let unit = rest.popFirst(),
                let length = (isTime ? timeUnits : dateUnits)[unit]
            else { return nil }
            seconds += amount * length
            parts += 1
        }
        return parts > 0 ? duration(seconds) : nil
    }

    private static let dateUnits: [Character: Double] = [
        "Y": 31_536_000, "M": 2_592_000, "W": 604_800, "D": 86_400,
    ]
    private static let timeUnits: [Character: Double] = ["H": 3600, "M": 60, "S": 1]

    /// `2h`, `1 day`, `90 minutes`, `1h 30m`; `nil` for a number without a unit.
    package static func words(_ text: String) -> Duration? {
        guard text.utf8.count <= 64, text.isPrintableASCII else { return nil }
        var rest = Substring(text.asciiLowercased)
        var seconds = 0.0
        var parts = 0
        while true {
            rest = rest.drop { $0 == " " || $0 == "," }
            if rest.isEmpty { break }
            guard let amount = takeNumber(&rest) else { return nil }
            rest = rest.drop { $0 == " " }
            let word = String(rest.prefix { $0.isASCII && $0.isLetter })
            guard let length = unitLength(word) else { return nil }
            rest = rest.dropFirst(word.count)
            seconds += amount * length
            parts += 1
        }
        return parts > 0 ? duration(seconds) : nil
    }

    private static func unitLength(_ word: String) -> Double? {
        switch word {
        case "ms", "msec", "msecs", "millisecond", "milliseconds": 0.001
        case "s", "sec", "secs", "second", "seconds": 1
        case "m", "min", "mins", "minute", "minutes": 60
        case "h", "hr", "hrs", "hour", "hours": 3600
        case "d", "day", "days": 86_400
        case "w", "week", "weeks": 604_800
        case "y", "yr", "yrs", "year", "years": 31_536_000
        default: nil
        }
    }

    /// `D:HH:MM`, such as `177:05:38`.
    package static func daysHoursMinutes(_ text: String) -> Duration? {
        guard text.utf8.count <= 64, text.isPrintableASCII else { return nil }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 3, parts.allSatisfy({ (1...5).contains($0.utf8.count) }),
            parts.allSatisfy({ $0.utf8.allSatisfy(isDigit) }), let days = Int64(parts[0]),
            let hours = Int64(parts[1]), let minutes = Int64(parts[2]), hours < 24, minutes < 60
        else { return nil }
        return .seconds(days * 86_400 + hours * 3600 + minutes * 60)
    }

    private static func takeNumber(_ rest: inout Substring) -> Double? {
        let digits = rest.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        guard (1...15).contains(digits.utf8.count), digits.first != ".", digits.last != ".",
            let number = Double(digits)
        else { return nil }
        rest = rest.dropFirst(digits.count)
        return number
    }

    /// 10^9 seconds or more are no lifetime (ProfileRules 6).
    private static func duration(_ seconds: Double) -> Duration? {
        seconds < 1e9 ? .milliseconds(Int64(seconds * 1000)) : nil
    }
}
