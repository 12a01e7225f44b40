/// Compiles a pattern: `(?i)` at its start, `.`, `[a-z]`, `[^…]`, `\d \w \s` and their negations,
/// `( )`, `(?: )`, `|`, `* + ? {2} {2,} {2,5}` (each also lazy), `^`, `$`.
struct PatternCompiler {
    private indirect enum Node {
        case one(PatternSet)
        case sequence([Node])
        case choice([Node])
        case count(Node, Int, Int?, isLazy: Bool)
        case group(Node, Int)
        case start, end
    }
    private var rest: ArraySlice<Unicode.Scalar>
    private var ignoresCase = false
    private var groups = 0
    private var program: [PatternProgram.Instruction] = []

    init(_ text: String) { rest = Array(text.unicodeScalars)[...] }

    mutating func compile() -> [PatternProgram.Instruction]? {
        if take("(?i)") { ignoresCase = true }
        guard let node = choice(depth: 0), rest.isEmpty else { return nil }
        guard emit(.group(node, 0)), append(.match) else { return nil }
        return program
    }

    private mutating func take(_ text: String) -> Bool {
        guard rest.starts(with: text.unicodeScalars) else { return false }
        rest = rest.dropFirst(text.unicodeScalars.count)
        return true
    }

    private mutating func choice(depth: Int) -> Node? {
        guard depth < 32 else { return nil }
        var branches: [Node] = []
        repeat {
            guard let branch = sequence(depth: depth) else { return nil }
            branches.append(branch)
        } while take("|")
        return branches.count == 1 ? branches[0] : .choice(branches)
    }

    private mutating func sequence(depth: Int) -> Node? {
        var parts: [Node] = []
        while let next = rest.first, next != "|", next != ")" {
            guard let atom = atom(depth: depth), let part = counted(atom) else { return nil }
            parts.append(part)
        }
        return .sequence(parts)
    }

    private mutating func atom(depth: Int) -> Node? {
        guard let scalar = rest.popFirst() else { return nil }
        switch scalar {
        case "^": return .start
        case "$": return .end
        case ".": return .one(PatternSet(ranges: [0x0A...0x0A], isNegated: true))
        case "[": return bracket().map(Node.one)
        case "\\": return escape().map(Node.one)
        case "(":
            let isPlain = take("?:")
            if !isPlain, rest.first == "?" { return nil }
            if !isPlain { groups += 1 }
            let number = isPlain ? 0 : groups
            guard let inner = choice(depth: depth + 1), take(")") else { return nil }
            return number == 1 ? .group(inner, 1) : inner
        case "*", "+", "?", ")", "{": return nil
        default: return .one(single(scalar))
        }
    }

    private func single(_ scalar: Unicode.Scalar) -> PatternSet {
        PatternSet(ranges: [scalar.value...scalar.value], ignoresCase: ignoresCase)
    }

    private mutating func counted(_ atom: Node) -> Node? {
        var bounds: (Int, Int?)?
        if take("*") {
            bounds = (0, nil)
        } else if take("+") {
            bounds = (1, nil)
        } else if take("?") {
            bounds = (0, 1)
        } else if take("{") {
            guard let low = number() else { return nil }
            let high: Int? = take(",") ? number() : low
            guard take("}"), high ?? low >= low else { return nil }
            bounds = (low, high)
        }
        guard let (low, high) = bounds else { return atom }
        switch atom {
        case .start, .end: return nil
        default: break
        }
        let node = Node.count(atom, low, high, isLazy: take("?"))
        // A quantifier cannot follow a quantifier.
        return ["*", "+", "?", "{"].contains(rest.first) ? nil : node
    }

    private mutating func number() -> Int? {
        let digits = rest.prefix { ("0"..."9").contains($0) }
        guard (1...3).contains(digits.count) else { return nil }
        rest = rest.dropFirst(digits.count)
        return Int(String(String.UnicodeScalarView(digits)))
    }

    private static let digits: [ClosedRange<UInt32>] = [0x30...0x39]
    private static let words: [ClosedRange<UInt32>] = [
        0x30...0x39, 0x41...0x5A, 0x5F...0x5F, 0x61...0x7A,
    ]
    private static let spaces: [ClosedRange<UInt32>] = [0x09...0x0D, 0x20...0x20]

    /// What follows a backslash.
    private mutating func escape() -> PatternSet? {
        guard let scalar = rest.popFirst() else { return nil }
        switch scalar {
        case "d": return PatternSet(ranges: Self.digits)
        case "D": return PatternSet(ranges: Self.digits, isNegated: true)
        case "w": return PatternSet(ranges: Self.words)
        case "W": return PatternSet(ranges: Self.words, isNegated: true)
        case "s": return PatternSet(ranges: Self.spaces)
        case "S": return PatternSet(ranges: Self.spaces, isNegated: true)
        case "n": return single("\n")
        case "r": return single("\r")
        case "t": return single("\t")
        default:
            // Only punctuation can be escaped: escaped letters have other meanings in other
            // dialects.
            let isOther = scalar.value < 0x80 && !PatternSet(ranges: Self.words).holds(scalar)
            return isOther || scalar == "_" ? single(scalar) : nil
        }
    }

    private mutating func bracket() -> PatternSet? {
        var set = PatternSet(isNegated: take("^"), ignoresCase: ignoresCase)
        var isFirst = true
        while let scalar = rest.popFirst() {
            if scalar == "]", !isFirst { return set }
            isFirst = false
            if scalar == "[" { return nil }
            guard scalar != "\\" else {
                guard let inner = escape(), !inner.isNegated else { return nil }
                set.ranges += inner.ranges
                continue
            }
            let isRange = rest.first == "-" && rest.dropFirst().first != "]"
            guard isRange else {
                set.ranges.append(scalar.value...scalar.value)
                continue
            }
            rest.removeFirst()
            guard let last = rest.popFirst(), last != "\\", last != "[", last >= scalar else {
                return nil
            }
            set.ranges.append(scalar.value...last.value)
        }
        return nil
    }

    // MARK: Instructions

    private mutating func append(_ instruction: PatternProgram.Instruction) -> Bool {
        program.append(instruction)
        return program.count <= PatternProgram.maximumSize
    }

    private mutating func emit(_ node: Node) -> Bool {
        switch node {
        case .one(let set): return append(.one(set))
        case .start: return append(.start)
        case .end: return append(.end)
        case .sequence(let parts):
            for part in parts where !emit(part) { return false }
            return true
        case .group(let inner, let number):
            return append(.save(number * 2)) && emit(inner) && append(.save(number * 2 + 1))
        case .choice(let branches): return emit(branches[...])
        case .count(let inner, let low, let high, let isLazy):
            for _ in 0..<low where !emit(inner) { return false }
            guard let high else { return emitMany(inner, isLazy: isLazy) }
            return emitOptional(inner, times: high - low, isLazy: isLazy)
        }
    }

    private mutating func emit(_ branches: ArraySlice<Node>) -> Bool {
        guard let first = branches.first else { return true }
        guard branches.count > 1 else { return emit(first) }
        let split = program.count
        guard append(.split(split + 1, 0)), emit(first) else { return false }
        let jump = program.count
        guard append(.jump(0)) else { return false }
        program[split] = .split(split + 1, program.count)
        guard emit(branches.dropFirst()) else { return false }
        program[jump] = .jump(program.count)
        return true
    }

    private mutating func emitMany(_ inner: Node, isLazy: Bool) -> Bool {
        let split = program.count
        guard append(.split(0, 0)), emit(inner), append(.jump(split)) else { return false }
        let (again, past) = (split + 1, program.count)
        program[split] = isLazy ? .split(past, again) : .split(again, past)
        return true
    }

    private mutating func emitOptional(_ inner: Node, times: Int, isLazy: Bool) -> Bool {
        var splits: [Int] = []
        for _ in 0..<times {
            splits.append(program.count)
            guard append(.split(0, 0)), emit(inner) else { return false }
        }
        for split in splits {
            let (once, past) = (split + 1, program.count)
            program[split] = isLazy ? .split(past, once) : .split(once, past)
        }
        return true
    }
}
