internal import Glibc
internal import TokenFormats

/// The user's clock: local time with its offset, as journalctl shows it, or UTC.
struct ReaderClock: Sendable {
    /// Returns the zone's offset in seconds east of UTC, at a time in epoch seconds.
    let secondsEast: @Sendable (Int64) -> Int
    let isUTC: Bool

    static let utc = ReaderClock(secondsEast: { _ in 0 }, isUTC: true)

    /// By TZ and /etc/localtime (tzset(3)).
    static func local() -> ReaderClock {
        tzset()
        return ReaderClock(
            secondsEast: { seconds in
                var (time, parts) = (time_t(seconds), tm())
                return localtime_r(&time, &parts) == nil ? 0 : parts.tm_gmtoff
            }, isUTC: false)
    }

    /// `2026-11-21 03:15:00 +0100`, or `2026-11-21 02:15:00 UTC`.
    func dated(_ time: WallTime) -> String {
        civil(time).text + " " + (isUTC ? "UTC" : Self.offset(secondsEast(time.epochSeconds)))
    }

    /// `03:15` on the present day, `Nov 20 03:15` on another; followed by ` UTC` in UTC.
    ///
    /// - Parameter hasSeconds: Shows `03:15:00`.
    func short(_ time: WallTime, now: WallTime, hasSeconds: Bool = false) -> String {
        let (then, today) = (civil(time), civil(now))
        let isToday = (then.year, then.month, then.day) == (today.year, today.month, today.day)
        let clock = then.text.split(separator: " ").last.map { $0.prefix(hasSeconds ? 8 : 5) } ?? ""
        let day = isToday ? "" : "\(Self.months[then.month - 1]) \(then.day) "
        return day + clock + (isUTC ? " UTC" : "")
    }

    private func civil(_ time: WallTime) -> CivilTime {
        CivilTime(epochSeconds: time.epochSeconds + Int64(secondsEast(time.epochSeconds)))
    }

    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    private static func offset(_ seconds: Int) -> String {
        let minutes = abs(seconds) / 60
        let digits = String(minutes / 60 * 100 + minutes % 60)
        return (seconds < 0 ? "-" : "+") + String(repeating: "0", count: 4 - digits.count) + digits
    }
}

/// Times relative to now, in words.
struct TimeWords {
    let now: WallTime

    /// The time left; `nil` if less than a second.
    func left(until time: WallTime) -> String? {
        let left = now.duration(to: time)
        return left < .seconds(1) ? nil : describe(left)
    }

    /// `2 min ago`, or `just now`.
    func ago(_ time: WallTime) -> String {
        let gone = time.duration(to: now)
        return gone < .seconds(1) ? "just now" : describe(gone) + " ago"
    }

    /// A duration: `350 ms`, `6.0 s`, `2 min`.
    static func took(_ duration: Duration) -> String {
        let milliseconds = max(0, duration.nanoseconds / 1_000_000)
        if milliseconds < 1000 { return "\(milliseconds) ms" }
        // Shows 59.96 s as a minute, not as 60.0 s.
        guard milliseconds < 59_950 else { return describe(max(duration, .seconds(60))) }
        let tenths = (milliseconds + 50) / 100
        return "\(tenths / 10).\(tenths % 10) s"
    }
}
