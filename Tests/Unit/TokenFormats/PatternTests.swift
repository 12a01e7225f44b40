import Testing

@testable import TokenFormats

@Suite("Patterns") struct PatternTests {
    @Test(
        "first group, or all of it",
        arguments: [
            ("sid=([^;]+)", "a; sid=42; x", "42"), ("[0-9]+", "ab12cd3", "12"),
            ("(?i)refresh.?token", "bad REFRESH_TOKEN!", "REFRESH_TOKEN"),
            (
                "^(https://[a-z0-9.-]+\\.(?:one|two)\\.com)/?$", "https://a.one.com/",
                "https://a.one.com"
            ),
            ("a{2,3}", "caaaa", "aaa"), ("a{2,3}?", "caaaa", "aa"), ("a+?b", "aab", "aab"),
            ("x*", "aaa", ""), ("a|ab|abc", "abc", "a"), ("(a|b)*c", "abac", "a"),
            ("\\d{4}-\\d{2}", "on 2026-11", "2026-11"), ("[]a]+", "x]a", "]a"),
            ("[\\w.-]+@", "me.x@y", "me.x@"), ("é+", "caféé", "éé"),
        ])
    func finds(pattern: String, subject: String, expected: String) throws {
        #expect(try #require(Pattern(pattern)).firstMatch(in: subject) == expected)
    }

    @Test(
        "no match", arguments: [("^b", "ab"), ("a$", "ab"), ("[^a]", "aaa"), ("a.c", "a\nc")])
    func misses(pattern: String, subject: String) throws {
        #expect(try #require(Pattern(pattern)).firstMatch(in: subject) == nil)
    }

    @Test("end to end")
    func whole() throws {
        let pattern = try #require(Pattern("a|ab"))
        #expect(pattern.matchesWhole("ab") && !pattern.matchesWhole("abc"))
        #expect(try #require(Pattern("^x+$")).matchesWhole("xx"))
    }

    @Test(
        "what is not known is none",
        arguments: [
            "(", ")", "[a", "a{2", "*a", "a**", "\\1", "(?=a)", "(?<n>a)", "[z-a]", "\\p{L}", "a\\",
            "((((a{99}){99}){99}){99})", "^*", "[[:alpha:]]",
        ])
    func refused(pattern: String) { #expect(Pattern(pattern) == nil) }

    @Test(
        "anchored from end to end",
        arguments: [
            ("^a$", true), ("^(a|b)$", true), ("^a|b$", false), ("a$", false), ("^a\\$", false),
            ("^[|]$", true), ("^a\\|b$", true),
        ])
    func anchors(pattern: String, expected: Bool) throws {
        #expect(try #require(Pattern(pattern)).isAnchored == expected)
    }

    @Test("no text of a server holds it up")
    func linear() throws {
        let clock = ContinuousClock()
        let spent = try clock.measure {
            for text in ["^(a+)+$", "a*a*b", "(a|aa)+$", "(?i)refresh token .*expired"] {
                let pattern = try #require(Pattern(text))
                _ = pattern.matches(String(repeating: "a", count: 16_000) + "!")
                _ = pattern.matches(String(repeating: "refresh token ", count: 1100))
            }
        }
        #expect(spent < .seconds(20), "a debug build takes about a second")
    }

    @Test("agrees with Swift's own on random patterns and texts", arguments: [1, 2, 3] as [UInt64])
    func agrees(seed: UInt64) throws {
        var random = RandomSource(seed: seed)
        let atoms = ["a", "b", ".", "[ab]", "[^a]", "(a|b)", "(?:ab)", "\\w", "(b?)"]
        let counts = ["", "", "*", "+", "?", "{1,2}", "*?", "+?"]
        func pick(_ list: [String]) -> String { list[Int(random.next() % UInt64(list.count))] }
        var compared = 0
        for _ in 0..<400 {
            var text = random.next() % 4 == 0 ? "^" : ""
            for _ in 0...random.next() % 3 { text += pick(atoms) + pick(counts) }
            if random.next() % 3 == 0 { text += "|" + pick(atoms) }
            if random.next() % 4 == 0 { text += "$" }
            guard let pattern = Pattern(text), let regex = try? Regex<AnyRegexOutput>(text) else {
                continue
            }
            for _ in 0..<6 {
                let subject = (0..<random.next() % 7).map { _ in pick(["a", "b", "c"]) }.joined()
                let match = try? regex.firstMatch(in: subject)
                #expect(pattern.matches(subject) == (match != nil), "\(text) on \(subject)")
                if !text.contains("("), let match {
                    let found = match.output[0].substring.map(String.init)
                    #expect(pattern.firstMatch(in: subject) == found, "\(text) on \(subject)")
                }
                compared += 1
            }
        }
        #expect(compared > 1000)
    }
}
