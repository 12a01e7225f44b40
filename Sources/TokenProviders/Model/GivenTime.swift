internal import TokenFormats

/// A time that a template received in epoch seconds, formatted as text.
struct GivenTime {
    let time: WallTime
    /// End of the year 9999: later times have no four-digit year (RFC 3339 section 1).
    private static let latest: Int64 = 253_402_300_799

    /// `nil` for a text that is not such a number.
    init?(_ text: String) {
        guard let seconds = Int64(text), 0...Self.latest ~= seconds else { return nil }
        time = WallTime(epochSeconds: seconds)
    }

    /// `2026-11-30T07:00:00Z`, or with the offset of another zone.
    func rfc3339(_ zone: [String]) -> JSONNode? {
        formatted(["yyyy-MM-dd'T'HH:mm:ssXXX"] + zone)
    }

    /// Formatted by a ``DateTimePattern``, in a zone (default `UTC`).
    func formatted(_ arguments: [String]) -> JSONNode? { formatTime(time, arguments) }

    /// A suggestion for a literal argument that can never be valid.
    static func mistake(in literals: [String?], hasPattern: Bool) -> String? {
        let (pattern, zone) = (hasPattern ? literals[1] : nil, hasPattern ? 2 : 1)
        if let pattern, DateTimePattern(pattern) == nil {
            return "write a pattern such as 'yyyy-MM-dd HH:mm:ss'"
        }
        if literals.count > zone, let name = literals[zone], DateTimePattern.offset(of: name) == nil
        {
            return "write the zone as 'UTC' or '+08:00'"
        }
        return nil
    }
}
