internal import ArgumentParser
internal import Glibc
internal import TokenAdapters
internal import TokenControl
internal import TokenFormats

struct Wait: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Wait until credentials have a valid token.",
        discussion: """
            With --fail-fast it does not wait for a person: it ends at once with 77 when one must \
            sign in or accept a state, with 78 when something is misconfigured, and says what to do.

              evertoken wait crm --timeout 60s
              evertoken wait crm drive --fail-fast
            """)

    @Argument(
        help: ArgumentHelp("The credentials.", valueName: "name"), completion: .credentialNames)
    var names: [String]
    @Option(help: ArgumentHelp("How long to wait.", valueName: "duration"))
    var timeout = "60s"
    @Flag(help: "End at once where waiting does not help.") var failFast = false
    @OptionGroup var daemon: DaemonOptions

    func validate() throws {
        guard parseDuration(timeout) != nil else {
            throw ValidationError(durationMistake(timeout) + ".")
        }
    }

    func run() throws {
        let client = try daemon.client()
        let end = SystemClock().now().uptime.advanced(by: parseDuration(timeout) ?? .seconds(60))
        // Each round requests all of them: the one that needs an operator may be the last.
        while true {
            var waiting: [(name: String, isAnswered: Bool)] = []
            for name in names {
                // The daemon may not listen yet: this command is used during start-up.
                let reply = try? client.quietRequest(.credential(try checkedName(name)))
                if let reply, reply.status == 404 { throw client.failure(reply.message) }
                let credential = reply?.message.credentials.first
                let state = credential?.state.known
                if state?.isHealthy == true { continue }
                if failFast, let credential, let status = state?.hopelessStatus {
                    throw fail(status, Self.words(credential))
                }
                waiting.append((name, reply != nil))
            }
            guard let first = waiting.first else { return }
            guard SystemClock().now().uptime < end else {
                // If the daemon never replied, prints why.
                if !first.isAnswered { _ = try client.request(.status()) }
                throw fail(EX_TEMPFAIL, Self.words(waiting.map(\.name)))
            }
            usleep(100_000)
        }
    }

    private static func words(_ names: [String]) -> String {
        let list = names.joined(separator: ", ")
        return names.count == 1
            ? "\(list) has no valid token; see evertoken status \(list)"
            : "\(list) have no valid token; see evertoken status"
    }

    static func words(_ credential: CredentialStatus) -> String {
        let problem = credential.lastError.map { ": " + $0.problem } ?? ""
        let remedy = credential.lastError?.remedy ?? "See evertoken status \(credential.name)"
        return "\(credential.name) is \(credential.condition.text)\(problem)\n  \(ended(remedy))"
    }
}

extension CredentialState {
    /// The exit status of `wait --fail-fast`; `nil` while the state may recover by itself.
    var hopelessStatus: Int32? {
        switch self {
        case .loginRequired, .quarantined: EX_NOPERM
        case .misconfigured: EX_CONFIG
        case .pending, .fresh, .refreshing, .retrying, .expired: nil
        }
    }
}
