import ArgumentParser
import Glibc
import TokenAdapters
import TokenCore

struct Status: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show every credential, when it is refreshed, and what is wrong with it.",
        discussion: """
            The worst first, and what is wrong with several said once. With one name: all about \
            that one, with its last attempts. Colour and cuts only on a terminal; no colour where \
            NO_COLOR is set.

              evertoken status
              evertoken status crm                    how it came to this
              evertoken status 'goog*' --state login_required
              evertoken status --watch                arrows move, / searches, q ends it
              evertoken status crm --json | jq .state
              evertoken status -q || echo "a token needs attention"
            """)

    enum Form: String, ExpressibleByArgument, CaseIterable { case wide, name, json }

    @Argument(
        help: ArgumentHelp("Only these; * and ? stand for others.", valueName: "name"),
        completion: .credentialNames)
    var names: [String] = []
    @Option(
        help: ArgumentHelp("Only those of this state or condition; may be repeated."),
        completion: .list(StateWords.all))
    var state: [String] = []
    @Option(
        name: .shortAndLong,
        help: ArgumentHelp(
            "wide: more columns; name: only names; json: as --json.", valueName: "form"))
    var output: Form?
    @Flag(help: "Print the daemon's JSON.") var json = false
    @Flag(help: "Only the rows: no summary, header or problems.") var noHeaders = false
    @Flag(help: "Times in UTC.") var utc = false
    @Flag(name: .shortAndLong, help: "Keep looking, redrawn in place; q ends it.")
    var watch = false
    @Flag(help: "Exit 75 unless every credential is fresh, refreshing or retrying.")
    var check = false
    @Flag(name: .shortAndLong, help: "As --check, and print nothing.") var quiet = false
    @OptionGroup var daemon: DaemonOptions

    func validate() throws {
        if watch, isJSON || output == .name || check || quiet {
            throw ValidationError(
                "--watch is for people: it goes with neither --json, -o name, --check nor -q.")
        }
        if quiet, isJSON || output != nil {
            throw ValidationError("-q prints nothing: leave out --json and -o.")
        }
        if json, let output, output != .json {
            throw ValidationError("--json and -o \(output.rawValue) are two forms; choose one.")
        }
    }

    private var isJSON: Bool { json || output == .json }

    func run() throws {
        let question = StatusQuestion(
            client: try daemon.client(),
            selection: StatusSelection(patterns: names, words: state))
        var view = StatusView(
            selection: question.selection, isWide: output == .wide, hasOnlyRows: noHeaders,
            clock: utc ? .utc : .local())
        view.isPage = question.selection.onlyName != nil && output != .wide && !noHeaders
        if watch { return try StatusWatch(question: question, view: view).run() }
        let reply = try question.ask(orSay: daemon.isSocketNamed ? nil : firstSteps)
        let shown = question.credentials(reply.body)
        if isJSON {
            print(question.text(reply), terminator: "")
        } else if output == .name {
            let now = SystemClock().now().wall
            for credential in shown.worstFirst(now: now) { print(credential.name) }
        } else if !quiet {
            for line in view.lines(reply.body, .standardOutput()) { print(line) }
        }
        let isFine = shown.allSatisfy { CredentialState(rawValue: $0.state)?.isHealthy ?? false }
        if check || quiet, !isFine { throw ExitCode(EX_TEMPFAIL) }
    }

    /// The first steps when there is no configuration, and so no daemon that could be started.
    private var firstSteps: String? {
        let path = defaultConfigurationPath
        guard daemon.config == nil, access(path, F_OK) != 0, errno == ENOENT else { return nil }
        return "there is no \(path) yet; see \"First token\" in man evertoken, or run: "
            + "evertoken providers"
    }
}

/// The status request of a command line, and its selection from the reply.
struct StatusQuestion {
    let client: ControlClient
    let selection: StatusSelection

    /// A fully named credential is requested alone: that reply includes its history.
    func target() throws -> String {
        try selection.onlyName.map(credentialPath) ?? "/v1/status"
    }

    /// - Parameter absence: The message if no daemon runs.
    /// - Throws: `ExitCode`, after printing the error.
    func ask(orSay absence: String? = nil) throws -> ControlClient.Reply {
        let target = try target()
        let reply: ControlClient.Reply
        do throws(ControlClient.Unanswered) {
            reply = try client.quietRequest("GET", target)
        } catch {
            if error.isAbsent, let absence { throw fail(EX_UNAVAILABLE, absence) }
            throw client.failure(error)
        }
        guard reply.status / 100 == 2 else { throw client.failure(reply) }
        if selection.onlyName == nil { try checkSelection(reply.body) }
        return reply
    }

    private func checkSelection(_ status: JSONNode) throws {
        let all = Self.entries(status).map(ShownCredential.init)
        if let pattern = selection.unmatched(among: all.map(\.name)) {
            throw unmatched(pattern, among: all.map(\.name))
        }
        if let word = selection.unknownWord(besides: all) {
            let near = NameMatching.nearest(to: word, among: StateWords.all).map {
                "did you mean \($0)?"
            }
            throw fail(
                EX_USAGE,
                "\"\(word)\" is not a state; "
                    + (near ?? "write one of \(StateWords.all.joined(separator: ", "))"))
        }
    }

    func credentials(_ body: JSONNode) -> [ShownCredential] {
        guard selection.onlyName == nil else { return [ShownCredential(body)] }
        return Self.entries(body).map(ShownCredential.init).filter(selection.includes)
    }

    /// The reply as received if everything was requested; otherwise without the other credentials.
    func text(_ reply: ControlClient.Reply) -> String {
        guard selection.onlyName == nil, !selection.isAll else { return reply.text }
        let members = (reply.body.members ?? []).map { member in
            guard member.key.hasSameBytes(as: "credentials") else { return member }
            let kept = Self.entries(reply.body).filter { selection.includes(ShownCredential($0)) }
            return JSONMember(member.key, .array(kept))
        }
        let node = JSONNode(.object(members))
        return String(decoding: node.serialized() + [0x0A], as: UTF8.self)
    }

    private static func entries(_ status: JSONNode) -> [JSONNode] {
        status["credentials"]?.elements ?? []
    }
}

/// Prints that a name or pattern matches no credential.
func unmatched(_ pattern: String, among names: [String]) -> ExitCode {
    fail(EX_DATAERR, UnmatchedName(pattern: pattern, names: names).problem)
}

/// Renders the daemon's reply as lines: a page for one credential, or the table of all.
struct StatusView {
    var selection = StatusSelection()
    var isPage = false
    var isWide = false
    var hasOnlyRows = false
    var clock = ReaderClock.utc

    func lines(_ body: JSONNode, _ style: TextStyle, showsLife: Bool = false) -> [String] {
        let now = SystemClock().now().wall
        if isPage { return StatusPage(json: body, now: now, style: style, clock: clock).lines }
        // The reply for a single credential is shown as a table with one row.
        let status =
            body["credentials"] == nil ? JSONNode.object([("credentials", .array([body]))]) : body
        var table = StatusTable(status: status, selection: selection, now: now)
        (table.style, table.clock, table.showsLife) = (style, clock, showsLife)
        (table.isWide, table.hasOnlyRows) = (isWide, hasOnlyRows)
        return table.lines
    }

    /// The number of lines that do not scroll: summary and header.
    var fixedLines: Int { isPage || hasOnlyRows ? 0 : 2 }
}
