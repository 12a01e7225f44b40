internal import TokenFormats

/// A remark below the table about one or several credentials.
struct StatusRemark: Equatable {
    var names: [String]
    /// The problem, without its full stop.
    var title: String
    var times = RemarkTimes()
    /// Remedy and further details; one line each, with a full stop.
    var details: [String] = []
    var colour: TextStyle.Colour?

    /// The lines to print: `crm: PROBLEM.`, and the details below.
    func lines(_ style: TextStyle, clock: ReaderClock, now: WallTime) -> [String] {
        let head =
            names.count == 1
            ? "\(names[0]): \(title)."
            : "\(names.count) credentials: \(title): \(listed(style))."
        let below = [times.sentence(clock, now: now)].compactMap { $0 } + details
        return style.wrapped(head, indent: "").map { style.coloured($0, colour) }
            + below.flatMap { style.wrapped($0, indent: "  ") }
    }

    /// Limits the names to a few lines on a terminal; lists all of them elsewhere.
    private func listed(_ style: TextStyle) -> String {
        let most = style.width == nil ? names.count : 12
        let rest = names.count - most
        return names.prefix(most).joined(separator: ", ") + (rest > 0 ? " and \(rest) more" : "")
    }
}

/// Since when, how often, until when.
struct RemarkTimes: Equatable {
    var since: WallTime?
    var tries: Int?
    var until: WallTime?

    /// `Since 02:01, 4 tries; a person is called at 02:05.`
    func sentence(_ clock: ReaderClock, now: WallTime) -> String? {
        var parts: [String] = []
        if let since { parts.append("since " + clock.short(since, now: now)) }
        if let tries, tries > 1 { parts.append("\(tries) tries") }
        var text = parts.joined(separator: ", ")
        if let until, until > now {
            text += text.isEmpty ? "" : "; "
            text += "a person is called at " + clock.short(until, now: now)
        }
        guard let first = text.first else { return nil }
        return first.uppercased() + text.dropFirst() + "."
    }

    /// For several: the earliest times, and a number only if it is equal.
    func merged(with other: RemarkTimes) -> RemarkTimes {
        let earliest = { (one: WallTime?, two: WallTime?) in
            [one, two].compactMap { $0 }.min()
        }
        return RemarkTimes(
            since: earliest(since, other.since), tries: tries == other.tries ? tries : nil,
            until: earliest(until, other.until))
    }
}

extension [StatusRemark] {
    /// Joins equal remarks of several credentials at the place of the first. Remarks that differ
    /// only in the credential's name are equal; `NAME` then replaces it.
    func joinedWhereEqual() -> [StatusRemark] {
        var order: [[String]] = []
        var groups: [[String]: [StatusRemark]] = [:]
        for remark in self {
            let key = remark.template.texts
            if groups[key] == nil { order.append(key) }
            groups[key, default: []].append(remark)
        }
        return order.compactMap { key in
            guard let group = groups[key], var joined = group.first else { return nil }
            guard group.count > 1 else { return joined }
            joined = joined.template
            joined.names = group.flatMap(\.names)
            joined.times = group.dropFirst().reduce(joined.times) { $0.merged(with: $1.times) }
            return joined
        }
    }
}

extension StatusRemark {
    fileprivate var texts: [String] { [title] + details }

    /// The remark with `NAME` in place of its own name.
    fileprivate var template: StatusRemark {
        guard names.count == 1 else { return self }
        var remark = self
        remark.title = title.replacingWord(names[0], with: "NAME")
        remark.details = details.map { $0.replacingWord(names[0], with: "NAME") }
        return remark
    }
}

extension String {
    /// Replaces a credential's name where it is a whole word, not part of a longer name.
    func replacingWord(_ word: String, with other: String) -> String {
        let (text, name) = (Array(utf8), Array(word.utf8))
        guard !name.isEmpty, text.count >= name.count else { return self }
        var result: [UInt8] = []
        var at = 0
        while at < text.count {
            let end = at + name.count
            if end <= text.count, text[at..<end].elementsEqual(name),
                at == 0 || !isNameByte(text[at - 1]), isWordEnd(text, end)
            {
                result += Array(other.utf8)
                at = end
            } else {
                result.append(text[at])
                at += 1
            }
        }
        return String(decoding: result, as: UTF8.self)
    }
}

/// A full stop ends the word, unless a character of a name follows.
private func isWordEnd(_ text: [UInt8], _ end: Int) -> Bool {
    guard end < text.count, isNameByte(text[end]) else { return true }
    guard text[end] == UInt8(ascii: ".") else { return false }
    return end + 1 == text.count || !isNameByte(text[end + 1])
}

private func isNameByte(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
    default: "._-".utf8.contains(byte)
    }
}
