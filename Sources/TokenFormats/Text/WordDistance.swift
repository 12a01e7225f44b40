/// The candidate that differs least from `word`, if the difference is small enough for a typing
/// error.
package func nearest(_ word: String, among candidates: [String]) -> String? {
    let limit = max(1, word.count / 3)
    return candidates.map { ($0, slips(word, $0)) }
        .filter { $0.1 <= limit && $0.1 < word.count }
        .min { $0.1 < $1.1 }?.0
}

/// The three candidates that differ least from `word`, the nearest first; at equal distance those
/// with the longer common prefix come first.
package func nearestThree(_ word: String, among candidates: [String]) -> [String] {
    let ranked = candidates.map { name in
        (name: name, distance: slips(word, name), common: name.commonPrefix(with: word))
    }
    let sorted = ranked.sorted { left, right in
        if left.distance != right.distance { return left.distance < right.distance }
        return left.common == right.common ? left.name < right.name : left.common > right.common
    }
    return sorted.prefix(3).map(\.name)
}

extension String {
    /// Length in bytes.
    fileprivate func commonPrefix(with other: String) -> Int {
        zip(utf8, other.utf8).prefix { $0 == $1 }.count
    }
}

/// How many letters were added, left out, changed or swapped with their neighbour (optimal string
/// alignment distance).
private func slips(_ left: String, _ right: String) -> Int {
    let (left, right) = (Array(left), Array(right))
    var rows = [Array(0...right.count)]
    for i in left.indices {
        var row = [i + 1]
        for j in right.indices {
            let change = left[i] == right[j] ? 0 : 1
            var best = min(rows[i][j + 1] + 1, row[j] + 1, rows[i][j] + change)
            if i > 0, j > 0, left[i] == right[j - 1], left[i - 1] == right[j] {
                best = min(best, rows[i - 1][j - 1] + 1)
            }
            row.append(best)
        }
        rows.append(row)
    }
    return rows[left.count][right.count]
}
