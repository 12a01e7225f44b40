// Durations and percentages. A number without its unit or sign is the common mistake: the message
// suggests what it may have meant.
extension FieldReader {
    package func duration() -> Duration? {
        if let number = plainNumber {
            mistake("\(asWritten(number)) has no unit", "write \"\(number)s\"")
            return nil
        }
        guard let text = node.text, let duration = parseDuration(text) else {
            return wrongType("a duration with its unit, such as \"90s\", \"5m\" or \"0.5s\"")
        }
        return duration
    }

    /// `"67%"` as 0.67.
    package func fraction() -> Double? {
        if let number = plainNumber, let value = Double(number), value <= 100 {
            mistake(
                "\(asWritten(number)) is not a percentage",
                "write \"\(value <= 1 ? percent(value) : number)%\"")
            return nil
        }
        guard let text = node.text, text.hasSuffix("%"),
            isPlainNumber(String(text.dropLast())), let percent = Double(text.dropLast()),
            percent <= 100
        else { return wrongType("a fraction with its sign, such as \"67%\"") }
        return percent / 100
    }

    /// The text of a value that is only a number, quoted or not.
    private var plainNumber: String? {
        switch node.kind {
        case .number(let text), .string(let text): isPlainNumber(text) ? text : nil
        case .null, .bool, .array, .object: nil
        }
    }

    private func asWritten(_ number: String) -> String {
        node.text == nil ? number : "\"\(number)\""
    }

    private func percent(_ fraction: Double) -> String {
        let percent = (fraction * 1000).rounded() / 10
        return percent == percent.rounded() ? String(Int(percent)) : String(percent)
    }
}
