import Foundation
import Testing

/// The files that handle text of servers, of peers, and of files that other users may write. The
/// operators of String are forbidden there: they compare by canonical equivalence, in quadratic
/// time (Sources/TokenFormats/Text/ForeignText.swift). Readers of the configuration are not listed.
private let meeting = [
    "TokenFormats/JSON", "TokenProviders/Responses", "TokenProviders/SignIn",
    "TokenConfiguration/Output",
    "TokenSlots/Records/CredentialRecord+Applying.swift",
    "TokenSlots/Records/CredentialRecord+JSON.swift",
    "TokenControl/Import/ImportReading.swift", "TokenControl/Import/ImportedDocument.swift",
    "TokenFormats/Secrets/Secret.swift",
    "TokenAdapters/HTTP/HTTPMessages.swift", "TokenAdapters/Control/ControlServer.swift",
    "TokenAdapters/Control/ControlAnswers.swift", "TokenAdapters/Curl/CurlTransfer.swift",
]

/// Files that handle only the operator's text, or text that was checked to be ASCII.
private let exempt: Set<String> = [
    "JSONPointer.swift", "ResponseSpecificationReading.swift", "SignIn.swift",
    "LoopbackRedirect.swift", "BrowserSignIn.swift", "SignInFailure.swift",
]

private let forbidden: [(pattern: String, instead: String)] = [
    (#"[!=]= "[^"]"#, "hasSameBytes(as:)"), (#"case "[^"]"#, "init(spelled:) or a ByteText"),
    (#"\.hasPrefix\("#, "hasBytePrefix(_:)"), (#"\.hasSuffix\("#, "bytes"),
    (#"Set<String>"#, "Set<ByteText>"), (#"\.lowercased\(\)"#, "asciiLowercased"),
    (#"\.uppercased\(\)"#, "bytes"), (#"\.isWhitespace"#, "trimmedOfSpace"),
    (#"\.isLetter|\.isNumber"#, "bytes"), (#"init\(rawValue:"#, "init(spelled:)"),
    (#"split\(separator: ""#, "utf8.split"), (#"firstIndex\(of: ""#, "utf8.firstIndex"),
    (#"\.contains\(""#, "containsBytes(of:)"), (#"\.localized|\.folding\("#, "bytes"),
]

/// Lines that are correct because their text is the program's own, or ASCII at that point.
private let allowed = [
    "parts == [\"v1\", \"status\"]", "case (\"GET\"", "case (\"POST\"", "case (_, 3...)",
    // Words of a request line, which are ASCII.
    "request.method ==", "rendered.method !=", "path.hasPrefix(\"/\")", "address.",
    // Headers that the daemon sends, names of a profile, and the program's own spelling of numbers.
    "$0.name.lowercased() ==", "literal == \"-0\"", "text.contains(\"-----BEGIN\")",
    "url.split(separator: \"/\")", "init(rawValue:))", "name.first?.isNumber",
    "var templateVariables", "request.path.split(",
    // After a check of every byte.
    "issuer.contains(\"?\")", "path.hasSuffix(\"/\")", "name == \"authorization_endpoint\"",
    // A member that is known by its bytes.
    "case \"refresh_token\":", "case \"access_token\":", "case \"token_type\":",
    "case \"scope\":", "member.key == \"expires_in\"",
    // Text that a user pasted on the command line.
    "text.firstIndex(of: \"?\")", "$0 != \"#\"", "$0 != \"/\"", "unicodeScalars.contains(",
    "text.contains(\"://\")", "$0 != \"?\"", "character.isWhitespace",
    "case \"&\"", "case \"<\"", "case \">\"", "case \"\\\"\"", "case \"'\"",
]

@Test("where texts of others are met, they are compared by their bytes")
func foreignText() throws {
    let sources = repositoryRoot.appending(path: "Sources")
    let rules = try forbidden.map { (try Regex($0.pattern), $0.instead) }
    var looked = 0
    for place in meeting {
        let url = sources.appending(path: place)
        let below = FileManager.default.enumerator(at: url, includingPropertiesForKeys: nil)
        let files =
            place.hasSuffix(".swift") ? [url] : (below?.allObjects as? [URL] ?? [])
        for file in files where !exempt.contains(file.lastPathComponent) {
            looked += 1
            for line in try String(contentsOf: file, encoding: .utf8).split(separator: "\n") {
                let code = line.drop { $0 == " " }
                guard !code.hasPrefix("//"), !allowed.contains(where: { code.contains($0) }) else {
                    continue
                }
                for (pattern, instead) in rules where code.contains(pattern) {
                    Issue.record("\(file.lastPathComponent): use \(instead): \(code)")
                }
            }
        }
    }
    #expect(looked > 15, "the rule guards nothing")
}
