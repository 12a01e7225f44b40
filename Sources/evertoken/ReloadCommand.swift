import ArgumentParser
import Glibc
import TokenCore

struct Reload: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Reload the configuration; with mistakes in it the running one stays.",
        discussion: """
            Prints what changed, or every mistake, and ends with 78 then. systemctl reload runs it.

              evertoken reload
            """)

    @OptionGroup var daemon: DaemonOptions

    func run() throws {
        let client = try daemon.client()
        let reply = try client.request("POST", "/v1/reload")
        if reply.status == 422 { throw Self.refused(reply, client) }
        guard reply.status / 100 == 2 else { throw client.failure(reply) }
        let lines = Self.lines(reply.body)
        for line in lines { print(line) }
        for warning in (reply.body["warnings"]?.elements ?? []).compactMap(\.text) {
            printError("warning: " + warning)
        }
        let problems = (reply.body["problems"]?.elements ?? []).compactMap(\.text)
        for problem in problems { printError("evertoken: reloaded, but \(problem)") }
        if !problems.isEmpty { throw ExitCode(EX_TEMPFAIL) }
        if lines.isEmpty {
            print("reloaded; nothing changed (secrets are read at every use)")
        }
    }

    private static func lines(_ changes: JSONNode) -> [String] {
        let names = { (key: String) in (changes[key]?.elements ?? []).compactMap(\.text) }
        let changed = names("changed").map { name in
            let keys = (changes["changed_keys"]?[name]?.elements ?? []).compactMap(\.text)
            return "changed: \(name) (\(keys.joined(separator: ", ")))"
        }
        let waiting = names("needs_restart").map {
            "waits for a restart: \($0); systemctl restart evertoken"
        }
        return names("added").map { "added: " + $0 } + names("removed").map { "removed: " + $0 }
            + changed + names("settings").map { "changed: " + $0 } + waiting
    }

    /// One heading for each file, and below it a line for each mistake.
    private static func refused(
        _ reply: ControlClient.Reply, _ client: ControlClient
    ) -> ExitCode {
        guard let mistakes = reply.body["mistakes"]?.elements else {
            // The reply of a daemon that does not list the mistakes separately.
            _ = client.failure(reply)
            return ExitCode(EX_CONFIG)
        }
        printError("evertoken: " + (reply.body["title"]?.text ?? "the reload was refused"))
        var file: String?
        for mistake in mistakes {
            let text = mistake["text"]?.text ?? ""
            if let named = mistake["file"]?.text, named != file {
                file = named
                printError(named)
            }
            let line = mistake["line"]?.integer ?? 0
            let column = mistake["column"]?.integer ?? 0
            printError(line == 0 ? "  \(text)" : "  \(line):\(column) \(text)")
        }
        printError("Run: evertoken check; then evertoken reload")
        return ExitCode(EX_CONFIG)
    }
}
