internal import TokenFormats

/// The text formats of a scrape.
package enum MetricsFormat: Sendable, CaseIterable {
    /// OpenMetrics 1.0.
    case openMetrics
    /// The older text format of Prometheus, version 0.0.4: no units, no types `info` and
    /// `stateset`, and no creation times.
    case prometheus

    /// For the Content-Type header of the response.
    package var contentType: String {
        switch self {
        case .openMetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8"
        case .prometheus: "text/plain; version=0.0.4; charset=utf-8"
        }
    }
}

/// Writes one of the text formats.
struct MetricsText {
    enum Kind: String { case gauge, counter, histogram, stateset, info }

    private(set) var text = ""
    private var name = ""
    private let format: MetricsFormat

    init(capacity: Int = 0, format: MetricsFormat = .openMetrics) {
        self.format = format
        text.reserveCapacity(capacity)
    }

    /// Begins a metric family; its samples follow.
    ///
    /// - Parameter unit: The name must end with it.
    mutating func family(_ name: String, _ kind: Kind, unit: String? = nil, _ help: String) {
        self.name = name
        guard format == .openMetrics else { return prometheusFamily(name, kind, help) }
        text += "# TYPE \(name) \(kind.rawValue)\n"
        if let unit { text += "# UNIT \(name) \(unit)\n" }
        text += "# HELP \(name) \(Self.escaped(help))\n"
    }

    /// In this format a family has the name of its samples, and quotes in the help are not escaped.
    private mutating func prometheusFamily(_ name: String, _ kind: Kind, _ help: String) {
        let (suffix, word): (String, String) =
            switch kind {
            case .gauge, .stateset: ("", "gauge")
            case .info: ("_info", "gauge")
            case .counter: ("_total", "counter")
            case .histogram: ("", "histogram")
            }
        let words = help.split(separator: "\n", omittingEmptySubsequences: false).map {
            $0.split(separator: "\\", omittingEmptySubsequences: false).joined(separator: "\\\\")
        }
        text += "# HELP \(name)\(suffix) \(words.joined(separator: "\\n"))\n"
        text += "# TYPE \(name)\(suffix) \(word)\n"
    }

    /// When a counter or histogram was created; written only if the format supports it.
    mutating func created(_ labels: String, _ time: WallTime) {
        if format == .openMetrics { sample("_created", labels, time.epochSeconds) }
    }

    /// - Parameter labels: Output of ``label(_:_:)``, joined by commas; may be empty.
    mutating func sample(_ suffix: String = "", _ labels: String = "", _ value: Int64) {
        begin(suffix, labels)
        text += String(value)
        text += "\n"
    }

    mutating func sample(_ suffix: String = "", _ labels: String = "", _ seconds: Duration) {
        begin(suffix, labels)
        text += Self.number(seconds)
        text += "\n"
    }

    mutating func end() { if format == .openMetrics { text += "# EOF\n" } }

    /// At 10 000 credentials there are 200 000 samples, so no string is built for each.
    private mutating func begin(_ suffix: String, _ labels: String) {
        text += name
        text += suffix
        if !labels.isEmpty {
            text += "{"
            text += labels
            text += "}"
        }
        text += " "
    }

    static func label(_ name: String, _ value: String) -> String {
        "\(name)=\"\(escaped(value))\""
    }

    /// Escapes label values and help texts (OpenMetrics 1.0, `escaped-string`).
    static func escaped(_ text: String) -> String {
        guard text.utf8.contains(where: { $0 == 0x5C || $0 == 0x22 || $0 == 0x0A }) else {
            return text
        }
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": result += "\\\\"
            case "\"": result += "\\\""
            case "\n": result += "\\n"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    /// Without fraction when possible; otherwise to the microsecond, without an exponent.
    private static func number(_ duration: Duration) -> String {
        let microseconds = duration.nanoseconds / 1000
        let (whole, rest) = microseconds.quotientAndRemainder(dividingBy: 1_000_000)
        guard rest != 0 else { return String(whole) }
        let digits = String(abs(rest))
        let zeros = String(repeating: "0", count: 6 - digits.count)
        return "\(microseconds < 0 && whole == 0 ? "-" : "")\(whole).\(zeros)\(digits)"
    }
}
