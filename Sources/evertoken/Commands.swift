import ArgumentParser
import Glibc
import TokenAdapters
import TokenCore

struct Wait: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Wait until a credential has a valid token.",
        discussion: """
              evertoken wait crm --timeout 60s
            """)

    @Argument(help: "The credential.") var name: String
    @Option(help: ArgumentHelp("How long to wait.", valueName: "duration"))
    var timeout = "60s"
    @OptionGroup var daemon: DaemonOptions

    func validate() throws {
        guard parseDuration(timeout) != nil else {
            throw ValidationError(durationMistake(timeout) + ".")
        }
    }

    func run() throws {
        let client = try daemon.client()
        let end = SystemClock().now().uptime.advanced(by: parseDuration(timeout) ?? .seconds(60))
        while true {
            // The daemon may not listen yet: this command is for start-up.
            let reply = try? client.quietRequest("GET", "\(try credentialPath(name))")
            if let reply, reply.status == 404 { throw client.failure(reply) }
            if let state = reply?.body["state"]?.text,
                CredentialState(rawValue: state)?.isHealthy == true
            {
                return
            }
            guard SystemClock().now().uptime < end else {
                // Says who cannot be reached, if that is all there is to say.
                if reply == nil { _ = try client.request("GET", "/v1/status") }
                throw fail(EX_TEMPFAIL, "\(name) has no valid token; see evertoken status \(name)")
            }
            usleep(100_000)
        }
    }
}
