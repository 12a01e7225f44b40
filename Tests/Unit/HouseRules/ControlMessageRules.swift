import Foundation
import Testing

/// A use of JSON that the command line does not need for the daemon's messages, and the files that
/// have it for another purpose.
private struct JSONUse {
    /// A regular expression.
    var pattern: String
    /// The other purposes, by file.
    var purposes: [String: String]

    func isIn(_ text: String) -> Bool {
        text.range(of: pattern, options: .regularExpression) != nil
    }
}

private let uses = [
    JSONUse(
        pattern: #"\bJSON(Node|Member)\b"#,
        purposes: [
            "CredentialAnswers.swift": "values of a new configuration",
            "Demo.swift": "the configuration of the demo",
            "DemoProviders.swift": "the providers of the demo",
            "Providers.swift": "its own --json, which is about profiles",
        ]),
    JSONUse(
        pattern: #"\bJSONReader\b"#,
        purposes: [
            "ControlClient.swift": "the text of a reply, for ControlReply",
            "DemoProviders.swift": "requests to the demo's providers",
            "DemoRun.swift": "the text of a token file, for TokenReply",
        ]),
    // A value by its key.
    JSONUse(
        pattern: #"[\w)?\]]\["\w+"\]"#,
        purposes: ["DemoProviders.swift": "fields of a token request"]),
    // A value with its key.
    JSONUse(
        pattern: #"\["\w+":"#,
        purposes: [
            "CredentialAnswers.swift": "values of a new configuration",
            "Demo.swift": "the configuration of the demo",
            "DemoProviders.swift": "the providers of the demo",
        ]),
    // A resource of the daemon.
    JSONUse(pattern: #""/v1/"#, purposes: [:]),
]

/// Both programs agree on their messages by the types of TokenControl: a key that the command
/// line spelled itself could differ from the daemon's.
@Test("the command line names no member of a control message")
func controlMessages() throws {
    let files = try files(under: "Sources/evertoken")
    #expect(files.count > 40, "the rule guards nothing")
    for use in uses {
        var found: Set<String> = []
        for file in files where use.isIn(file.text) { found.insert(file.name) }
        #expect(found == Set(use.purposes.keys), "\(use.pattern)")
    }
}

@Test("a key of a message is found, however it is written")
func controlMessagesAreFound() {
    let found = { (code: String) in uses.contains { $0.isIn(code) } }
    for code in [
        #"reply.body["title"]?.text"#, #"(status["credentials"] ?? [])"#, #"offer?["device"]"#,
        #"session.ask(["method": "browser"])"#, #"JSONNode.object([("code", code)])"#,
        #"client.request("GET", "/v1/status")"#,
    ] { #expect(found(code), "\(code)") }
    for code in [
        #"case "refresh":"#, #"let words = ["", "dumb"]"#, #"row["name".count]"#,
        #"facts = [("provider", status.provider)]"#,
    ] { #expect(!found(code), "\(code)") }
}
