/// Which part of the scrolling lines a window shows, and how keys move it. Pure: it does no
/// terminal I/O.
struct WatchScroll: Equatable {
    /// The text typed after `/`; `nil` when there is no prompt.
    private(set) var typed: String?
    /// The last search text.
    private(set) var wanted = ""
    /// The first visible scrolling line.
    private(set) var top = 0
    /// The scrolling line of the present match.
    private(set) var found: Int?
    private(set) var note = ""
    private(set) var isEnded = false

    /// - Parameters:
    ///   - lines: The scrolling lines without colours.
    ///   - room: How many of them the window shows.
    mutating func press(_ key: WatchKey, lines: [String], room: Int) {
        note = ""
        if typed != nil { return type(key, lines: lines, room: room) }
        switch key {
        case .up: move(to: top - 1, lines, room)
        case .down: move(to: top + 1, lines, room)
        case .pageUp: move(to: top - max(1, room - 1), lines, room)
        case .pageDown: move(to: top + max(1, room - 1), lines, room)
        case .home: move(to: 0, lines, room)
        case .end: move(to: lines.count, lines, room)
        case .character("/"): typed = ""
        case .character("n"): search(lines, room, from: (found ?? top) + 1, forward: true)
        case .character("N"): search(lines, room, from: (found ?? top) - 1, forward: false)
        case .character("q"), .character("Q"): isEnded = true
        case .escape: (wanted, found) = ("", nil)
        case .enter, .backspace, .character, .other: break
        }
    }

    /// Adjusts to fewer lines or a taller window.
    mutating func clamp(lines: [String], room: Int) {
        move(to: top, lines, room)
        if let line = found, line >= lines.count { found = nil }
    }

    /// The footer: the prompt, a note, or the position.
    func footer(lines: Int, room: Int) -> String {
        if let typed { return "/" + typed }
        let end = min(lines, top + room)
        let place =
            lines > room
            ? "\(top + 1)-\(end) of \(lines); arrows, PgUp, PgDn move, / searches, " : ""
        return (note.isEmpty ? "" : note + "; ") + place + "q quits"
    }

    private mutating func move(to line: Int, _ lines: [String], _ room: Int) {
        top = max(0, min(line, lines.count - room))
    }

    private mutating func type(_ key: WatchKey, lines: [String], room: Int) {
        switch key {
        case .character(let character): typed?.append(character)
        case .backspace:
            if typed?.isEmpty ?? true { typed = nil } else { typed?.removeLast() }
        case .enter:
            // An empty search repeats the last one.
            if let typed, !typed.isEmpty { wanted = typed }
            typed = nil
            search(lines, room, from: found ?? top, forward: true)
        case .escape: typed = nil
        case .up, .down, .pageUp, .pageDown, .home, .end, .other: break
        }
    }

    /// Ignores case and wraps around at the end.
    private mutating func search(_ lines: [String], _ room: Int, from start: Int, forward: Bool) {
        guard !wanted.isEmpty, !lines.isEmpty else { return }
        let small = wanted.lowercased()
        for step in lines.indices {
            let offset = start + (forward ? step : -step)
            let line = (offset % lines.count + lines.count) % lines.count
            guard lines[line].lowercased().contains(small) else { continue }
            found = line
            if line < top || line >= top + room { move(to: line - room / 3, lines, room) }
            return
        }
        found = nil
        note = "\"\(wanted)\" is not there"
    }
}
