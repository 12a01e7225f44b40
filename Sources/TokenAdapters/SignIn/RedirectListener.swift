internal import Dispatch
internal import Synchronization
package import TokenFormats
package import TokenProviders

/// Waits on the loopback for the request with a sign-in's authorization response (RFC 8252 section
/// 7.3). A request for another path, or without the state, gets no information and has no effect.
///
/// The browser is redirected at once to a URL without code and state, so that neither stays in its
/// address bar, its history or a screenshot; the page needs no script for that. The second URL
/// contains a random word, so that no other program can request it first.
package final class RedirectListener: Sendable {
    private let servers: [HTTPServer]
    private let post: Post
    /// The redirect URI sent to the provider.
    package let redirectURI: String

    /// - Parameters:
    ///   - redirect: The redirect URI, which says the path.
    ///   - port: 0 for any free port.
    ///   - state: The `state` of this sign-in (RFC 6749 section 10.12).
    ///   - stray: Called once if a response for another sign-in arrives.
    /// - Throws: `StorageFailure` when the port is taken.
    package init(
        _ redirect: LoopbackRedirect, port: UInt16, state: Secret,
        stray: @escaping @Sendable () -> Void = {}
    ) throws(StorageFailure) {
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
            guard let response = AuthorizationResponse(query: request.queryText),
                response.answers(state: state)
            else {
                if !request.queryText.isEmpty { post.noteStray() }
                return respond(HTTPResponse(400, .unexpected))
            }
            // A reload of the page gives the same result.
            guard post.deliver(response, isByBrowser: true) else {
                return respond(HTTPResponse(409, .unexpected))
            }
            respond(.seeOther(pagePath))
        }
        servers = try Self.open(redirect, port: port, handler)
        redirectURI = redirect.uri(port: servers[0].port)
    }

    /// A browser may resolve `localhost` to either address: a program that listens on the other one
    /// could receive the response, so both are opened where IPv6 exists.
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

    /// Accepts a response from another source, such as one that the user pasted.
    package func deliver(_ response: AuthorizationResponse) {
        _ = post.deliver(response, isByBrowser: false)
    }

    /// Blocks until the response arrives; `nil` when the time is up.
    package func wait(for limit: Duration) -> AuthorizationResponse? {
        let end = DispatchTime.now() + .nanoseconds(Int(limit.nanoseconds))
        return post.arrived.wait(timeout: end) == .success
            ? post.held.withLock { $0.response } : nil
    }

    /// Shows the result of the sign-in in the browser that brought the response.
    package func show(_ page: SignInPage) { post.show(page) }

    /// Stops after the page has been sent. A browser that does not fetch it gets two seconds: it
    /// was redirected before the code was exchanged.
    package func stop() {
        _ = post.taken.wait(timeout: post.isAwaited ? .now() + .seconds(2) : .now())
        for server in servers {
            server.finishAnswers()
            server.stop()
        }
    }

    /// Holds the first response, and the page for it.
    private final class Post: Sendable {
        struct Held {
            var response: AuthorizationResponse?
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

        /// Whether a page is ready that the browser has not fetched.
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

        /// - Returns: Whether it is the first response, or equal to it.
        func deliver(_ new: AuthorizationResponse, isByBrowser: Bool) -> Bool {
            let (isFirst, isSame) = held.withLock { held in
                guard let known = held.response else {
                    (held.response, held.isByBrowser) = (new, isByBrowser)
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
    /// The page after a sign-in, with its protective headers.
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
