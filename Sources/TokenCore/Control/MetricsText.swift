/// Writes the OpenMetrics 1.0 text format.
struct MetricsText {
    enum Kind: String { case gauge, counter, histogram, stateset, info }

    private(set) var text = ""
    private var name = ""

    init(capacity: Int = 0) { text.reserveCapacity(capacity) }

    /// Begins a metric family; its samples follow.
    ///
    /// - Parameter unit: The name must end with it.
    mutating func family(_ name: String, _ kind: Kind, unit: String? = nil, _ help: String) {
        self.name = name
        text += "# TYPE \(name) \(kind.rawValue)\n"
        if let unit { text += "# UNIT \(name) \(unit)\n" }
        text += "# HELP \(name) \(Self.escaped(help))\n"
    }

    /// - Parameter labels: As ``label(_:_:)`` writes them, with commas between; may be empty.
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

    mutating func end() { text += "# EOF\n" }

    /// At 10 000 credentials there are 200 000 samples: no string is built for each.
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

    /// For label values and help alike (OpenMetrics 1.0, `escaped-string`).
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

    /// Whole where it is; otherwise to the microsecond, without an exponent.
    private static func number(_ duration: Duration) -> String {
        let microseconds = duration.nanoseconds / 1000
        let (whole, rest) = microseconds.quotientAndRemainder(dividingBy: 1_000_000)
        guard rest != 0 else { return String(whole) }
        let digits = String(abs(rest))
        let zeros = String(repeating: "0", count: 6 - digits.count)
        return "\(microseconds < 0 && whole == 0 ? "-" : "")\(whole).\(zeros)\(digits)"
    }
}
