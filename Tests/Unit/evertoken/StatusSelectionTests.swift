import Testing

@testable import TokenControl
@testable import TokenFormats
@testable import evertoken

@Suite("Which credentials are asked for") struct StatusSelectionTests {
    private let all = [
        StatusExamples.entry("google-mail", "login_required"), StatusExamples.entry("google-drive"),
        StatusExamples.entry("crm", "retrying", more: [("condition", "undelivered")]),
    ].map(CredentialStatus.init(json:))

    private func names(_ patterns: [String], _ words: [String] = []) -> [String] {
        let selection = StatusSelection(patterns: patterns, words: words)
        return all.filter(selection.includes).map(\.name)
    }

    @Test("names, patterns, states and conditions narrow it; several of one kind widen it")
    func selecting() {
        #expect(names([]).count == 3)
        #expect(names(["goog*"]) == ["google-mail", "google-drive"])
        #expect(names(["crm", "*-mail"]) == ["google-mail", "crm"])
        #expect(names(["c?m"]) == ["crm"])
        #expect(names([], ["login_required"]) == ["google-mail"])
        #expect(names([], ["login-required", "undelivered"]) == ["google-mail", "crm"])
        #expect(names([], ["retrying"]) == ["crm"], "the released word holds beside the finer one")
        #expect(names(["goog*"], ["fresh"]) == ["google-drive"])
    }

    @Test("one that is named in full has a page; a pattern or a state makes a table")
    func page() {
        #expect(StatusSelection(patterns: ["crm"]).onlyName == "crm")
        #expect(StatusSelection(patterns: ["crm*"]).onlyName == nil)
        #expect(StatusSelection(patterns: ["crm", "x"]).onlyName == nil)
        #expect(StatusSelection(patterns: ["crm"], words: ["fresh"]).onlyName == nil)
    }

    @Test("what matches nothing, and what is no state, is found")
    func mistakes() {
        let names = all.map(\.name)
        #expect(StatusSelection(patterns: ["crm", "cra"]).unmatched(among: names) == "cra")
        #expect(StatusSelection(patterns: ["x*"]).unmatched(among: names) == "x*")
        #expect(StatusSelection(patterns: ["crm", "goog*"]).unmatched(among: names) == nil)
        #expect(StatusSelection(words: ["frehs"]).unknownWord(besides: all) == "frehs")
        #expect(StatusSelection(words: ["pending", "failing"]).unknownWord(besides: all) == nil)
    }
}
