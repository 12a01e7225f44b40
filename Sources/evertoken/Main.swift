internal import ArgumentParser
internal import Glibc
internal import TokenAdapters
internal import TokenConfiguration
internal import TokenFormats

/// The command line interface.
@main
struct Evertoken: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "evertoken",
        abstract: "Asks the evertoken daemon, checks its configuration, and shows how it works.",
        discussion: """
            Exit status: 0 ok, 64 usage, 65 bad data, 69 daemon not reachable, 75 temporary \
            failure, 77 permission, 78 configuration.

              evertoken demo --seconds 20          see it work, without an account
              evertoken check                      every mistake of the configuration
              evertoken status                     every credential and what to do about it
              curl -H "$(evertoken token crm --header)" https://api.example/
            """,
        version: evertokenVersion,
        subcommands: [
            Check.self, Status.self, Token.self, Refresh.self, Reload.self, Add.self, Login.self,
            Import.self, Wait.self, Accept.self, Forget.self, Logs.self, Explain.self,
            Providers.self, Demo.self,
        ])

    static func main() {
        // This program handles tokens too.
        _ = ProcessHardening.forbidDumps()
        let words = Array(CommandLine.arguments.dropFirst())
        if let unknown = UnknownCommand(words, known: commandNames + ["help"]) {
            exit(withError: fail(EX_USAGE, unknown.message))
        }
        if let script = wantedScript(words) {
            print(script)
            return
        }
        main(words)
    }

    private static let commandNames = configuration.subcommands.map { $0._commandName }

    /// For `--generate-completion-script SHELL`; the parser handles any other command line.
    static func wantedScript(_ words: [String]) -> String? {
        guard words.count == 2, words[0] == "--generate-completion-script",
            let shell = CompletionShell(rawValue: words[1])
        else { return nil }
        let script = CompletionScript(text: completionScript(for: shell), commands: commandNames)
        return script.withHelpCommands
    }
}

/// How every command finds the daemon (Contract 5.1).
struct DaemonOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp("The daemon's control socket.", valueName: "path"), completion: .file())
    var socket: String?

    @Option(
        help: ArgumentHelp("A configuration that names the control socket.", valueName: "path"),
        completion: .file())
    var config: String?

    /// Whether a certain daemon was named: its state is not that of the default configuration.
    var isSocketNamed: Bool {
        socket != nil || (getenv("EVERTOKEN_SOCKET").map { $0.pointee != 0 } ?? false)
    }

    func client() throws -> ControlClient { ControlClient(path: try socketPath()) }

    private func socketPath() throws -> String {
        if let socket { return socket }
        if let variable = getenv("EVERTOKEN_SOCKET"), variable.pointee != 0 {
            return String(cString: variable)
        }
        if let config {
            let (configuration, loader) = try loadConfiguration(config)
            return daemonSocket(configuration, base: loader.directory)
        }
        return "/run/evertoken/control.sock"
    }
}

/// A name that a request may carry. An invalid one could form another path.
func checkedName(_ name: String) throws -> String {
    guard isConfiguredName(name) else {
        throw fail(EX_DATAERR, "'\(name)' cannot be the name of a credential; see evertoken status")
    }
    return name
}

/// Prints to standard error and returns an exit status of sysexits(3).
func fail(_ status: Int32, _ message: String) -> ExitCode {
    printError("evertoken: " + message)
    return ExitCode(status)
}

func printError(_ text: String) {
    let line = Array((text + "\n").utf8)
    _ = write(STDERR_FILENO, line, line.count)
}
