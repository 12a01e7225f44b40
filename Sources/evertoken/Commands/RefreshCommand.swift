internal import ArgumentParser
internal import Glibc
internal import TokenControl
internal import TokenFormats
internal import TokenScheduling

struct Refresh: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Refresh now.",
        discussion: """
            The floor between two refreshes (min_interval) holds here too.

              evertoken refresh crm --wait
              evertoken refresh crm 'google-*'
              evertoken refresh --all
            """)

    @Argument(
        help: "Credentials: names, or globs in quotes.", completion: .credentialNames)
    var names: [String] = []
    @Flag(help: "Every credential.") var all = false
    @Flag(help: "Wait until it has ended, and fail if it failed.") var wait = false
    @OptionGroup var daemon: DaemonOptions

    func validate() throws {
        guard names.isEmpty == all else {
            throw ValidationError("Name credentials, or say --all.")
        }
    }

    func run() throws {
        let client = try daemon.client()
        var worst: ExitCode?
        for name in try client.names(names, all: all) {
            let request = ControlRequest.refresh(
                try checkedName(name), wait: wait ? .seconds(90) : nil)
            if wait, isatty(STDERR_FILENO) == 1 { tellFloor(of: name, client) }
            let reply = try client.request(request, timeout: 120)
            if reply.status / 100 == 2 {
                print(
                    wait
                        ? "\(name): refreshed"
                        : "\(name): refresh requested; see evertoken status \(name)")
            } else {
                worst = client.failure(reply.message)
            }
        }
        if let worst { throw worst }
    }

    /// Tells a waiting user why the refresh is delayed.
    private func tellFloor(of name: String, _ client: ControlClient) {
        guard let reply = try? client.quietRequest(.credential(name)).message,
            case .credential(let report) = reply.content, let floor = report.refreshFloor
        else { return }
        let whole = describe(floor.whole)
        let cause =
            switch floor.cause {
            case .retryAfter: "the provider asked for a pause of \(whole)"
            case .minimumInterval: "min_interval \(whole)"
            }
        printError("\(name): waiting \(describe(floor.wait)) (\(cause))")
    }
}

extension ControlClient {
    /// The credentials that the arguments select.
    ///
    /// - Throws: `ExitCode` 65 for a name or glob without a match, after printing the existing
    ///   names.
    func names(_ patterns: [String], all: Bool) throws -> [String] {
        // The daemon itself checks a single name and lists the existing ones.
        if !all, patterns.count == 1, !NameMatching.isGlob(patterns[0]) { return patterns }
        let known = try successful(.status()).credentialNames
        if all { return known }
        do throws(UnmatchedName) { return try NameMatching.select(patterns, among: known) } catch {
            throw fail(EX_DATAERR, error.problem)
        }
    }
}
