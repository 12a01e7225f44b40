/// An instant on the boot clock, which keeps counting while the machine is suspended.
///
/// Deadlines in memory have this type. It has no meaning after a reboot: stored times carry the
/// boot's identity beside it (``Moment``). Source: clock_gettime(2), `CLOCK_BOOTTIME`.
package struct Uptime: InstantProtocol, Hashable, Sendable {
    /// Time since the machine started, suspends included.
    package var sinceBoot: Duration

    /// The instant at this time after the machine's start.
    package init(_ sinceBoot: Duration) { self.sinceBoot = sinceBoot }
    /// Later by this much, or earlier for a negative duration.
    package func advanced(by duration: Duration) -> Uptime { Uptime(sinceBoot + duration) }
    /// Negative where `other` is earlier.
    package func duration(to other: Uptime) -> Duration { other.sinceBoot - sinceBoot }
    /// Earlier comes first; both must be of one boot.
    package static func < (left: Uptime, right: Uptime) -> Bool { left.sinceBoot < right.sinceBoot }
}

/// An instant on the wall clock. People and other hosts use it; the schedule does not.
package struct WallTime: InstantProtocol, Hashable, Sendable {
    /// Since 1970-01-01T00:00:00Z, leap seconds not counted (POSIX).
    package var sinceEpoch: Duration

    /// The instant at this time after the epoch.
    package init(_ sinceEpoch: Duration) { self.sinceEpoch = sinceEpoch }
    /// The instant of a POSIX time.
    package init(epochSeconds: Int64) { sinceEpoch = .seconds(epochSeconds) }
    /// Later by this much, or earlier for a negative duration.
    package func advanced(by duration: Duration) -> WallTime { WallTime(sinceEpoch + duration) }
    /// Negative where `other` is earlier.
    package func duration(to other: WallTime) -> Duration { other.sinceEpoch - sinceEpoch }
    /// Earlier comes first.
    package static func < (left: WallTime, right: WallTime) -> Bool {
        left.sinceEpoch < right.sinceEpoch
    }
    /// Whole seconds, rounded down.
    package var epochSeconds: Int64 {
        let parts = sinceEpoch.components
        return parts.attoseconds < 0 ? parts.seconds - 1 : parts.seconds
    }
}

/// Both clocks and the identity of the boot, read together.
package struct Moment: Hashable, Sendable {
    /// The boot clock.
    package var uptime: Uptime
    /// The wall clock, at the same time.
    package var wall: WallTime
    /// `/proc/sys/kernel/random/boot_id`; uptimes of different boots cannot be compared.
    package var bootID: String

    /// Both readings, which the caller has made together.
    package init(uptime: Uptime, wall: WallTime, bootID: String) {
        (self.uptime, self.wall, self.bootID) = (uptime, wall, bootID)
    }

    /// Later by this much on both clocks, in the same boot.
    package func advanced(by duration: Duration) -> Moment {
        Moment(
            uptime: uptime.advanced(by: duration), wall: wall.advanced(by: duration),
            bootID: bootID)
    }

    /// How long ago `earlier` was: exact within one boot, by the wall clock across boots.
    ///
    /// `nil` when the wall clock puts it in the future: that clock is then unreliable (no battery,
    /// not yet synchronised, another time namespace), and the caller must assume the worst.
    package func elapsed(since earlier: Moment) -> Duration? {
        let isSameBoot = bootID == earlier.bootID
        let elapsed =
            isSameBoot
            ? earlier.uptime.duration(to: uptime) : earlier.wall.duration(to: wall)
        return elapsed < .zero ? nil : elapsed
    }

    /// A smaller movement of the wall clock against the boot clock does not count as a step.
    package static let smallestStep: Duration = .milliseconds(1500)

    /// When this boot began, by the wall clock: it changes only when the wall clock is stepped.
    package var wallAtBoot: WallTime { wall.advanced(by: .zero - uptime.sinceBoot) }

    /// The wall clock's time for an uptime of this boot.
    package func wall(at other: Uptime) -> WallTime {
        wall.advanced(by: uptime.duration(to: other))
    }
}

extension Duration {
    /// In seconds, with the precision of a `Double`.
    package var secondsAsDouble: Double {
        let parts = components
        return Double(parts.seconds) + Double(parts.attoseconds) * 1e-18
    }
    /// Whole nanoseconds; saturates instead of overflowing.
    package var nanoseconds: Int64 {
        let parts = components
        let (whole, overflow) = parts.seconds.multipliedReportingOverflow(by: 1_000_000_000)
        if overflow { return parts.seconds < 0 ? .min : .max }
        let (sum, overflowed) = whole.addingReportingOverflow(parts.attoseconds / 1_000_000_000)
        return overflowed ? .max : sum
    }
    /// So many times 24 hours.
    package static func days(_ days: Int64) -> Duration { .seconds(days * 86_400) }
}

/// A duration as people write it: `"0.5s"`, `"90s"`, `"5m"`, `"12h"`, `"60d"`, `"250ms"`.
/// - Returns: `nil` for anything else, and for more than 100 years.
package func parseDuration(_ text: String) -> Duration? {
    let units: [(String, Double)] = [
        ("ms", 0.001), ("s", 1), ("m", 60), ("h", 3600), ("d", 86_400),
    ]
    for (suffix, seconds) in units where text.hasSuffix(suffix) {
        let number = text.dropLast(suffix.count)
        let parts = number.split(separator: ".", omittingEmptySubsequences: false)
        let isDecimal =
            (1...2).contains(parts.count)
            && parts.allSatisfy { !$0.isEmpty && $0.utf8.allSatisfy(isDigit) }
        guard isDecimal, let value = Double(String(number)) else { continue }
        let total = value * seconds
        guard total <= 100 * 366 * 86_400 else { return nil }
        if let whole = Int64(number), seconds >= 1 { return .seconds(whole * Int64(seconds)) }
        return .milliseconds(Int64((total * 1000).rounded()))
    }
    return nil
}

/// Why a text is not a duration, for people: `"5" has no unit; write 5s or 5m`.
package func durationMistake(_ text: String) -> String {
    isPlainNumber(text)
        ? "\"\(text)\" has no unit; write \(text)s or \(text)m"
        : "\"\(text)\" is not a duration; write 90s or 5m"
}

/// Digits, with at most one point between them.
func isPlainNumber(_ text: String) -> Bool {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    return text.utf8.count <= 16 && (1...2).contains(parts.count)
        && parts.allSatisfy { !$0.isEmpty && $0.utf8.allSatisfy(isDigit) }
}

/// A duration for people, rounded to the smallest unit shown: `"12 min"`, `"1 h 5 min"`, `"2 d 4
/// h"`, `"60 d"`. Below a minute whole seconds, rounded down.
package func describe(_ duration: Duration) -> String {
    let seconds = max(0, duration.components.seconds)
    if seconds < 60 { return "\(seconds) s" }
    // Rounded, so that a duration of one hour does not show as 59 min a moment later.
    let minutes = (seconds + 30) / 60
    if minutes < 60 { return "\(minutes) min" }
    if minutes < 24 * 60 { return two(minutes / 60, "h", minutes % 60, "min") }
    let hours = (seconds + 1800) / 3600
    if hours < 10 * 24 { return two(hours / 24, "d", hours % 24, "h") }
    return "\((seconds + 43_200) / 86_400) d"
}

private func two(_ large: Int64, _ unit: String, _ small: Int64, _ smallUnit: String) -> String {
    small == 0 ? "\(large) \(unit)" : "\(large) \(unit) \(small) \(smallUnit)"
}
