import Foundation
import Testing

// A decision looks at a kind, an enum or a number, never at the words that people read: those may
// be written anew, and a decision that reads them would change with them.

/// Finds code that compares words for people with a literal.
private struct SentenceFinder {
    /// Names of values that hold words for people. `text` alone is none of them: formats, templates
    /// and JSON are texts too.
    static let sentences = [
        "problem", "remedy", "sentence", "description", "message", "detail", "title", "reason",
        "advice",
    ]
    /// Values whose `text` is such words.
    private static let owners = [
        "error", "failure", "mistake", "finding", "note", "cause", "obstacle", "refusal", "fault",
    ]
    private static let searches = [
        "hasPrefix", "hasSuffix", "hasBytePrefix", "hasSameBytes", "contains", "containsBytes",
        "containsText", "starts", "firstRange", "ranges", "range", "firstIndex", "matches",
        "firstMatch", "wholeMatch", "prefixMatch", "split",
    ]

    /// Without one of these there is nothing to look for in a line.
    private static let hints = sentences + ["text", "strerror", "message(of:"]

    private let literal: Regex<AnyRegexOutput>
    private let member: Regex<AnyRegexOutput>
    private let rules: [Regex<AnyRegexOutput>]
    private let choice: Regex<AnyRegexOutput>

    init() throws {
        let words = Self.sentences.joined(separator: "|")
        let owners = Self.owners.joined(separator: "|")
        let searches = Self.searches.joined(separator: "|")
        // A literal stands as §. What a message says under one of the names counts as well.
        literal = try Self.regex(##"#*"(?:\\.|[^"\\])*"#*"##)
        member = try Self.regex(#"\["(?:"# + words + #")"\]\??\.text\b"#)
        let value = #"(?:\b(?:"# + words + #")\b|\b(?:"# + owners + #")\.text\b)[?!]?\)*"#
        rules = try [
            value + #"(?: \?\? §\)?)? ?(?:==|!=) ?§"#,
            #"§ ?(?:==|!=) ?(?:\w+[?!]?\.)*"# + value + #"(?![\w(])"#,
            value + #"(?:\.\w+(?:\(\))?)*\??\.(?:"# + searches + #")\((?:\w+: )?[§/]"#,
            // Words of the system, instead of the number of the error.
            #"(?:==|!=|hasPrefix\(|hasSuffix\(|contains\().*(?:strerror\(|message\(of:)"#,
        ].map(Self.regex)
        choice = try Self.regex(#"\bswitch [^{]*"# + value + #" ?\{$"#)
    }

    /// Words are what an identifier is made of: `error.problem` is two.
    private static func regex(_ pattern: String) throws -> Regex<AnyRegexOutput> {
        try Regex(pattern).wordBoundaryKind(.simple)
    }

    /// - Returns: Each line that does, as it is written.
    func findings(in text: String) -> [String] {
        var found: [String] = []
        // The indentation of a switch over words, while its cases follow.
        var switchAt: Int?
        for line in Self.statements(text) {
            let code = line.drop { $0 == " " }
            let indent = line.count - code.count
            if let at = switchAt, indent == at, code.hasPrefix("}") { switchAt = nil }
            guard !code.hasPrefix("//") else { continue }
            if switchAt == indent, code.hasPrefix("case \"") { found.append(String(code)) }
            guard Self.hints.contains(where: { code.contains($0) }) else { continue }
            let plain = code.replacing(member, with: ".problem").replacing(literal, with: "§")
            if rules.contains(where: { plain.contains($0) }) { found.append(String(code)) }
            if plain.contains(choice) { switchAt = indent }
        }
        return found
    }

    /// Lines, with those that go on with the one before joined to it.
    private static func statements(_ text: String) -> [String] {
        text.split(separator: "\n").reduce(into: []) { lines, line in
            let code = line.drop { $0 == " " }
            let goesOn = [".", "==", "!=", "??"].contains { code.hasPrefix($0) }
            if goesOn, let last = lines.indices.last, !lines[last].contains("//") {
                lines[last] += (code.hasPrefix(".") ? "" : " ") + code
            } else {
                lines.append(String(line))
            }
        }
    }
}

/// Lines that are right all the same, each with its reason.
private let exempt: [(file: String, code: String, reason: String)] = [
    (
        "CredentialRemarks.swift", "sentence.hasSuffix(\".\")",
        "puts or leaves out a full stop; nothing is decided"
    ),
    (
        "SignInSession.swift", "problem.hasPrefix(\"\\(name): \")",
        "the name that a title begins with is not said twice; nothing is decided"
    ),
]

@Test("no decision reads the words that people read")
func sentences() throws {
    let finder = try SentenceFinder()
    let files = try files(under: "Sources")
    #expect(files.count > 200, "the rule guards nothing")
    var needed: Set<Int> = []
    for file in files {
        for code in finder.findings(in: file.text) {
            let exemption = exempt.firstIndex {
                $0.file == file.name && code.contains($0.code)
            }
            if let exemption {
                needed.insert(exemption)
            } else {
                Issue.record("\(file.name): compare a kind or a number: \(code)")
            }
        }
    }
    #expect(needed.count == exempt.count, "an exemption that nothing needs")
}

@Test("what reads a sentence is found, however it is written")
func sentencesAreFound() throws {
    let bad = [
        #"if error.problem == "neither slot can be read" { return }"#,
        #"guard "it is gone" != failure?.remedy else { return }"#,
        #"let isOfText = error.problem.hasPrefix("this ")"#,
        #"let isForbidden = error.text.hasSuffix(String(cString: strerror(EACCES)))"#,
        #"let isForbidden = error.text.hasSuffix(SystemError.message(of: EACCES))"#,
        #"if reply.body["title"]?.text == "not signed in" { return }"#,
        #"if reply.body["detail"]?.text?.contains("evertoken login") == true { return }"#,
        #"if finding.description.lowercased().contains("mode") { return }"#,
        #"if (attempt.problem ?? "") == "cannot be resolved" { return }"#,
        #"let code = problem.firstRange(of: "\(status) ")"#,
        "let isQuarantined =\n    error.problem\n    .hasSuffix(\"cannot be read\")",
        "let isSame = error.problem\n    == \"cannot be read\"",
    ]
    let finder = try SentenceFinder()
    for code in bad { #expect(finder.findings(in: code).count == 1, "\(code)") }
    let choice = """
        switch error.problem {
        case "cannot be resolved", "cannot be reached": return true
        case "it is full": return false
        default: return nil
        }
        switch kind {
        case "other": return true
        }
        """
    #expect(finder.findings(in: choice).count == 2)
}

@Test("what compares no sentence with a literal is left alone")
func sentencesAreNotImagined() throws {
    let good = [
        #"if error.cause.kind == .stateUnreadable { return }"#,
        #"if node["state"]?.text == "fresh", text.hasPrefix("^") { return }"#,
        #"guard let problem, problem != before else { return }"#,
        #"let isHTML = tolerant?.problem == .html"#,
        #"say("\(error.problem): \(isKnown == true ? "known" : "new")")"#,
        #"fail("the problem" + (text == "-" ? "" : ": \(text)"))"#,
        #"// error.problem == "cannot be read""#,
        #"let same = attempt.problem.hasSameBytes(as: other.problem)"#,
        #"return CauseRow(.way, "{detail}", "Wait")"#,
    ]
    let finder = try SentenceFinder()
    for code in good { #expect(finder.findings(in: code) == [], "\(code)") }
}
