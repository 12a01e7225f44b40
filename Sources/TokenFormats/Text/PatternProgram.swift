/// A regular expression as a virtual machine that runs in time proportional to the text: neither a
/// pattern of a profile nor a text of a server can stall it (Thompson's construction; Russ Cox,
/// "Regular Expression Matching: the Virtual Machine Approach", 2009).
struct PatternProgram: Sendable {
    enum Instruction: Sendable {
        case one(PatternSet)
        case split(Int, Int)
        case jump(Int)
        /// Saves the position: slots 0 and 1 bound the whole match, 2 and 3 the first group.
        case save(Int)
        case start
        case end
        case match
    }
    let instructions: [Instruction]

    static let maximumSize = 1000
    /// Scalars of the longest text that is searched; a longer text never matches.
    static let maximumText = 16 * 1024

    /// `nil` for an invalid pattern, for features that this machine lacks (look-around, back
    /// references), and for a program that grows too large through its repeat counts.
    init?(_ text: String) {
        var compiler = PatternCompiler(text)
        guard let instructions = compiler.compile() else { return nil }
        self.instructions = instructions
    }

    /// The first match, by the usual priorities: its first group if there is one, else all of it.
    ///
    /// - Parameter isWhole: Accept only a match of the whole text.
    func firstMatch(in subject: String, isWhole: Bool = false) -> String? {
        let text = Array(subject.unicodeScalars)
        guard text.count <= Self.maximumText else { return nil }
        var run = PatternRun(instructions, text: text, isWhole: isWhole)
        guard let saved = run.saved() else { return nil }
        let hasGroup = saved.groupStart >= 0 && saved.groupEnd >= saved.groupStart
        var view = String.UnicodeScalarView()
        view.append(
            contentsOf: text[
                hasGroup ? saved.groupStart..<saved.groupEnd : saved.start..<saved.end])
        return String(view)
    }
}

/// The scalars that one position may match.
struct PatternSet: Sendable {
    var ranges: [ClosedRange<UInt32>] = []
    var isNegated = false
    var ignoresCase = false

    func holds(_ scalar: Unicode.Scalar) -> Bool {
        let value = scalar.value
        var found = ranges.contains { $0.contains(value) }
        // ASCII only: the same in every locale.
        let isLetter = value | 0x20 >= 0x61 && value | 0x20 <= 0x7A
        if !found, ignoresCase, isLetter { found = ranges.contains { $0.contains(value ^ 0x20) } }
        return found != isNegated
    }
}

/// One run over a text: all threads of the match at once, best first.
private struct PatternRun {
    /// Positions that a thread has saved. Not an array: there are as many threads as positions in
    /// the text.
    struct Saved {
        var start = -1
        var end = -1
        var groupStart = -1
        var groupEnd = -1

        mutating func set(_ slot: Int, _ position: Int) {
            switch slot {
            case 0: start = position
            case 1: end = position
            case 2: groupStart = position
            default: groupEnd = position
            }
        }
    }
    private struct Way {
        var at: Int
        var saved: Saved
    }
    private let instructions: [PatternProgram.Instruction]
    private let text: [Unicode.Scalar]
    private let isWhole: Bool
    /// The last position at which each instruction was reached.
    private var reached: [Int]

    init(_ instructions: [PatternProgram.Instruction], text: [Unicode.Scalar], isWhole: Bool) {
        (self.instructions, self.text, self.isWhole) = (instructions, text, isWhole)
        reached = Array(repeating: -1, count: instructions.count)
    }

    mutating func saved() -> Saved? {
        var best: Saved?
        var ways: [Way] = []
        for position in 0...text.count {
            if best == nil, !isWhole || position == 0 {
                follow(Way(at: 0, saved: Saved()), position, into: &ways)
            }
            if ways.isEmpty, best != nil || isWhole { break }
            var next: [Way] = []
            stepping: for way in ways {
                switch instructions[way.at] {
                case .one(let set):
                    guard position < text.count, set.holds(text[position]) else { continue }
                    follow(Way(at: way.at + 1, saved: way.saved), position + 1, into: &next)
                case .match where !isWhole || position == text.count:
                    best = way.saved
                    // The threads after this one have lower priority.
                    break stepping
                default: continue
                }
            }
            ways = next
        }
        return best
    }

    /// Follows every step that needs no character. An instruction that was reached at this position
    /// before was reached by a thread of higher priority.
    private mutating func follow(_ way: Way, _ position: Int, into ways: inout [Way]) {
        guard reached[way.at] != position else { return }
        reached[way.at] = position
        switch instructions[way.at] {
        case .one, .match: ways.append(way)
        case .jump(let target): follow(Way(at: target, saved: way.saved), position, into: &ways)
        case .split(let first, let second):
            follow(Way(at: first, saved: way.saved), position, into: &ways)
            follow(Way(at: second, saved: way.saved), position, into: &ways)
        case .save(let slot):
            var saved = way.saved
            saved.set(slot, position)
            follow(Way(at: way.at + 1, saved: saved), position, into: &ways)
        case .start:
            if position == 0 {
                follow(Way(at: way.at + 1, saved: way.saved), position, into: &ways)
            }
        case .end:
            if position == text.count {
                follow(Way(at: way.at + 1, saved: way.saved), position, into: &ways)
            }
        }
    }
}
