/// Selects names by the arguments of a command line: exact names, and globs, where `*` matches any
/// characters and `?` one.
package enum NameMatching {
    /// The names that match the patterns, each once: in the order of the patterns, and for a glob
    /// in the order of `names`.
    ///
    /// - Throws: ``UnmatchedName`` for the first pattern without a match.
    package static func select(
        _ patterns: [String], among names: [String]
    ) throws(UnmatchedName) -> [String] {
        var selected: [String] = []
        for pattern in patterns {
            let found = names.filter { matches(pattern, $0) }
            guard !found.isEmpty else { throw UnmatchedName(pattern: pattern, names: names) }
            selected += found.filter { !selected.containsText($0) }
        }
        return selected
    }

    /// Whether a pattern can match several names.
    package static func isGlob(_ pattern: String) -> Bool {
        pattern.utf8.contains { $0 == star || $0 == question }
    }

    /// The name that a typing error probably meant; `nil` when none is close.
    package static func nearest(to name: String, among names: [String]) -> String? {
        let lowered = name.asciiLowercased
        if let same = names.first(where: { $0.hasSameBytes(as: lowered) }) { return same }
        // Bounds the work of the edit distance; a configured name has at most 64 characters.
        guard lowered.utf8.count <= 128 else { return nil }
        return TokenFormats.nearest(lowered, among: names)
    }

    private static let star = UInt8(ascii: "*")
    private static let question = UInt8(ascii: "?")

    /// In time proportional to the product of both lengths: only the last `*` is ever tried again.
    package static func matches(_ pattern: String, _ name: String) -> Bool {
        let (pattern, name) = (Array(pattern.utf8), Array(name.utf8))
        var (p, n) = (0, 0)
        var retry: (p: Int, n: Int)?
        while n < name.count {
            if p < pattern.count, pattern[p] == star {
                retry = (p, n)
                p += 1
            } else if p < pattern.count, pattern[p] == question || pattern[p] == name[n] {
                (p, n) = (p + 1, n + 1)
            } else if let (star, from) = retry {
                retry = (star, from + 1)
                (p, n) = (star + 1, from + 1)
            } else {
                return false
            }
        }
        return pattern[p...].allSatisfy { $0 == star }
    }
}

/// A name or glob that matches no credential.
package struct UnmatchedName: Error, Sendable, Equatable {
    package var pattern: String
    /// The names to choose from.
    package var names: [String]

    package init(pattern: String, names: [String]) { (self.pattern, self.names) = (pattern, names) }

    /// How many names the message lists; it counts the rest.
    private static let mostTold = 12

    /// `no credential "crn"; did you mean crm? configured: crm, mail`, for people.
    package var problem: String {
        let isGlob = NameMatching.isGlob(pattern)
        let head = isGlob ? "no credential matches" : "no credential"
        let near = isGlob ? nil : NameMatching.nearest(to: pattern, among: names)
        var told = names.prefix(Self.mostTold).joined(separator: ", ")
        if names.count > Self.mostTold { told += " and \(names.count - Self.mostTold) more" }
        return "\(head) \"\(pattern)\"; " + (near.map { "did you mean \($0)? " } ?? "")
            + (names.isEmpty ? "none is configured" : "configured: \(told)")
    }
}
