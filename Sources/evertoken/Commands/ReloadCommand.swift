internal import ArgumentParser
internal import Glibc
internal import TokenConfiguration
internal import TokenControl

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
        let reply = try client.request(.reload).message
        if reply.status == 422 { throw Self.refused(reply, client) }
        guard case .reloaded(let changes) = reply.content else { throw client.failure(reply) }
        let lines = Self.lines(changes)
        for line in lines { print(line) }
        for warning in changes.warnings { printError("warning: " + warning) }
        for problem in changes.problems { printError("evertoken: reloaded, but \(problem)") }
        if !changes.problems.isEmpty { throw ExitCode(EX_TEMPFAIL) }
        if lines.isEmpty {
            print("reloaded; nothing changed (secrets are read at every use)")
        }
    }

    private static func lines(_ changes: ConfigurationChanges) -> [String] {
        let changed = changes.changed.map { name, keys in
            "changed: \(name) (\(keys.joined(separator: ", ")))"
        }
        let waiting = changes.needingRestart.map {
            "waits for a restart: \($0); systemctl restart evertoken"
        }
        return changes.added.map { "added: " + $0 } + changes.removed.map { "removed: " + $0 }
            + changed + changes.settings.map { "changed: " + $0 } + waiting
    }

    /// One heading for each file, and below it a line for each mistake.
    private static func refused(_ reply: ControlReply, _ client: ControlClient) -> ExitCode {
        guard let problem = reply.problem, let mistakes = problem.mistakes else {
            // The reply of a daemon that does not list the mistakes separately.
            _ = client.failure(reply)
            return ExitCode(EX_CONFIG)
        }
        printError("evertoken: " + problem.title)
        var file: String?
        for mistake in mistakes {
            if let named = mistake.file, named != file {
                file = named
                printError(named)
            }
            let (line, column) = (mistake.line, mistake.column)
            printError(line == 0 ? "  \(mistake.text)" : "  \(line):\(column) \(mistake.text)")
        }
        printError("Run: evertoken check; then evertoken reload")
        return ExitCode(EX_CONFIG)
    }
}
