/// Columns of text, each as wide as its widest cell; the first one is shortened to fit a terminal.
struct TextTable {
    struct Cell: Equatable {
        var text: String
        var colour: TextStyle.Colour?

        init(_ text: String, _ colour: TextStyle.Colour? = nil) {
            (self.text, self.colour) = (text, colour)
        }
    }

    var titles: [String]
    var rows: [[Cell]]
    var hasHeader = true
    var indent = ""

    func lines(_ style: TextStyle) -> [String] {
        var rows = rows
        if let room = roomForNames(style) {
            let names = rows.map { $0.first?.text ?? "" }
            for (index, name) in NameCutting.fitted(names, room, style.mark).enumerated() {
                rows[index][0].text = name
            }
        }
        let widths = titles.indices.map { column in
            rows.map { $0[column].text.count }.reduce(hasHeader ? titles[column].count : 0, max)
        }
        let header = hasHeader ? [style.bold(line(titles.map { Cell($0) }, widths, .plain))] : []
        return header + rows.map { line($0, widths, style) }
    }

    /// The part of a terminal's width that the other columns leave; `nil` if nothing is cut.
    private func roomForNames(_ style: TextStyle) -> Int? {
        guard let width = style.width else { return nil }
        let others = titles.indices.dropFirst().map { column in
            rows.map { $0[column].text.count }.reduce(hasHeader ? titles[column].count : 0, max) + 2
        }
        return max(12, width - indent.count - others.reduce(0, +))
    }

    private func line(_ cells: [Cell], _ widths: [Int], _ style: TextStyle) -> String {
        var line = indent
        for (index, cell) in cells.enumerated() {
            let isLast = index == cells.count - 1
            let gap = isLast ? 0 : widths[index] - cell.text.count
            line += style.coloured(cell.text + String(repeating: " ", count: gap), cell.colour)
            line += isLast ? "" : "  "
        }
        return line
    }
}

/// Cuts names that are too long for their column in the middle: their ends distinguish them.
enum NameCutting {
    /// - Returns: Names of at most `width` characters that are still distinct. A name that cannot
    ///   be cut so is not changed.
    static func fitted(_ names: [String], _ width: Int, _ mark: String) -> [String] {
        guard width > 2 else { return names }
        let heads = Array(1...(width - 2)).sorted {
            abs($0 - (width - 1) / 2) < abs($1 - (width - 1) / 2)
        }
        for head in heads {
            let cut = names.map { shortened($0, head: head, width, mark) }
            if Set(cut).count == Set(names).count { return cut }
        }
        return names
    }

    private static func shortened(
        _ name: String, head: Int, _ width: Int, _ mark: String
    ) -> String {
        guard name.count > width else { return name }
        return name.prefix(head) + mark + name.suffix(width - head - 1)
    }
}
