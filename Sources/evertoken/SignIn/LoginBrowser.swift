internal import ArgumentParser
internal import Dispatch
internal import Glibc
internal import Synchronization
internal import TokenAdapters
internal import TokenControl
internal import TokenFormats
internal import TokenProviders

/// The browser sign-in: sends the user to the provider and receives the authorization response.
struct BrowserWait {
    let session: SignInSession
    let signIn: BrowserSignIn
    let limit: Duration
    let opensBrowser: Bool
    private let state: Secret
    private let verifier: CodeVerifier?

    init(session: SignInSession, signIn: BrowserSignIn, limit: Duration, opensBrowser: Bool) {
        (self.session, self.signIn) = (session, signIn)
        (self.limit, self.opensBrowser) = (limit, opensBrowser)
        let random = SystemRandom()
        state = Secret(base64(random.bytes(32), urlSafe: true))
        verifier = signIn.usesPKCE ? CodeVerifier(random: random.bytes(32)) : nil
    }

    /// With a redirect to this machine's loopback (RFC 8252).
    func run(_ redirect: LoopbackRedirect, port: UInt16?) throws {
        let listener: RedirectListener
        do throws(StorageFailure) {
            listener = try RedirectListener(
                redirect, port: port ?? redirect.port ?? 0, state: state,
                stray: {
                    printError(
                        "evertoken: an answer came for another sign-in (old tab?); open the "
                            + "address above again")
                })
        } catch {
            throw fail(
                EX_TEMPFAIL,
                "\(error.problem); end what uses the port, or name another one with --port that "
                    + "the app is registered with")
        }
        defer { listener.stop() }
        let opened = show(redirectURI: listener.redirectURI)
        defer { withExtendedLifetime(opened) {} }
        let pasting = Pasting()
        defer { pasting.end() }
        if isatty(STDIN_FILENO) == 1 { takePasted(listener, while: pasting) }
        guard let response = listener.wait(for: limit) else { throw timedOut() }
        do {
            try finish(response, redirectURI: listener.redirectURI)
            listener.show(SignInPage(.signedIn, session.subject))
        } catch {
            listener.show(SignInPage(.failed(failure(error)), session.subject))
            throw error
        }
    }

    /// The failure for the page, the same as on the terminal.
    private func failure(_ error: any Error) -> SignInFailure {
        (error as? SignInRefusal)?.failure
            ?? SignInFailure(Cause(.signInDaemonLost), credential: session.name)
    }

    /// With a redirect to another server's page: the user pastes the address.
    func runByHand(redirectURI: String) throws {
        let opened = show(redirectURI: redirectURI)
        defer { withExtendedLifetime(opened) {} }
        say("Then paste here the address that the browser ended at, or the code in it:")
        let end = SystemClock().now().uptime.advanced(by: limit)
        while true {
            let left = SystemClock().now().uptime.duration(to: end)
            switch PastedLine.read(within: left) {
            case .timedOut: throw timedOut()
            case .ended:
                throw fail(
                    EX_USAGE,
                    "\(session.name): nothing was pasted; run this in a terminal, or give the "
                        + "address on standard input")
            case .line(let text):
                guard let response = Self.accepted(text, state: state) else { continue }
                return try finish(response, redirectURI: redirectURI)
            }
        }
    }

    private func show(redirectURI: String) -> OpenedPage? {
        let url = signIn.url(redirectURI: redirectURI, state: state, verifier: verifier)
        let opened = opensBrowser ? BrowserLauncher.open(url) : nil
        say(opened != nil ? "Sign in on the page that opens now:" : "Sign in on this page:")
        say("\n  \(url)\n")
        return opened
    }

    private func finish(_ response: AuthorizationResponse, redirectURI: String) throws {
        let problem = response.issuerProblem(
            expected: signIn.issuer, isRequired: signIn.namesIssuer)
        if let problem {
            throw SignInRefusal(
                SignInFailure(Cause(.signInOfOtherIssuer, problem), credential: session.name),
                status: EX_DATAERR)
        }
        switch response.outcome {
        case .refused(let code):
            throw SignInRefusal(SignInFailure(Cause(redirectError: code), credential: session.name))
        case .code(let code):
            try session.exchange(code, redirectURI: redirectURI, verifier: verifier)
        }
    }

    /// The pasted text, if it can be the expected response.
    private static func accepted(_ text: String, state: Secret) -> AuthorizationResponse? {
        guard let response = AuthorizationResponse(pasted: text) else {
            printError("evertoken: that is not an address with a code; copy it whole")
            return nil
        }
        // A bare code does not show which request it belongs to.
        guard response.state == nil || response.answers(state: state) else {
            printError(
                "evertoken: that answers another sign-in (old tab?); open the address above again")
            return nil
        }
        return response
    }

    /// If the browser runs elsewhere, its address may be pasted while the port is open.
    private func takePasted(_ listener: RedirectListener, while pasting: Pasting) {
        say("If the browser cannot reach this machine, paste here the address that it ends at.")
        // In the background a read from the terminal would stop the process.
        signal(SIGTTIN, SIG_IGN)
        DispatchQueue(label: "evertoken.paste").async { [limit, state] in
            while case .line(let text) = PastedLine.read(within: limit, while: pasting) {
                if let response = Self.accepted(text, state: state) {
                    return listener.deliver(response)
                }
            }
        }
    }

    private func timedOut() -> ExitCode {
        fail(
            EX_TEMPFAIL,
            "\(session.name): no sign-in came within \(limit.shortText); run this again")
    }
}

/// A code, or the address with it, that the user already has.
struct PastedSignIn {
    let session: SignInSession

    func run(_ given: String, _ redirectURI: String?) throws {
        var text = given
        if given == "-" {
            guard case .line(let line) = PastedLine.read(within: .seconds(300)) else {
                throw fail(EX_DATAERR, "there is no code on standard input")
            }
            text = line
        }
        guard let response = AuthorizationResponse(pasted: text) else {
            throw fail(EX_DATAERR, "that is neither a code nor an address with one in it")
        }
        if let issuer = response.issuer { try check(issuer, response) }
        switch response.outcome {
        case .refused(let code):
            throw SignInRefusal(SignInFailure(Cause(redirectError: code), credential: session.name))
        case .code(let code):
            let address = redirectURI ?? AuthorizationResponse.redirectURI(ofPasted: text)
            try session.exchange(code, redirectURI: address)
        }
        say("\(session.name): signed in")
    }

    /// Checks the server that the response names.
    private func check(_ issuer: String, _ response: AuthorizationResponse) throws {
        let offer = try session.offer(SignInRequest(method: .browser))
        var expected: String?
        if case .browser(let browser) = offer.way { expected = browser.issuer }
        if let problem = response.issuerProblem(expected: expected, isRequired: false) {
            throw fail(EX_DATAERR, "\(session.name): \(problem); nothing was sent")
        }
    }
}

/// Whether a sign-in still accepts pasted text.
final class Pasting: Sendable {
    private let state = Mutex(true)
    var goesOn: Bool { state.withLock { $0 } }
    func end() { state.withLock { $0 = false } }
}

/// Reads a line of standard input with a time limit.
enum PastedLine {
    case line(String)
    case ended
    case timedOut

    /// - Parameter pasting: Ends the wait early: the next line belongs to the next sign-in.
    static func read(within limit: Duration, while pasting: Pasting? = nil) -> PastedLine {
        let clock = SystemClock()
        let end = clock.now().uptime.advanced(by: limit)
        var bytes: [UInt8] = []
        while bytes.count <= 64 * 1024 {
            let left = clock.now().uptime.duration(to: end)
            guard left > .zero, pasting?.goesOn ?? true else { return .timedOut }
            let pause = pasting == nil ? Duration.seconds(60) : .milliseconds(200)
            var input = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
            guard poll(&input, 1, Int32(min(left, pause).nanoseconds / 1_000_000) + 1) > 0
            else { continue }
            var byte: UInt8 = 0
            guard Glibc.read(STDIN_FILENO, &byte, 1) == 1 else {
                return bytes.isEmpty ? .ended : .line(String(decoding: bytes, as: UTF8.self))
            }
            if byte == 0x0A { return .line(String(decoding: bytes, as: UTF8.self)) }
            bytes.append(byte)
        }
        return .ended
    }
}
