internal import ArgumentParser
internal import Glibc
internal import TokenAdapters
internal import TokenConfiguration
internal import TokenFormats

/// The daemon's command line.
@main
struct EvertokenDaemon: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "evertokend",
        abstract: "Keeps access tokens fresh and hands them out as files.",
        discussion: """
            Usually started by systemd (evertoken.service). To try it by hand:

              evertokend --config ./evertoken.json

            keeps its state in ./state and writes tokens under ./run, beside the configuration.
            SIGHUP reloads the configuration, SIGTERM stops after what is in flight is saved.
            """,
        version: evertokenVersion)

    @Option(help: ArgumentHelp("The configuration file.", valueName: "path"))
    var config = "/etc/evertoken/evertoken.json"

    @Option(help: ArgumentHelp("Where refresh tokens are kept.", valueName: "dir"))
    var stateDir: String?

    @Option(help: ArgumentHelp("Where token files are written.", valueName: "dir"))
    var tokenDir: String?

    @Option(help: "error, warning, notice, info or debug.")
    var logLevel: String?

    func validate() throws {
        if let logLevel, LogLevel(named: logLevel) == nil {
            throw ValidationError(
                "'\(logLevel)' is not a log level; write error, warning, notice, info or debug.")
        }
    }

    func run() throws {
        let meter = LoopMeter()
        let assembly = Assembly(
            config: config, stateOverride: stateDir, tokenOverride: tokenDir,
            logLevel: logLevel.flatMap(LogLevel.init(named:)), meter: meter)
        if let missing = ProcessHardening.missingResource() {
            let line = Array("error: evertokend cannot run here: \(missing)\n".utf8)
            _ = write(STDERR_FILENO, line, line.count)
            throw ExitCode(EX_OSERR)
        }
        let status = LoopExecutor.run(meter: meter) { await assembly.run() }
        // Look-ups of names, programs and files may still hang: the exit must not wait for their
        // threads.
        _exit(status)
    }
}

extension LogLevel {
    init?(named name: String) {
        guard let found = LogLevel.allCases.first(where: { $0.name == name }) else { return nil }
        self = found
    }
}
