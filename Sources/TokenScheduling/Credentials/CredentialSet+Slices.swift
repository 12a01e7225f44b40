package import TokenFormats

// Reports read all credentials in slices, in name order: the loop handles other inputs between
// two of them. A slice begins after a name, so that a reload between two slices does no harm.
extension CredentialSet {
    /// How many names one slice passes at most, whether or not their credentials are wanted.
    private static let longestWalk = 4096

    /// Visits the credentials after a name, in name order.
    ///
    /// - Parameters:
    ///   - name: Where the last slice ended; `nil` for the first slice.
    ///   - state: Only those in this state; `nil` for all.
    ///   - limit: How many are visited at most, at least 1.
    ///   - body: Called for each of them.
    /// - Returns: The name after which the next slice begins; `nil` when no credentials are left.
    package func visit(
        after name: String?, state: CredentialState? = nil, limit: Int,
        _ body: (borrowing CredentialLifecycle) -> Void
    ) -> String? {
        let start = name.map { position(after: $0) } ?? 0
        let end = min(names.count, start + Self.longestWalk)
        var left = limit
        for position in start..<max(start, end) {
            let name = names[position]
            if let state, self.state(of: name) != state { continue }
            if let lifecycle = self[name] { body(lifecycle) }
            left -= 1
            if left == 0 { return position + 1 < names.count ? name : nil }
        }
        return end < names.count ? names[end - 1] : nil
    }

    /// The position of the first name behind this one, which need not be configured.
    func position(after name: String) -> Int {
        var (low, high) = (0, names.count)
        while low < high {
            let middle = (low + high) / 2
            if names[middle] <= name { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
