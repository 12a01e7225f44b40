/// A date and time as text, by the letters of Unicode TR 35 that token endpoints use:
/// `yyyy MM M MMM dd d HH H hh h a mm ss SSS Z X XXX z EEE` and `'quoted text'`. English names
/// whatever the locale; digits are ASCII.
package struct DateTimePattern: Sendable, Equatable {
    enum Field: Sendable, Equatable {
        case literal(String)
        /// The letter and its repeat count.
        case letters(Character, Int)
    }
    let fields: [Field]

    /// `nil` for an unknown letter or an unclosed quote.
    package init?(_ pattern: String) {
        var fields: [Field] = []
        var rest = Substring(pattern)
        while let character = rest.first {
            if character == "'" {
                rest.removeFirst()
                guard let end = rest.firstIndex(of: "'") else { return nil }
                // Two quotes in a row stand for one quote character.
                fields.append(.literal(end == rest.startIndex ? "'" : String(rest[..<end])))
                rest = rest[rest.index(after: end)...]
            } else if character.isASCII, character.isLetter {
                let run = rest.prefix { $0 == character }
                guard Self.isKnown(character, run.count) else { return nil }
                fields.append(.letters(character, run.count))
                rest = rest[run.endIndex...]
            } else {
                fields.append(.literal(String(character)))
                rest.removeFirst()
            }
        }
        guard !fields.isEmpty else { return nil }
        self.fields = fields
    }

    private static func isKnown(_ letter: Character, _ count: Int) -> Bool {
        switch letter {
        case "y": count == 4
        case "M", "X": count <= 3
        case "d", "H", "h", "m", "s": count <= 2
        case "S": count <= 9
        case "a", "z", "Z": count == 1
        case "E": count <= 4
        default: false
        }
    }

    /// Whether the pattern contains year, month and day.
    package var hasDate: Bool {
        ["y", "M", "d"].allSatisfy { (wanted: Character) in
            fields.contains { field in
                if case .letters(let letter, _) = field { letter == wanted } else { false }
            }
        }
    }

    static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]
    static let weekdays = [
        "Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday",
    ]

    /// - Parameters:
    ///   - time: The time to write.
    ///   - offset: Seconds east of UTC.
    package func text(of time: WallTime, offset: Int = 0) -> String {
        let milliseconds = time.sinceEpoch.nanoseconds / 1_000_000
        let local = time.epochSeconds + Int64(offset)
        let civil = CivilTime(epochSeconds: local)
        return fields.map { field in
            switch field {
            case .literal(let text): return text
            case .letters(let letter, let count):
                switch letter {
                case "y": return padded(civil.year, count)
                case "M" where count == 3: return Self.months[civil.month - 1]
                case "M": return padded(civil.month, count)
                case "d": return padded(civil.day, count)
                case "H": return padded(civil.hour, count)
                case "h": return padded((civil.hour + 11) % 12 + 1, count)
                case "a": return civil.hour < 12 ? "AM" : "PM"
                case "m": return padded(civil.minute, count)
                case "s": return padded(civil.second, count)
                case "S":
                    let digits = padded(Int(milliseconds % 1000), 3) + "000000"
                    return String(digits.prefix(count))
                case "E":
                    let days = Int((Double(local) / 86_400).rounded(.down))
                    let name = Self.weekdays[((days % 7) + 7) % 7]
                    return count == 4 ? name : String(name.prefix(3))
                default: return zoneText(letter, count, offset)
                }
            }
        }.joined()
    }

    private func zoneText(_ letter: Character, _ count: Int, _ offset: Int) -> String {
        if letter == "z" { return offset == 0 ? "UTC" : "UTC" + zoneText("X", 3, offset) }
        if letter == "X", offset == 0 { return "Z" }
        let minutes = abs(offset) / 60
        let colon = letter == "X" && count == 3 ? ":" : ""
        return (offset < 0 ? "-" : "+") + padded(minutes / 60, 2) + colon + padded(minutes % 60, 2)
    }

    private func padded(_ number: Int, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }

    /// Seconds since the epoch; `nil` when the text does not fit. Fractions are dropped.
    ///
    /// - Parameters:
    ///   - text: The date and time.
    ///   - offset: Seconds east of UTC, for a text without a zone.
    package func epochSeconds(of text: String, offset: Int = 0) -> Int64? {
        var reading = DateTimeText(rest: Array(text.utf8)[...], offset: offset)
        for field in fields {
            switch field {
            case .literal(let literal): guard reading.take(literal) else { return nil }
            case .letters(let letter, let count):
                guard reading.take(letter, count) else { return nil }
            }
        }
        return reading.epochSeconds
    }

    /// Seconds east of UTC of `UTC`, `Z`, `+08:00` or `-0330`; `nil` for anything else.
    package static func offset(of zone: String) -> Int? {
        var reading = DateTimeText(rest: Array(zone.utf8)[...], offset: 0)
        return reading.takeZone() && reading.rest.isEmpty ? reading.offset : nil
    }
}

/// A text being read by a pattern.
private struct DateTimeText {
    var rest: ArraySlice<UInt8>
    var offset: Int
    private var civil = CivilTime(epochSeconds: 0)
    private var isAfternoon: Bool?

    init(rest: ArraySlice<UInt8>, offset: Int) { (self.rest, self.offset) = (rest, offset) }

    mutating func take(_ literal: String) -> Bool {
        guard rest.starts(with: literal.utf8) else { return false }
        rest = rest.dropFirst(literal.utf8.count)
        return true
    }

    mutating func take(_ letter: Character, _ count: Int) -> Bool {
        switch letter {
        case "y": return number(count).map { civil.year = $0 } != nil
        case "M" where count == 3:
            let name = String(decoding: rest.prefix(3), as: UTF8.self)
            guard let index = DateTimePattern.months.firstIndex(of: name) else { return false }
            rest = rest.dropFirst(3)
            civil.month = index + 1
            return true
        case "M": return number(count).map { civil.month = $0 } != nil
        case "d": return number(count).map { civil.day = $0 } != nil
        case "H", "h": return number(count).map { civil.hour = $0 } != nil
        case "m": return number(count).map { civil.minute = $0 } != nil
        case "s": return number(count).map { civil.second = $0 } != nil
        case "S":
            let digits = rest.prefix(while: isDigit)
            rest = rest.dropFirst(digits.count)
            return !digits.isEmpty
        case "a":
            isAfternoon = rest.starts(with: "PM".utf8)
            return take("PM") || take("AM")
        case "E":
            let letters = rest.prefix { $0 | 0x20 >= 0x61 && $0 | 0x20 <= 0x7A }
            rest = rest.dropFirst(letters.count)
            return !letters.isEmpty
        default: return takeZone()
        }
    }

    /// One letter takes one digit or two; more letters exactly as many digits.
    private mutating func number(_ count: Int) -> Int? {
        let digits = rest.prefix(count == 1 ? 2 : count).prefix(while: isDigit)
        guard count == 1 ? !digits.isEmpty : digits.count == count else { return nil }
        rest = rest.dropFirst(digits.count)
        return Int(String(decoding: digits, as: UTF8.self))
    }

    mutating func takeZone() -> Bool {
        for name in ["UTC", "GMT", "Z"] where take(name) {
            offset = 0
            return true
        }
        guard let sign = rest.first, sign == 0x2B || sign == 0x2D else { return false }
        rest.removeFirst()
        guard let hours = number(2), hours <= 23 else { return false }
        let hasColon = take(":")
        let read = number(2)
        let minutes = read ?? 0
        guard minutes <= 59, read != nil || !hasColon else { return false }
        offset = (sign == 0x2B ? 1 : -1) * (hours * 3600 + minutes * 60)
        return true
    }

    var epochSeconds: Int64? {
        guard rest.isEmpty else { return nil }
        var hour = civil.hour
        if let isAfternoon {
            guard 1...12 ~= hour else { return nil }
            hour = hour % 12 + (isAfternoon ? 12 : 0)
        }
        return CivilTime(
            year: civil.year, month: civil.month, day: civil.day, hour: hour,
            minute: civil.minute, second: civil.second
        )
        .map { $0.epochSeconds - Int64(offset) }
    }
}
