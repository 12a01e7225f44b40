import Testing

@testable import TokenFormats

@Suite("names and globs of a command line")
struct NameMatchingTests {
    private let names = ["crm", "google-ads", "google-mail", "mail"]

    @Test("names and globs give each name once, in the order that was asked for")
    func selects() throws {
        #expect(
            try NameMatching.select(["mail", "goog*", "google-?ail"], among: names)
                == ["mail", "google-ads", "google-mail"])
        #expect(try NameMatching.select(["*"], among: names) == names)
        #expect(try NameMatching.select([], among: names) == [])
    }

    @Test(
        "a glob means the whole name",
        arguments: [
            ("*", "", true), ("*", "a", true), ("a*", "a", true), ("a*c", "abbc", true),
            ("*a*b", "aab", true), ("a?c", "abc", true), ("a?c", "ac", false),
            ("a*", "ba", false), ("", "a", false), ("", "", true), ("a**b", "ab", true),
            ("*ab", "aab", true), ("*ab*cd", "abxabcd", true), ("*.x", "a.y", false),
        ])
    func matches(_ pattern: String, _ name: String, _ isMatch: Bool) {
        #expect(NameMatching.matches(pattern, name) == isMatch)
    }

    @Test("many stars and a long name take no time")
    func isBounded() {
        let pattern = String(repeating: "*a", count: 30) + "b"
        let began = ContinuousClock.now
        #expect(!NameMatching.matches(pattern, String(repeating: "a", count: 10_000)))
        #expect(began.duration(to: .now) < .seconds(20))
    }

    @Test(
        "one that means nothing is told with what there is and what was probably meant",
        arguments: [
            ("nosuch", ["crm"], #"no credential "nosuch"; configured: crm"#),
            (
                "crn", ["crm", "mail"],
                #"no credential "crn"; did you mean crm? configured: crm, mail"#
            ),
            ("CRM", ["crm"], #"no credential "CRM"; did you mean crm? configured: crm"#),
            ("goog*", ["crm"], #"no credential matches "goog*"; configured: crm"#),
            ("crm", [], #"no credential "crm"; none is configured"#),
        ])
    func tells(_ pattern: String, _ names: [String], _ problem: String) {
        #expect(throws: UnmatchedName(pattern: pattern, names: names)) {
            try NameMatching.select([pattern], among: names)
        }
        #expect(UnmatchedName(pattern: pattern, names: names).problem == problem)
    }

    @Test("of many names some are told and the rest is counted")
    func counts() {
        let many = (10..<40).map { "name\($0)" }
        let problem = UnmatchedName(pattern: "zzz", names: many).problem
        #expect(problem.hasSuffix("name21 and 18 more"))
    }
}
