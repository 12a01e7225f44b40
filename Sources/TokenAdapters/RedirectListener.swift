internal import Dispatch
internal import Synchronization
public import TokenCore
internal import TokenEngine

/// Waits on the loopback for the one request that brings a sign-in's answer (RFC 8252 section 7.3).
/// Whoever asks for something else, or has not the state, learns nothing and ends nothing.
public final class RedirectListener: Sendable {
    /// The answer, and how to show a page for it.
    public struct Arrival: Sendable {
        public var answer: RedirectAnswer
        public var show: @Sendable (SignInPage) -> Void
    }

    private let servers: [HTTPServer]
    private let post: Post
    /// What the provider is told.
    public let redirectURI: String

    /// - Parameter port: 0 for any free one.
    /// - Throws: ``LocalFailure`` when the port is taken.
    public init(
        _ redirect: LoopbackRedirect, port: UInt16, state: Secret
    ) throws(LocalFailure) {
        let post = Post()
        self.post = post
        let handler: HTTPServer.Handler = { request, _, respond in
            guard request.path == redirect.requestPath else { return respond(.plain(404)) }
            guard request.method == "GET" else { return respond(.plain(405)) }
            guard let answer = RedirectAnswer(query: request.queryText),
                answer.answers(state: state)
            else { return respond(.plain(400)) }
            let arrival = Arrival(answer: answer, show: { respond(HTTPResponse($0)) })
            if !post.deliver(arrival) { respond(.plain(409)) }
        }
        do throws(StorageFailure) {
            servers = try Self.open(redirect, port: port, handler)
        } catch { throw LocalFailure(error) }
        redirectURI = redirect.uri(port: servers[0].port)
    }

    /// A browser may take `localhost` for either address: whoever had the other one could be given
    /// the answer, so it must be ours too where there is IPv6.
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
    public func deliver(_ answer: RedirectAnswer) {
        _ = post.deliver(Arrival(answer: answer, show: { _ in }))
    }

    /// Blocks until the answer is there; `nil` when time is up.
    public func wait(for limit: Duration) -> Arrival? {
        let end = DispatchTime.now() + .nanoseconds(Int(limit.nanoseconds))
        return post.arrived.wait(timeout: end) == .success ? post.arrival.withLock { $0 } : nil
    }

    /// After what was shown is sent.
    public func stop() {
        for server in servers {
            server.finishAnswers()
            server.stop()
        }
    }

    /// Holds the first arrival.
    private final class Post: Sendable {
        let arrival = Mutex<Arrival?>(nil)
        let arrived = DispatchSemaphore(value: 0)

        /// - Returns: Whether it was the first.
        func deliver(_ new: Arrival) -> Bool {
            let isFirst = arrival.withLock { held in
                guard held == nil else { return false }
                held = new
                return true
            }
            if isFirst { arrived.signal() }
            return isFirst
        }
    }
}

extension HTTPResponse {
    /// A page after a sign-in, with all that protects it.
    init(_ page: SignInPage) {
        self.init(
            page.outcome == .signedIn ? 200 : 400, contentType: SignInPage.contentType,
            body: Array(page.html.utf8))
        headers = SignInPage.headers
    }

    fileprivate static func plain(_ status: Int) -> HTTPResponse {
        var response = HTTPResponse(
            status, contentType: "text/plain; charset=utf-8",
            body: Array("Nothing is to be seen here.\n".utf8))
        response.headers = SignInPage.headers
        return response
    }
}
