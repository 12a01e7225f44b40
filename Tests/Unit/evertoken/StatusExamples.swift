@testable import TokenControl
@testable import TokenFormats
@testable import evertoken

/// Status replies of a daemon for tests.
enum StatusExamples {
    /// 2026-11-30 10:00:00 UTC.
    static let noon = WallTime(epochSeconds: 1_796_032_800)

    static func time(_ seconds: Int64) -> JSONNode { .integer(noon.epochSeconds + seconds) }

    /// - Parameters:
    /// - life: Remaining seconds of the token; `nil` without a token.
    ///   - next: Seconds until the next attempt.
    static func entry(
        _ name: String, _ state: String = "fresh", life: Int64? = 3600, next: Int64? = 2400,
        error: JSONNode? = nil, more: [(String, JSONNode)] = []
    ) -> JSONNode {
        let told: [(String, JSONNode)] = [
            ("name", .string(name)), ("provider", "acme"), ("state", .string(state)),
            ("issued_at", life.map { time($0 - 3600) } ?? JSONNode(.null)),
            ("expires_at", life.map { time($0) } ?? JSONNode(.null)),
            ("next_refresh_at", next.map { time($0) } ?? JSONNode(.null)),
            ("last_error", error ?? JSONNode(.null)), ("warnings", .array([])),
        ]
        return .object(told.filter { key, _ in !more.contains { $0.0 == key } } + more)
    }

    static func error(
        _ problem: String, remedy: String = "Do this", more: [(String, JSONNode)] = []
    ) -> JSONNode {
        .object(
            [
                ("class", "reauth"), ("http_status", 400), ("problem", .string(problem)),
                ("remedy", .string(remedy)), ("at", time(-60)),
            ] + more)
    }

    static func status(_ entries: [JSONNode], more: [(String, JSONNode)] = []) -> JSONNode {
        .object([("version", 1), ("credentials", .array(entries))] + more)
    }

    static func table(
        _ entries: [JSONNode], width: Int? = nil, more: [(String, JSONNode)] = []
    ) -> StatusTable {
        let report = StatusReport(json: status(entries, more: more))
        var table = StatusTable(report.credentials, of: report, now: noon)
        table.style.width = width
        return table
    }
}
