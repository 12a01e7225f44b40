import ArgumentParser
import Glibc
import TokenAdapters
import TokenCore

struct Status: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show every credential, when it is refreshed, and what is wrong with it.",
        discussion: """
            With a name: all about that one, with its last attempts. Colour only on a terminal, \
            and not where NO_COLOR is set.

              evertoken status
              evertoken status crm            how it came to this
              evertoken status --watch        until q is pressed
              evertoken status crm --json | jq .state
              evertoken status --check        exit 75 if anything needs attention
            """)

    @Argument(help: "Only this credential.") var name: String?
    @Flag(help: "Print the daemon's JSON.") var json = false
    @Flag(help: "Keep looking, redrawn in place every second; q ends it.") var watch = false
    @Flag(help: "Exit 75 unless every credential is fresh, refreshing or retrying.")
    var check = false
    @OptionGroup var daemon: DaemonOptions

    func validate() throws {
        if watch, json || check {
            throw ValidationError("--watch is for people: it goes with neither --json nor --check.")
        }
    }

    func run() throws {
        let target = try name.map { try credentialPath($0) } ?? "/v1/status"
        let client = try daemon.client()
        if watch { return try StatusWatch(client: client, target: target, name: name).run() }
        let reply = try client.successful("GET", target)
        if json {
            print(reply.text, terminator: "")
        } else {
            let view = StatusView(body: reply.body, isOne: name != nil)
            for line in view.lines(.standardOutput()) { print(line) }
        }
        let credentials = name == nil ? reply.body["credentials"]?.elements ?? [] : [reply.body]
        let states = credentials.compactMap { $0["state"]?.text }
        let isFine = states.allSatisfy { CredentialState(rawValue: $0)?.isHealthy ?? false }
        if check, !isFine { throw ExitCode(EX_TEMPFAIL) }
    }
}

/// The daemon's answer as lines: a page of one credential, or the table of all.
struct StatusView {
    let body: JSONNode
    let isOne: Bool

    func lines(_ style: TextStyle, showsLife: Bool = false) -> [String] {
        let now = SystemClock().now().wall
        if isOne { return StatusPage(credential: body, now: now, style: style).lines }
        return StatusTable(status: body, now: now, style: style, showsLife: showsLife).lines
    }
}
