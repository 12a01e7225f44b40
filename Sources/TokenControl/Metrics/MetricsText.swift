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

    private(set) var bytes: [UInt8] = []
    private var name = ""
    private let format: MetricsFormat

    init(format: MetricsFormat = .openMetrics) { self.format = format }

    /// What was written since the last call.
    mutating func take() -> [UInt8] {
        defer { bytes = [] }
        return bytes
    }

    private mutating func write(_ text: String) { bytes += text.utf8 }

    /// Begins a metric family; its samples follow.
    ///
    /// - Parameter unit: The name must end with it.
    mutating func family(_ name: String, _ kind: Kind, unit: String? = nil, _ help: String) {
        self.name = name
        guard format == .openMetrics else { return prometheusFamily(name, kind, help) }
        write("# TYPE \(name) \(kind.rawValue)\n")
        if let unit { write("# UNIT \(name) \(unit)\n") }
        write("# HELP \(name) \(Self.escaped(help))\n")
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
        write("# HELP \(name)\(suffix) \(words.joined(separator: "\\n"))\n")
        write("# TYPE \(name)\(suffix) \(word)\n")
    }

    /// When a counter or histogram was created; written only if the format supports it.
    mutating func created(_ labels: String, _ time: WallTime) {
        if format == .openMetrics { sample("_created", labels, time.epochSeconds) }
    }

    /// - Parameter labels: Output of ``label(_:_:)``, joined by commas; may be empty.
    mutating func sample(_ suffix: String = "", _ labels: String = "", _ value: Int64) {
        begin(suffix, labels)
        end(String(value))
    }

    mutating func sample(_ suffix: String = "", _ labels: String = "", _ seconds: Duration) {
        begin(suffix, labels)
        end(Self.number(seconds))
    }

    /// The samples of credentials are nearly the whole text, two millions at 100 000 credentials:
    /// no string is built for one.
    ///
    /// - Parameters:
    ///   - credential: A configured name, which needs no escaping.
    ///   - more: Further labels, each with a comma before it.
    mutating func sample(
        _ suffix: String = "", of credential: String, more: String = "", _ value: Int64
    ) {
        begin(suffix, of: credential, more)
        end(String(value))
    }

    mutating func sample(of credential: String, _ seconds: Duration) {
        begin("", of: credential, "")
        end(Self.number(seconds))
    }

    mutating func end() { if format == .openMetrics { write("# EOF\n") } }

    private mutating func begin(_ suffix: String, _ labels: String) {
        write(name)
        write(suffix)
        write(labels.isEmpty ? " " : "{\(labels)} ")
    }

    private mutating func begin(_ suffix: String, of credential: String, _ more: String) {
        write(name)
        write(suffix)
        write("{credential=\"")
        write(credential)
        write("\"")
        write(more)
        write("} ")
    }

    private mutating func end(_ value: String) {
        write(value)
        write("\n")
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
