/// A secret as its source gives it: a file, a systemd credential, an environment variable or the
/// output of a program.
///
/// Editors, shells and other systems add bytes that do not belong to a secret: a byte order mark,
/// line ends, blanks. These are removed at both ends. Characters inside that no secret can contain
/// are refused before anything is sent.
package struct SecretText: Sendable, Equatable {
    /// How many lines a secret may have.
    package enum Shape: Sendable, Equatable {
        case line
        /// A key or a certificate, or what a profile declares `multiline`.
        case lines
    }

    package var secret: Secret
    /// What versions before 0.2 read from the same text: only one newline at its end removed. `nil`
    /// when that gives the same text.
    package var former: Secret?
    /// What was removed besides a newline at the end, in words; `nil` if nothing.
    package var trimming: String?

    /// A secret written in the configuration itself: nothing is removed.
    package init(_ secret: Secret) { self.secret = secret }

    /// - Parameters:
    ///   - bytes: The bytes of the source.
    ///   - shape: Whether the text may have several lines.
    ///   - isExact: The text is the secret, byte by byte (`"trim": false`).
    /// - Throws: ``RequestError`` for text that is not UTF-8, is empty, or contains what no secret
    ///   can; phrased to follow the name of its source, without any of the text.
    package init(_ bytes: [UInt8], shape: Shape, isExact: Bool = false) throws(RequestError) {
        let isUTF16 = bytes.starts(with: [0xFF, 0xFE]) || bytes.starts(with: [0xFE, 0xFF])
        guard !isUTF16 else {
            throw RequestError(
                problem: "is UTF-16 text, by its byte order mark", remedy: "save it as UTF-8")
        }
        let inside = isExact ? bytes[...] : Self.trimmed(bytes)
        guard let text = String(validating: inside, as: UTF8.self) else {
            throw RequestError(problem: "is not UTF-8 text", remedy: "save it as UTF-8")
        }
        guard !text.isEmpty else {
            throw RequestError(
                problem: bytes.isEmpty ? "is empty" : "is empty but for white space",
                remedy: "put the secret there")
        }
        if !isExact, let mistake = Self.mistake(in: text, shape: shape) { throw mistake }
        secret = Secret(text)
        if let former = Self.former(bytes), former != secret { self.former = former }
        if !isExact { trimming = Self.trimming(bytes, around: inside) }
    }

    /// What versions before 0.2 read; `nil` where they refused the text.
    private static func former(_ bytes: [UInt8]) -> Secret? {
        let kept = bytes.last == 0x0A ? bytes.dropLast() : bytes[...]
        guard !kept.isEmpty else { return nil }
        return String(validating: kept, as: UTF8.self).map { Secret($0) }
    }

    private static let mark: [UInt8] = [0xEF, 0xBB, 0xBF]

    /// Without byte order marks, blanks, tabs and line ends at both ends.
    private static func trimmed(_ bytes: [UInt8]) -> ArraySlice<UInt8> {
        var rest = bytes[...]
        while true {
            if let first = rest.first, isJSONSpace(first) {
                rest = rest.dropFirst()
            } else if rest.starts(with: mark) {
                rest = rest.dropFirst(mark.count)
            } else if let last = rest.last, isJSONSpace(last) {
                rest = rest.dropLast()
            } else if rest.suffix(mark.count).elementsEqual(mark) {
                rest = rest.dropLast(mark.count)
            } else {
                return rest
            }
        }
    }

    private static func trimming(_ bytes: [UInt8], around inside: ArraySlice<UInt8>) -> String? {
        let parts = [
            ("before", bytes[..<inside.startIndex]), ("after", bytes[inside.endIndex...]),
        ].compactMap { side, dropped -> String? in
            guard !dropped.isEmpty, side == "before" || !dropped.elementsEqual([0x0A]) else {
                return nil
            }
            let kinds = [
                (mark[0], "a byte order mark"), (0x20, "blanks"), (0x09, "tabs"),
                (0x0D, "carriage returns"), (0x0A, "line feeds"),
            ].filter { dropped.contains($0.0) }.map(\.1)
            return "\(kinds.joined(separator: ", ")) \(side) it"
        }
        return parts.isEmpty ? nil : parts.joined(separator: " and ")
    }

    /// Refuses Unicode's control characters (category Cc); any other character may be in a secret.
    private static func mistake(in text: String, shape: Shape) -> RequestError? {
        var hasLines = false
        var hasTab = false
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 0x0A, 0x0D: hasLines = true
            case 0x09: hasTab = true
            case 0x00:
                return RequestError(
                    problem: "holds a NUL (U+0000), as UTF-16 text does", remedy: "save it as UTF-8"
                )
            case 0x01..<0x20, 0x7F..<0xA0:
                let digits = String(scalar.value, radix: 16, uppercase: true)
                let name = "U+" + String(repeating: "0", count: 4 - digits.count) + digits
                return RequestError(
                    problem: "holds a control character (\(name))", remedy: "write the secret anew")
            default: break
            }
        }
        guard shape == .line else { return nil }
        if hasLines {
            return RequestError(
                problem: "has more than one line", remedy: "leave only the secret there")
        }
        return hasTab
            ? RequestError(
                problem: "holds a tab (U+0009) inside", remedy: "leave only the secret there") : nil
    }
}
