import Testing

@testable import TokenFormats
@testable import TokenProviders

@Suite("A provider's text in a file") struct TextQuotingTests {
    private func quoted(_ function: String, _ text: String) throws -> String? {
        let template = try Template("${\(function)(keep.note)}")
        var context = TemplateContext(nonce: Examples.nonce())
        context.values["keep.note"] = .string(text)
        return template.text(in: context)
    }

    @Test(
        "each function makes one word of a text",
        arguments: [
            ("shell", "plain/1", "plain/1"), ("shell", "a b", "'a b'"), ("shell", "", "''"),
            ("shell", "it's $(id) `id` \\", #"'it'\''s $(id) `id` \'"#),
            ("shell", "two\nlines", "'two\nlines'"),
            ("json", #"say "hi" \"#, #""say \"hi\" \\""#), ("json", "a\nb", #""a\nb""#),
            ("ini", "plain", "plain"), ("ini", "a;b # c", #""a;b # c""#),
            ("netrc", "two words", #""two words""#), ("netrc", "a\nb", #""a\nb""#),
            ("curl", "plain", #""plain""#), ("curl", #"a"b\"#, #""a\"b\\""#),
            ("curl", "a\nurl = evil", #""a\nurl = evil""#),
        ])
    func words(function: String, text: String, word: String) throws {
        #expect(try quoted(function, text) == word)
    }

    @Test("a text that cannot be written there is no word at all")
    func impossible() throws {
        #expect(try quoted("shell", "a\u{0}b") == nil)
        #expect(try quoted("ini", "a\nb") == nil)
        #expect(try quoted("netrc", "a\u{1}b") == nil)
        #expect(try quoted("curl", "a\u{1B}b") == nil)
    }

    @Test("check knows which of a provider's texts stand unquoted in a template")
    func unquoted() throws {
        func names(_ text: String) throws -> [String] { try Template(text).unquotedTexts }
        #expect(try names("${access_token} ${keep.a} ${shell(keep.b)}") == ["keep.a"])
        #expect(try names("${concat(scope, keep.a)} ${upper(token_type)}").count == 3)
        #expect(try names("${json(concat(scope, keep.a))} ${urlencode(token_type)}") == [])
        #expect(try names("${expires_at}") == [])
    }
}
