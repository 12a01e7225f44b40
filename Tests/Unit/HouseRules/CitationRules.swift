import Foundation
import Testing

// The specification lies in the repository: articles in the catalogs (`*.docc`) of the targets.
// Comments and tests cite it by number. A citation that leads nowhere sends its reader on a search
// for a document that does not exist.

/// The headings of the articles, by which citations are resolved.
private struct Specification {
    /// By the article's name, without the hashes.
    var headings: [String: [String]] = [:]

    mutating func add(_ article: String, _ text: String) {
        headings[article, default: []] += text.split(separator: "\n")
            .filter { $0.hasPrefix("##") }
            .map { $0.drop { $0 == "#" }.trimmingCharacters(in: .whitespaces) }
    }

    /// `I10` or `K3`: a heading of its own, in any article.
    func holds(item: String) -> Bool {
        headings.values.joined().contains { $0.hasPrefix("\(item): ") }
    }

    /// A step, a rule or a section of one article.
    func holds(_ number: String, of article: String, isStep: Bool) -> Bool {
        let starts = isStep ? ["Step \(number): "] : ["Rule \(number): ", "\(number) "]
        return headings[article, default: []].contains { heading in
            starts.contains { heading.hasPrefix($0) }
        }
    }

    func holds(heading: String, of article: String) -> Bool {
        headings[article, default: []].contains(heading)
    }
}

/// Finds citations in a text, and what is wrong with them.
private struct CitationFinder {
    let specification: Specification
    /// Names of Markdown files that the repository holds.
    let documents: Set<String>
    private(set) var found = 0

    init(_ specification: Specification, documents: Set<String>) {
        (self.specification, self.documents) = (specification, documents)
    }

    /// - Parameter isArticle: Articles may use words that a comment may not use for want of a
    ///   number.
    mutating func problems(in text: String, isArticle: Bool = false) -> [String] {
        let line = Self.joined(text)
        var problems: [String] = []
        for match in Self.matches(Self.item, line) {
            found += 1
            if !specification.holds(item: match[1]) { problems.append("\(match[1]) is no heading") }
        }
        for match in Self.matches(Self.place, line) {
            found += 1
            let (article, isStep, number) = (match[1], !match[2].isEmpty, match[3])
            let holds =
                match[4].isEmpty
                ? specification.holds(number, of: article, isStep: isStep)
                : specification.holds(heading: match[4], of: article)
            if !holds { problems.append("\(match[0]) is no heading") }
        }
        for match in Self.matches(Self.document, line) where !documents.contains(match[1]) {
            problems.append("the repository does not hold \(match[1])")
        }
        if isArticle { return problems }
        problems += Self.matches(Self.vague, line).map { "\($0[0]) names no heading" }
        return problems + unnamedStandards(in: line)
    }

    /// "section 5.2" means something only behind the name of its standard.
    private func unnamedStandards(in line: String) -> [String] {
        Self.ranges(Self.section, line).compactMap { range in
            let before = line[..<range.lowerBound].suffix(400)
            let isNamed = !Self.ranges(Self.standard, String(before)).isEmpty
            return isNamed ? nil : "\(line[range]) of which standard?"
        }
    }

    /// An invariant or a rule from the field.
    private static let item = #"(?<![\w/.$#-])([IK][0-9]{1,2})(?![\w-])"#
    /// An article with a number, or with a heading in quotes.
    private static let place =
        #"\b(Contract|Durability|Glossary|Loop|StateOnDisk|[A-Z]\w*Rules),? "#
        + #"(?:(step )?([0-9]+(?:\.[0-9]+)*)|\\?"([A-Z][^"\\]+)\\?")"#
    private static let document = #"\b([\w-]+\.md)\b"#
    /// Ways to speak of the specification without a number that leads somewhere.
    private static let vague =
        #"\b(?i:contract)\b(?! [0-9])|\b(?i:field|attack)[ -]cases\b|\b(?i:rulings?)\b|"#
        + #"\brules? [0-9]|\(§|\bprofile rules?\b(?= [0-9])"#
    private static let section = #"\bsections? [0-9][0-9.]*"#
    private static let standard = #"\b(RFC|OpenID|X\.[0-9]+|WHATWG|XCU|BCP|NIST)\b"#

    /// Comments run over several lines: their marks and line ends become blanks.
    private static func joined(_ text: String) -> String {
        replaced(#"\n[ \t]*(?://+|#+|\*)?[ \t]*"#, in: text)
    }

    private static func replaced(_ pattern: String, in text: String) -> String {
        guard let expression = try? NSRegularExpression(pattern: pattern) else { return text }
        return expression.stringByReplacingMatches(
            in: text, range: NSRange(text.startIndex..., in: text), withTemplate: " ")
    }

    private static func results(_ pattern: String, _ text: String) -> [NSTextCheckingResult] {
        guard let expression = try? NSRegularExpression(pattern: pattern) else { return [] }
        return expression.matches(in: text, range: NSRange(text.startIndex..., in: text))
    }

    private static func ranges(_ pattern: String, _ text: String) -> [Range<String.Index>] {
        results(pattern, text).compactMap { Range($0.range, in: text) }
    }

    /// Each match with its groups; a group that took no part is empty.
    private static func matches(_ pattern: String, _ text: String) -> [[String]] {
        results(pattern, text).map { match in
            (0..<match.numberOfRanges).map { index in
                Range(match.range(at: index), in: text).map { String(text[$0]) } ?? ""
            }
        }
    }
}

/// All files below some folders, with their paths from the repositoryRoot.
private func paths(under folders: [String]) -> [String] {
    folders.flatMap { folder -> [String] in
        let found = FileManager.default.enumerator(
            atPath: repositoryRoot.appending(path: folder).path)
        return (found?.allObjects as? [String] ?? []).map { "\(folder)/\($0)" }
    }
}

private func text(_ path: String) throws -> String {
    try String(contentsOf: repositoryRoot.appending(path: path), encoding: .utf8)
}

private func articles() throws -> [(name: String, text: String)] {
    let found = paths(under: ["Sources"]).filter {
        $0.contains(".docc/") && $0.hasSuffix(".md")
    }
    try #require(!found.isEmpty, "there are no articles")
    return try found.map { path in
        (URL(filePath: path).deletingPathExtension().lastPathComponent, try text(path))
    }
}

private func finder() throws -> CitationFinder {
    var specification = Specification()
    for article in try articles() { specification.add(article.name, article.text) }
    let documents = paths(under: ["Sources", "Tests", "systemd", "config", ".github"])
        .filter { $0.hasSuffix(".md") }.map { URL(filePath: $0).lastPathComponent }
    return CitationFinder(specification, documents: Set(documents + ["README.md"]))
}

/// Whether comments of ours stand in it: not what servers answer, nor this file's own examples.
private func isCiting(_ path: String) -> Bool {
    let name = URL(filePath: path).lastPathComponent
    guard !path.contains("/Fixtures/"), !path.contains(".docc/"), !path.contains("__pycache__"),
        name != "CitationRules.swift"
    else { return false }
    return ["swift", "py", "c", "h", "sh"].contains(URL(filePath: path).pathExtension)
        || (path.hasPrefix("Tests/") && !name.contains("."))
}

@Test("every citation in Sources and Tests names a heading of the articles")
func citations() throws {
    var finder = try finder()
    var looked = 0
    for path in paths(under: ["Sources", "Tests"]).filter(isCiting) {
        // A folder has no text.
        guard let content = try? text(path) else { continue }
        looked += 1
        for problem in finder.problems(in: content) { Issue.record("\(path): \(problem)") }
    }
    #expect(looked > 400, "the rule guards nothing")
    #expect(finder.found > 140, "the rule guards nothing")
}

@Test("every citation in an article names a heading of the articles")
func articleCitations() throws {
    var finder = try finder()
    for article in try articles() {
        for problem in finder.problems(in: article.text, isArticle: true) {
            Issue.record("\(article.name): \(problem)")
        }
    }
    #expect(finder.found > 50, "the rule guards nothing")
}

@Test("each invariant I1 to I36, each K1 to K12 and each step has one heading")
func numberedHeadings() throws {
    let headings = try articles().flatMap { article -> [Substring] in
        article.text.split(separator: "\n").filter { $0.hasPrefix("### ") }
            .map { $0.dropFirst(4) }
    }
    let wanted =
        (1...36).map { "I\($0)" } + (1...12).map { "K\($0)" } + (0...8).map { "Step \($0)" }
    for item in wanted {
        #expect(headings.count { $0.hasPrefix("\(item): ") } == 1, "\(item)")
    }
}

@Test("rules of one article are numbered from 1, without a gap and without a repetition")
func ruleNumbers() throws {
    for article in try articles() {
        let numbers = article.text.matches(of: #/\n### Rule ([0-9]+): /#).compactMap {
            Int($0.1)
        }
        #expect(numbers == Array(1..<(numbers.count + 1)), "\(article.name)")
    }
}

@Test(
    "the finder finds made-up citations, and lets true ones pass",
    arguments: [
        ("/// Never sent twice (I11).", 0), ("/// Never sent twice (I37).", 1),
        ("# a candidate (K4), and another (K13)", 1), ("let I1x = K99y, K2.count, 0xI99", 0),
        ("/// Between (Contract 3.2) and (Contract 9.1).", 1),
        ("/// Over the end of a line (Contract\n    /// 3.2), and (Contract\n    /// 3.99).", 1),
        ("// Durability step 4, Durability step 9, Durability 4", 2),
        ("/// ProfileRules 4, ProfileRules 99, MadeUpRules 1", 2),
        (#"/// (Durability, "After a lost answer"), (Durability, "After supper")"#, 1),
        ("/// See README.md and durability.md.", 1), ("/// see the contract", 1),
        ("/// as the field cases say, and a ruling", 2), ("/// dropped (rule 4)", 1),
        ("/// RFC 6749 section 5.1, and (section 5.2)", 0), ("/// of section 3", 1),
    ])
func finderFinds(text: String, count: Int) throws {
    var finder = try finder()
    let problems = finder.problems(in: text)
    #expect(problems.count == count, "\(problems)")
}
