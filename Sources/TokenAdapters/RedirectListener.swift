internal import Dispatch
internal import Synchronization
public import TokenCore
internal import TokenEngine

/// Waits on the loopback for the one request that brings a sign-in's answer (RFC 8252 section 7.3).
/// A request for something else, or without the state, learns nothing and ends nothing.
///
/// The browser is sent on at once to an address without code and state: neither stays in its
/// address bar, its history or a picture of it, and the page there needs no script for that. The
/// second address holds a random word, so that no other program can be first.
public final class RedirectListener: Sendable {
    private let servers: [HTTPServer]
    private let post: Post
    /// What the provider is told.
    public let redirectURI: String

    /// - Parameters:
    ///   - port: 0 for any free one.
    ///   - stray: Told once that an answer came for another sign-in.
    /// - Throws: ``LocalFailure`` when the port is taken.
    public init(
        _ redirect: LoopbackRedirect, port: UInt16, state: Secret,
        stray: @escaping @Sendable () -> Void = {}
    ) throws(LocalFailure) {
        let post = Post(stray: stray)
        self.post = post
        let pagePath = "/signed-in/" + base64(SystemRandom().bytes(16), urlSafe: true)
        let handler: HTTPServer.Handler = { request, _, respond in
            let isPage = isSameSecret(request.path, pagePath)
            guard isPage || request.path == redirect.requestPath else {
                return respond(HTTPResponse(404, .unexpected))
            }
            guard request.method == "GET" else { return respond(HTTPResponse(405, .unexpected)) }
            if isPage { return post.ask { respond(HTTPResponse($0)) } }
            guard let answer = RedirectAnswer(query: request.queryText),
                answer.answers(state: state)
            else {
                if !request.queryText.isEmpty { post.noteStray() }
                return respond(HTTPResponse(400, .unexpected))
            }
            // A page that is asked for again leads to the same end.
            guard post.deliver(answer, isByBrowser: true) else {
                return respond(HTTPResponse(409, .unexpected))
            }
            respond(.seeOther(pagePath))
        }
        do throws(StorageFailure) {
            servers = try Self.open(redirect, port: port, handler)
        } catch { throw LocalFailure(error) }
        redirectURI = redirect.uri(port: servers[0].port)
    }

    /// A browser may take `localhost` for either address: a program on the other one could be given
    /// the response, so it must be ours too where there is IPv6.
    private static func open(
        _ redirect: LoopbackRedirect, port: UInt16, _ handler: @escaping HTTPServer.Handler
    ) throws(StorageFailure) -> [HTTPServer] {
        let first = try HTTPServer.loopback(
            port: port, isIPv6: redirect.isIPv6, handler: handler)
        guard redirect.host == "localhost", HTTPServer.hasIPv6 else { return [first] }
        do throws(StorageFailure) {
            return [
                first, try HTTPServer.loopback(port: first.port, isIPv6: true, handler: handler),
            ]
        } catch {
            first.stop()
            throw error
        }
    }

    /// Takes an answer that came another way, such as pasted by the person.
    public func deliver(_ answer: RedirectAnswer) { _ = post.deliver(answer, isByBrowser: false) }

    /// Blocks until the answer is there; `nil` when time is up.
    public func wait(for limit: Duration) -> RedirectAnswer? {
        let end = DispatchTime.now() + .nanoseconds(Int(limit.nanoseconds))
        return post.arrived.wait(timeout: end) == .success ? post.held.withLock { $0.answer } : nil
    }

    /// How the sign-in ended, for the browser that brought the answer.
    public func show(_ page: SignInPage) { post.show(page) }

    /// After what is to be shown is sent. A browser that never comes for it is waited for two
    /// seconds: it was told where to go before the code was exchanged.
    public func stop() {
        _ = post.taken.wait(timeout: post.isAwaited ? .now() + .seconds(2) : .now())
        for server in servers {
            server.finishAnswers()
            server.stop()
        }
    }

    /// Holds the first answer, and the page for it.
    private final class Post: Sendable {
        struct Held {
            var answer: RedirectAnswer?
            var isByBrowser = false
            var page: SignInPage?
            var asking: [@Sendable (SignInPage) -> Void] = []
            var isTaken = false
            var hasStrayed = false
        }
        let held = Mutex(Held())
        let arrived = DispatchSemaphore(value: 0)
        let taken = DispatchSemaphore(value: 0)
        private let stray: @Sendable () -> Void

        init(stray: @escaping @Sendable () -> Void) { self.stray = stray }

        /// Whether a browser has still to come for a page that is there.
        var isAwaited: Bool {
            held.withLock { $0.isByBrowser && $0.page != nil && !$0.isTaken }
        }

        func noteStray() {
            let isFirst = held.withLock { held in
                defer { held.hasStrayed = true }
                return !held.hasStrayed
            }
            if isFirst { stray() }
        }

        /// - Returns: Whether it is the first answer, or the same again.
        func deliver(_ new: RedirectAnswer, isByBrowser: Bool) -> Bool {
            let (isFirst, isSame) = held.withLock { held in
                guard let known = held.answer else {
                    (held.answer, held.isByBrowser) = (new, isByBrowser)
                    return (true, true)
                }
                return (false, known == new)
            }
            if isFirst { arrived.signal() }
            return isSame
        }

        func ask(_ respond: @escaping @Sendable (SignInPage) -> Void) {
            let page = held.withLock { held in
                if held.page == nil { held.asking.append(respond) } else { held.isTaken = true }
                return held.page
            }
            guard let page else { return }
            respond(page)
            taken.signal()
        }

        func show(_ page: SignInPage) {
            let asking = held.withLock { held in
                held.page = page
                held.isTaken = !held.asking.isEmpty
                defer { held.asking = [] }
                return held.asking
            }
            for respond in asking { respond(page) }
        }
    }
}

extension HTTPResponse {
    /// A page after a sign-in, with all that protects it.
    fileprivate init(_ page: SignInPage, status: Int? = nil) {
        self.init(
            status ?? (page.isSuccess ? 200 : 400), contentType: SignInPage.contentType,
            body: Array(page.html.utf8))
        headers = SignInPage.headers
    }

    fileprivate init(_ status: Int, _ outcome: SignInPage.Outcome) {
        self.init(SignInPage(outcome, .init()), status: status)
    }

    fileprivate static func seeOther(_ path: String) -> HTTPResponse {
        var response = HTTPResponse(303, contentType: "text/plain; charset=utf-8", body: [])
        response.headers = SignInPage.headers + [HeaderField("Location", path)]
        return response
    }
}
