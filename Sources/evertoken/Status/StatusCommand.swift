internal import ArgumentParser
internal import Glibc
internal import TokenAdapters
internal import TokenControl
internal import TokenFormats

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
            selection: StatusSelection(patterns: names, words: state), needsText: isJSON)
        var view = StatusView(
            selection: question.selection, isWide: output == .wide, hasOnlyRows: noHeaders,
            clock: utc ? .utc : .local())
        view.isPage = question.selection.onlyName != nil && output != .wide && !noHeaders
        if watch { return try StatusWatch(question: question, view: view).run() }
        let reply = try question.ask(orSay: daemon.isSocketNamed ? nil : firstSteps)
        let shown = question.credentials(reply.message)
        if isJSON {
            print(question.text(reply), terminator: "")
        } else if output == .name {
            let now = SystemClock().now().wall
            for credential in shown.worstFirst(now: now) { print(credential.name) }
        } else if !quiet {
            for line in view.lines(reply.message, .standardOutput()) { print(line) }
        }
        let isFine = shown.allSatisfy { $0.state.known?.isHealthy ?? false }
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
    /// Whether the daemon's own text is wanted, which is one document.
    var needsText = false

    /// A fully named credential is requested alone: that reply includes its history.
    func request() throws -> ControlRequest {
        try selection.onlyName.map { .credential(try checkedName($0)) } ?? .status()
    }

    /// The same request again, without checks.
    ///
    /// - Parameter most: How many credentials are wanted of many, the worst ones; `nil` for all.
    func lookAgain(most: Int?) throws(ControlClient.Unanswered) -> ControlReply {
        guard let name = selection.onlyName else { return try list(most: most, timeout: 2) }
        return try client.quietRequest(.credential(name), timeout: 2).message
    }

    /// - Parameter timeout: Seconds for each page.
    private func list(
        most: Int?, timeout: Int
    ) throws(ControlClient.Unanswered) -> ControlReply {
        let pages = StatusPages(
            ask: { [client] query throws(ControlClient.Unanswered) in
                try client.quietRequest(.status(query), timeout: timeout).message
            }, selection: selection)
        return if let most { try pages.worst(most) } else { try pages.all() }
    }

    /// - Parameters:
    ///   - absence: The message if no daemon runs.
    ///   - most: As for ``lookAgain(most:)``.
    /// - Throws: `ExitCode`, after printing the error.
    func ask(orSay absence: String? = nil, most: Int? = nil) throws -> ControlClient.Reply {
        let request = try request()
        let reply: ControlClient.Reply
        do throws(ControlClient.Unanswered) {
            if needsText || selection.onlyName != nil {
                reply = try client.quietRequest(request)
            } else {
                let message = try list(most: most, timeout: 60)
                reply = ControlClient.Reply(message: message, text: "")
            }
        } catch {
            if error.isAbsent, let absence { throw fail(EX_UNAVAILABLE, absence) }
            throw client.failure(error)
        }
        guard reply.status / 100 == 2 else { throw client.failure(reply.message) }
        if selection.onlyName == nil { try checkSelection(reply.message) }
        return reply
    }

    private func checkSelection(_ status: ControlReply) throws {
        let all = status.credentials
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

    func credentials(_ reply: ControlReply) -> [CredentialStatus] {
        selection.onlyName == nil
            ? reply.credentials.filter(selection.includes) : reply.credentials
    }

    /// The reply as received if everything was requested; otherwise without the other credentials.
    func text(_ reply: ControlClient.Reply) -> String {
        guard selection.onlyName == nil, !selection.isAll else { return reply.text }
        return StatusReport.filtered(reply.text, keeping: selection.includes)
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

    /// - Parameter most: How many credentials are shown at most.
    func lines(
        _ reply: ControlReply, _ style: TextStyle, showsLife: Bool = false, most: Int = .max
    ) -> [String] {
        let now = SystemClock().now().wall
        var report: StatusReport?
        switch reply.content {
        case .credential(let one) where isPage:
            return StatusPage(report: one, now: now, style: style, clock: clock).lines
        case .status(let all): report = all
        // The reply for a single credential is shown as a table with one row.
        default: break
        }
        var table = StatusTable(
            reply.credentials, of: report, selection: selection, most: most, now: now)
        (table.style, table.clock, table.showsLife) = (style, clock, showsLife)
        (table.isWide, table.hasOnlyRows) = (isWide, hasOnlyRows)
        return table.lines
    }

    /// The number of lines that do not scroll: summary and header.
    var fixedLines: Int { isPage || hasOnlyRows ? 0 : 2 }
}
