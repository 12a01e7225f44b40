/// Reads expiry fields in every encoding the profiles know.
struct ExpiryReading {
    let answer: ReadableAnswer
    let root: JSONPointer?
    /// What absolute times are measured from.
    let now: WallTime

    struct Found: Equatable {
        var lifetime: Duration
        var isZero: Bool
    }

    /// The first that resolves to a usable time. Unusable ones (negative, `null`, a boolean,
    /// not a number, too large) count as missing: never a crash, never a loop (I23).
    func first(of specifications: [ExpirySpecification]) -> Found? {
        for specification in specifications {
            if let found = read(specification) { return found }
        }
        return nil
    }

    /// How far apart the first two usable ones are, if that is worth a note. A few seconds are the
    /// time the answer took.
    func disagreement(of specifications: [ExpirySpecification]) -> Duration? {
        let found = specifications.compactMap { read($0, isPastFine: true) }
        guard found.count > 1 else { return nil }
        let difference = found[0].lifetime - found[1].lifetime
        let magnitude = difference < .zero ? .zero - difference : difference
        return magnitude > .seconds(5) ? magnitude : nil
    }

    /// - Parameter isPastFine: For comparing; a token is never granted for a time that has passed.
    func read(_ specification: ExpirySpecification, isPastFine: Bool = false) -> Found? {
        guard let node = answer.select(specification.from, root: root) else { return nil }
        switch specification.encoding {
        case .seconds: return relative(node, scale: 1)
        case .milliseconds: return relative(node, scale: 0.001)
        case .minutes: return relative(node, scale: 60)
        case .hours: return relative(node, scale: 3600)
        case .epochSeconds: return number(node).flatMap { absolute($0, isPastFine) }
        case .epochMilliseconds: return number(node).flatMap { absolute($0 / 1000, isPastFine) }
        case .rfc3339:
            return node.text.flatMap(CivilTime.epochSeconds(rfc3339:))
                .flatMap { absolute(Double($0), isPastFine) }
        case .iso8601Duration: return node.text.flatMap(DurationText.iso8601).map(found)
        case .textDuration: return node.text.flatMap(DurationText.words).map(found)
        case .daysHoursMinutes:
            return node.text.flatMap(DurationText.daysHoursMinutes).map(found)
        case .dateTime(let pattern, let zone):
            return node.canonicalText.flatMap { pattern.epochSeconds(of: $0, offset: zone) }
                .flatMap { absolute(Double($0), isPastFine) }
        case .auto:
            guard let value = number(node) else {
                let text = node.text ?? ""
                let time =
                    CivilTime.epochSeconds(rfc3339: text) ?? CivilTime.epochSeconds(httpDate: text)
                return time.flatMap { absolute(Double($0), isPastFine) }
            }
            if value < 1e9 { return relative(node, scale: 1) }
            return absolute(value < 1e11 ? value : value / 1000, isPastFine)
        }
    }

    /// Less than a second is no life that anybody could use.
    private func found(_ lifetime: Duration) -> Found {
        Found(lifetime: lifetime, isZero: lifetime < .seconds(1))
    }

    /// A JSON number, or a string of digits.
    private func number(_ node: JSONNode) -> Double? {
        switch node.kind {
        case .number(let literal): return Double(literal).flatMap { $0.isFinite ? $0 : nil }
        case .string(let text):
            guard (1...20).contains(text.utf8.count), text.utf8.allSatisfy(isDigit) else {
                return nil
            }
            return Double(text)
        default: return nil
        }
    }

    /// Seconds from 10^9 on look like an absolute time and are refused (rule 6).
    private func relative(_ node: JSONNode, scale: Double) -> Found? {
        guard let value = number(node), value >= 0, value * scale < 1e9 else { return nil }
        return found(.milliseconds(Int64(value * scale * 1000)))
    }

    private func absolute(_ epochSeconds: Double, _ isPastFine: Bool) -> Found? {
        if epochSeconds == 0 { return Found(lifetime: .zero, isZero: true) }
        guard epochSeconds > 0, epochSeconds < 1e12 else { return nil }
        let lifetime = now.duration(to: WallTime(.milliseconds(Int64(epochSeconds * 1000))))
        return (isPastFine || lifetime > .zero) && lifetime < .seconds(1_000_000_000)
            ? Found(lifetime: lifetime, isZero: false) : nil
    }
}
