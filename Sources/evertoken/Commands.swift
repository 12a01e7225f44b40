import ArgumentParser
import Glibc
import TokenAdapters
import TokenCore

struct Token: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print the current access token.",
        discussion: """
            Refreshes, or waits for a refresh, if the token would not last as long as asked.

              evertoken token crm
              curl -H "$(evertoken token crm --header --min-ttl 5m)" https://api.example/
            """)

    @Argument(help: "The credential.") var name: String
    @Option(help: ArgumentHelp("At least this long valid, such as 5m.", valueName: "duration"))
    var minTtl = "0s"
    @Flag(help: "Print it as an Authorization header.") var header = false
    @Flag(help: "Print all that token.json holds.") var json = false
    @OptionGroup var daemon: DaemonOptions

    func validate() throws {
        guard parseDuration(minTtl) != nil else {
            throw ValidationError("'\(minTtl)' is no duration; write 90s or 5m.")
        }
    }

    func run() throws {
        let reply = try daemon.client()
            .successful("GET", "\(try credentialPath(name))/token?min_ttl=\(minTtl)")
        if json {
            print(reply.text, terminator: "")
            return
        }
        guard let token = reply.body["access_token"]?.text else {
            throw fail(EX_TEMPFAIL, "the daemon gave no token; see evertoken status \(name)")
        }
        let type = reply.body["token_type"]?.text
        print(header ? AuthorizationScheme.header(token, tokenType: type) : token)
    }
}

struct Refresh: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Refresh now.",
        discussion: """
            The floor between two refreshes (min_interval) holds here too.

              evertoken refresh crm --wait
              evertoken refresh --all
            """)

    @Argument(help: "The credential.") var name: String?
    @Flag(help: "Every credential.") var all = false
    @Flag(help: "Wait until it has ended, and fail if it failed.") var wait = false
    @OptionGroup var daemon: DaemonOptions

    func validate() throws {
        guard (name == nil) == all else {
            throw ValidationError("Name one credential, or say --all.")
        }
    }

    func run() throws {
        let client = try daemon.client()
        var names = [name].compactMap { $0 }
        if all {
            let status = try client.successful("GET", "/v1/status").body
            names = (status["credentials"]?.elements ?? []).compactMap { $0["name"]?.text }
        }
        let query = wait ? "?wait=90" : ""
        var worst: ExitCode?
        for name in names {
            let reply = try client.request(
                "POST", "\(try credentialPath(name))/refresh\(query)", timeout: 120)
            if reply.status / 100 == 2 {
                print(wait ? "\(name): refreshed" : "\(name): asked for")
            } else {
                worst = client.failure(reply)
            }
        }
        if let worst { throw worst }
    }
}

struct Reload: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Reload the configuration; with mistakes in it the running one stays.",
        discussion: """
              evertoken reload
            """)

    @OptionGroup var daemon: DaemonOptions

    func run() throws {
        let client = try daemon.client()
        let reply = try client.request("POST", "/v1/reload")
        if reply.status == 422 {
            _ = client.failure(reply)
            throw ExitCode(EX_CONFIG)
        }
        guard reply.status / 100 == 2 else { throw client.failure(reply) }
        let lines = Self.lines(reply.body)
        for line in lines { print(line) }
        for warning in (reply.body["warnings"]?.elements ?? []).compactMap(\.text) {
            printError("warning: " + warning)
        }
        let problems = (reply.body["problems"]?.elements ?? []).compactMap(\.text)
        for problem in problems { printError("evertoken: reloaded, but \(problem)") }
        if !problems.isEmpty { throw ExitCode(EX_TEMPFAIL) }
        if lines.isEmpty { print("reloaded; nothing changed") }
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
}

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
            throw ValidationError("'\(timeout)' is no duration; write 90s or 5m.")
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
