internal import TokenFormats

/// Reads one expiry field, in every encoding that profiles can declare.
struct ExpiryReading {
    let response: ReadableResponse
    let root: JSONPointer?

    /// The value of an expiry field.
    enum Said: Equatable {
        /// Measured from when the response was made; zero or negative when already expired.
        case relative(Duration)
        /// A time of the server's clock.
        case absolute(WallTime)
        /// Zero, which some servers write for "never" and some for "unknown".
        case zero
        /// The field exists but contains no readable time.
        case unusable
    }

    /// - Returns: `nil` when the field is missing or `null`. Any other value is read without a
    ///   crash or an endless loop (I23).
    func read(_ specification: ExpirySpecification) -> Said? {
        guard let node = response.select(specification.from, root: root), !node.isNull else {
            return nil
        }
        switch specification.encoding {
        case .seconds: return relative(number(node), scale: 1)
        case .milliseconds: return relative(number(node), scale: 0.001)
        case .minutes: return relative(number(node), scale: 60)
        case .hours: return relative(number(node), scale: 3600)
        case .epochSeconds: return absolute(number(node))
        case .epochMilliseconds: return absolute(number(node).map { $0 / 1000 })
        case .rfc3339: return absolute(node.text.flatMap(CivilTime.epochSeconds(rfc3339:)))
        case .iso8601Duration: return duration(node.text.flatMap(DurationText.iso8601))
        case .textDuration: return duration(node.text.flatMap(DurationText.words))
        case .daysHoursMinutes: return duration(node.text.flatMap(DurationText.daysHoursMinutes))
        case .dateTime(let pattern, let zone):
            return absolute(
                node.canonicalText.flatMap { pattern.epochSeconds(of: $0, offset: zone) })
        case .auto:
            guard let value = number(node) else {
                let text = node.text ?? ""
                return absolute(
                    CivilTime.epochSeconds(rfc3339: text)
                        ?? CivilTime.epochSeconds(httpDate: text))
            }
            if value < 1e9 { return relative(value, scale: 1) }
            return absolute(value < 1e11 ? value : value / 1000)
        }
    }

    /// A JSON number, or a string that spells one, possibly with surrounding blanks.
    private func number(_ node: JSONNode) -> Double? {
        switch node.kind {
        case .number(let literal): return Double(literal).flatMap { $0.isFinite ? $0 : nil }
        case .string(let text):
            let digits = text.trimmedOfSpace
            guard 1...40 ~= digits.utf8.count,
                digits.utf8.allSatisfy({ isDigit($0) || "+-.eE".utf8.contains($0) })
            else { return nil }
            return Double(String(digits)).flatMap { $0.isFinite ? $0 : nil }
        default: return nil
        }
    }

    /// Seconds from 10^9 on look like an absolute time and are refused (ProfileRules 6).
    private func relative(_ value: Double?, scale: Double) -> Said {
        guard let seconds = value.map({ $0 * scale }), seconds < 1e9 else { return .unusable }
        return duration(.milliseconds(Int64(max(-1e9, seconds) * 1000)))
    }

    /// No program could use a lifetime of less than a second.
    private func duration(_ duration: Duration?) -> Said {
        guard let duration else { return .unusable }
        return duration >= .zero && duration < .seconds(1) ? .zero : .relative(duration)
    }

    private func absolute(_ epochSeconds: Int64?) -> Said {
        absolute(epochSeconds.map(Double.init))
    }

    private func absolute(_ epochSeconds: Double?) -> Said {
        guard let epochSeconds, epochSeconds >= 0, epochSeconds < 1e12 else { return .unusable }
        if epochSeconds == 0 { return .zero }
        return .absolute(WallTime(.milliseconds(Int64(epochSeconds * 1000))))
    }
}
