internal import ArgumentParser
internal import Glibc
internal import TokenControl
internal import TokenFormats
internal import TokenProviders

struct Login: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Sign in: get the first tokens of a credential.",
        usage: "evertoken login <name> | --all-required [<options>]",
        discussion: """
            Opens the provider's page in the browser and waits on 127.0.0.1 for its answer. The \
            daemon exchanges it, and has the tokens on its disk before you are told.

              evertoken login car
              evertoken login car --device          by a short code, on any other device

            The redirect URI must be one that your app is registered with at the provider: by \
            default http://127.0.0.1:PORT/callback with any free port; the credential's variable \
            redirect_uri or --redirect-uri name another one, --port a fixed port. One that is no \
            loopback URI leads to a page of yours; then paste the address that the browser ends at.

            On another host, over ssh: either paste that address here too, although the browser \
            cannot show the page, or let the answer through:

              evertoken login car --no-browser
              ssh -L 8400:127.0.0.1:8400 HOST evertoken login car --port 8400 --no-browser

            With a code, or that address, from elsewhere; - reads it from standard input, where \
            no other user of this machine sees it:

              evertoken login car --code - --redirect-uri https://example.org/callback

            After a restored host, or a new client secret, one after the other:

              evertoken login --all-required

            Exit status besides the usual: 77 when the sign-in was denied, 75 when no answer came \
            in time, 78 when the provider's profile has no sign-in.
            """)

    @Argument(help: "The credential.", completion: .credentialNames) var name: String?
    @Flag(help: "Every credential that needs a sign-in, one after the other.")
    var allRequired = false
    @Flag(help: "By a short code, approved on any device (RFC 8628).") var device = false
    @Option(help: "A code, or the whole address that the browser ended at; - reads it.")
    var code: String?
    @Option(help: ArgumentHelp("The redirect URI the app is registered with.", valueName: "uri"))
    var redirectUri: String?
    @Option(help: "The loopback port to wait on.") var port: UInt16?
    @Option(help: "Further scopes to ask for.") var scope: String?
    @Option(help: ArgumentHelp("How long to wait for the person.", valueName: "duration"))
    var timeout: String?
    @Flag(help: "Only print the address.") var noBrowser = false
    @OptionGroup var offline: OfflineOptions
    @OptionGroup var daemon: DaemonOptions

    func validate() throws {
        if let timeout, parseDuration(timeout) == nil {
            throw ValidationError(durationMistake(timeout) + ".")
        }
        if (name == nil) != allRequired {
            throw ValidationError("Name one credential, or say --all-required.")
        }
        if allRequired, code != nil || offline.offline {
            throw ValidationError("--all-required asks the daemon, and waits for each person.")
        }
        if device, code != nil || port != nil || redirectUri != nil {
            throw ValidationError("--device has neither code, port nor redirect URI.")
        }
        if code != nil, port != nil || scope != nil {
            throw ValidationError("With --code there is nothing to wait or ask for.")
        }
        if let redirectUri, port != nil, LoopbackRedirect(redirectUri) == nil {
            throw ValidationError("--port is for a loopback redirect URI.")
        }
    }

    func run() throws {
        guard let name else { return try runAll() }
        try tell(name) { try signIn(name) }
    }

    private func tell(_ name: String, _ body: () throws -> Void) throws {
        do { try body() } catch let refusal as SignInRefusal { throw refusal.told(name) }
    }

    /// Continues after a failed sign-in; the exit status is that of the first failure.
    private func runAll() throws {
        let status = try daemon.client().successful(.status()).message
        let names = status.credentials.filter { $0.state.known == .loginRequired }.map(\.name)
        var failed: [(name: String, error: any Error)] = []
        for (index, name) in names.enumerated() {
            say("[\(index + 1) of \(names.count)] \(name)")
            do { try tell(name) { try signIn(name) } } catch { failed.append((name, error)) }
        }
        if names.isEmpty { say("no credential needs a sign-in") }
        guard let first = failed.first else { return }
        printError(
            "evertoken: not signed in: \(failed.map(\.name).joined(separator: ", "))")
        throw first.error
    }

    private func signIn(_ name: String) throws {
        var session = SignInSession(
            name: try checkedName(name), access: StateAccess(daemon: daemon, offline: offline))
        if let code { return try PastedSignIn(session: session).run(code, redirectUri) }
        let method: SignInRequest.Method? =
            device ? .device : redirectUri == nil && port == nil ? nil : .browser
        let offer = try session.offer(SignInRequest(method: method, scope: scope))
        session.provider = offer.provider
        switch offer.way {
        case .device(let device):
            try DeviceSignIn(session: session, limit: limit, opensBrowser: !noBrowser).run(device)
        case .browser(let browser):
            let address = redirectUri ?? browser.redirectURI ?? LoopbackRedirect.standard
            let waiting = BrowserWait(
                session: session, signIn: browser, limit: limit ?? .seconds(300),
                opensBrowser: !noBrowser)
            if let loopback = LoopbackRedirect(address) {
                try waiting.run(loopback, port: port)
            } else {
                try waiting.runByHand(redirectURI: address)
            }
        case nil:
            throw fail(EX_TEMPFAIL, "the daemon is older than this command; restart it")
        }
        say("\(name): signed in")
    }

    private var limit: Duration? { timeout.flatMap(parseDuration) }
}

/// Prints to standard output and flushes: the user must act on it.
func say(_ text: String) {
    let line = Array((text + "\n").utf8)
    var done = 0
    while done < line.count {
        let count = line[done...].withUnsafeBytes { write(STDOUT_FILENO, $0.baseAddress, $0.count) }
        if count <= 0 { return }
        done += count
    }
}
