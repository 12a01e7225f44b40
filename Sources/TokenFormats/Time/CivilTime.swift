/// A date and time of day in UTC, without Foundation's calendars.
package struct CivilTime: Sendable, Equatable {
    package var year = 1970
    package var month = 1
    package var day = 1
    package var hour = 0
    package var minute = 0
    package var second = 0

    /// Source: Howard Hinnant, "chrono-compatible low-level date algorithms", civil_from_days.
    package init(epochSeconds: Int64) {
        let days = (Double(epochSeconds) / 86_400).rounded(.down)
        let secondOfDay = Int(epochSeconds - Int64(days) * 86_400)
        (hour, minute, second) = (secondOfDay / 3600, secondOfDay / 60 % 60, secondOfDay % 60)
        let shifted = Int(days) + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra =
            (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    }

    /// `nil` when a part is out of its range. Leap seconds (`:60`) count as the second before.
    package init?(year: Int, month: Int, day: Int, hour: Int, minute: Int, second: Int) {
        guard 1...9999 ~= year, 1...12 ~= month, 1...31 ~= day, 0...23 ~= hour, 0...59 ~= minute,
            0...60 ~= second
        else { return nil }
        (self.year, self.month, self.day) = (year, month, day)
        (self.hour, self.minute, self.second) = (hour, minute, min(second, 59))
    }

    /// Seconds since 1970-01-01T00:00:00Z (days_from_civil of the same source).
    package var epochSeconds: Int64 {
        let shiftedYear = month <= 2 ? year - 1 : year
        let era = (shiftedYear >= 0 ? shiftedYear : shiftedYear - 399) / 400
        let yearOfEra = shiftedYear - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        let days = era * 146_097 + dayOfEra - 719_468
        return Int64(days) * 86_400 + Int64(hour * 3600 + minute * 60 + second)
    }

    /// `2026-11-21 02:15:00`.
    package var text: String {
        let two = { (number: Int) in number < 10 ? "0\(number)" : "\(number)" }
        return "\(year)-\(two(month))-\(two(day)) \(two(hour)):\(two(minute)):\(two(second))"
    }

    /// RFC 3339, such as `2026-11-21T02:15:00Z` or `…+02:00`; fractions of a second are dropped.
    package static func epochSeconds(rfc3339 text: String) -> Int64? {
        let bytes = Array(text.utf8)
        guard bytes.count >= 20, bytes[4] == 0x2D, bytes[7] == 0x2D,
            [0x54, 0x74, 0x20].contains(bytes[10]), bytes[13] == 0x3A, bytes[16] == 0x3A
        else { return nil }
        func number(_ range: Range<Int>) -> Int? { digits(bytes, range) }
        guard let year = number(0..<4), let month = number(5..<7), let day = number(8..<10),
            let hour = number(11..<13), let minute = number(14..<16), let second = number(17..<19),
            let civil = CivilTime(
                year: year, month: month, day: day, hour: hour, minute: minute, second: second)
        else { return nil }
        var at = 19
        if bytes[at] == 0x2E {
            at += 1
            while at < bytes.count, isDigit(bytes[at]) { at += 1 }
        }
        guard at < bytes.count else { return nil }
        if bytes[at] == 0x5A || bytes[at] == 0x7A {
            return at + 1 == bytes.count ? civil.epochSeconds : nil
        }
        guard bytes[at] == 0x2B || bytes[at] == 0x2D, at + 6 == bytes.count,
            bytes[at + 3] == 0x3A, let hours = number(at + 1..<at + 3),
            let minutes = number(at + 4..<at + 6)
        else { return nil }
        let shift = Int64(hours * 3600 + minutes * 60)
        return civil.epochSeconds + (bytes[at] == 0x2B ? -shift : shift)
    }

    /// The `Date` header's preferred form (RFC 9110 section 5.6.7), such as
    /// `Sat, 21 Nov 2026 02:15:00 GMT`.
    package static func epochSeconds(httpDate text: String) -> Int64? {
        guard text.utf8.count <= 64, text.isPrintableASCII else { return nil }
        let parts = text.split(separator: " ")
        guard parts.count == 6, parts[5] == "GMT", let day = Int(parts[1]),
            let month = DateTimePattern.months.firstIndex(of: String(parts[2])),
            let year = Int(parts[3])
        else { return nil }
        let clock = parts[4].split(separator: ":").compactMap { Int($0) }
        guard clock.count == 3 else { return nil }
        return CivilTime(
            year: year, month: month + 1, day: day, hour: clock[0], minute: clock[1],
            second: clock[2])?.epochSeconds
    }

    private static func digits(_ bytes: [UInt8], _ range: Range<Int>) -> Int? {
        guard range.upperBound <= bytes.count, bytes[range].allSatisfy(isDigit) else { return nil }
        return Int(String(decoding: bytes[range], as: UTF8.self))
    }
}
