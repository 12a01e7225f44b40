import Foundation
import Testing

/// Subjects that do not say which component, file, caller or user acts. The words are put together
/// here, so that a search for them finds no line of this file.
private let vague =
    ["some" + "body", "no" + "body", "any" + "body", "who" + "ever"]
    + ["what " + "became of"]

/// Where one of them is the name of an account (Debian's base-passwd) or of a constant for it.
private let account: String = {
    let name = "no" + "body"
    return "\\b\(name.uppercased())\\b|[\"'`]\(name)[\"'`]|[=*]\(name)\\b|\\b\(name)(?= = \\()"
        + "|(?<=user |Debian's |those of )\(name)\\b"
}()

/// The vague subjects of a text, each with its line. The name of an account is not one.
private func vagueSubjects(in text: String) throws -> [(line: Int, word: String)] {
    let names = try NSRegularExpression(pattern: account)
    let words = try NSRegularExpression(
        pattern: "\\b(" + vague.joined(separator: "|") + ")\\b", options: .caseInsensitive)
    let whole = { (text: NSString) in NSRange(location: 0, length: text.length) }
    let known = text as NSString
    let named = names.matches(in: text, range: whole(known)).map(\.range)
    return words.matches(in: text, range: whole(known)).compactMap { match in
        guard !named.contains(where: { NSIntersectionRange($0, match.range).length > 0 }) else {
            return nil
        }
        let before = known.substring(to: match.range.location)
        return (before.utf8.count { $0 == 0x0A } + 1, known.substring(with: match.range))
    }
}

@Test(
    "a sentence names its subject: a component, a file, a caller", arguments: ["Sources", "Tests"])
func subjects(folder: String) throws {
    let root = repositoryRoot.appending(path: folder)
    let found = FileManager.default.enumerator(at: root, includingPropertiesForKeys: nil)
    var looked = 0
    for url in found?.allObjects as? [URL] ?? [] where url.pathExtension != "pyc" {
        // A directory, or a fixture that is not text.
        guard let text = try? String(contentsOf: url, encoding: .utf8) else { continue }
        looked += 1
        for (line, word) in try vagueSubjects(in: text) {
            Issue.record("\(url.lastPathComponent):\(line): \"\(word)\" does not say who acts")
        }
    }
    #expect(looked > 100, "the rule guards nothing")
}

@Test(
    "a vague subject is found in any case and in the line where it is; an account name is not one")
func vagueSubjectsAreFound() throws {
    for word in vague {
        let sentence = "It runs.\n// " + word.capitalized + " calls it.\n"
        #expect(try vagueSubjects(in: sentence).map(\.line) == [2], "\(word)")
        #expect(try vagueSubjects(in: "x" + word + "x_" + word).isEmpty, "\(word)")
    }
    let name = "no" + "body"
    for text in [
        "--reuid=\(name)", "{\"user\": \"\(name)\"}", "the user \(name) runs it",
        "`\(name)` runs it", "run(*\(name))", "\(name) = (1)", "\(name.uppercased()).pw_uid",
    ] {
        #expect(try vagueSubjects(in: text).isEmpty, "\(text)")
    }
    #expect(try vagueSubjects(in: "\"\(name) reads it\"").map(\.word) == [name])
    #expect(try vagueSubjects(in: "a user that \(name) knows").count == 1)
}
