internal import Dispatch
internal import Glibc
internal import Synchronization
public import TokenCore
public import TokenEngine

/// The API of the control socket (Contract 6.1): routes, and who may ask for what.
public final class ControlServer: Sendable {
    /// Path of the Unix socket.
    public let path: String
    private let server: HTTPServer
    private let access: ControlAccess
    /// The mode and group that the socket has.
    private let placed: Mutex<ControlPolicy>

    /// Opens the socket and answers from then on.
    ///
    /// - Parameters:
    ///   - path: The path of the socket.
    ///   - policy: The mode and group of the socket, and the users who may change something.
    ///   - submit: Takes a request that its caller may make; the second argument is called once,
    ///     with the reply.
    ///
    /// - Throws: `StorageFailure` where the socket cannot be made, such as where another daemon
    ///   has it.
    public init(
        path: String, policy: ControlPolicy,
        submit:
            @escaping @Sendable (
                ControlRequest, @escaping @Sendable (ControlReply) -> Void
            ) -> Void
    ) throws(StorageFailure) {
        let access = ControlAccess(policy)
        (self.path, self.access) = (path, access)
        placed = Mutex(policy)
        server = try HTTPServer.unix(path: path, mode: policy.mode, group: policy.group) {
            request, peer, respond in
            let format = MetricsNegotiation.format(accept: request.headers["accept"])
            let answer: @Sendable (ControlReply) -> Void = { respond(HTTPResponse($0, format)) }
            let wanted: ControlRequest
            switch ControlRoute.make(request) {
            case .failure(let problem): return answer(problem)
            case .success(let found): wanted = found
            }
            access.whenAllowed(wanted, to: peer) { isAllowed in
                guard isAllowed else {
                    return answer(
                        .problem(
                            403, "user \(peer.map { String($0.uid) } ?? "unknown") may not do this",
                            remedy: "Ask as root, or name the user in control.allow"))
                }
                Questions.shared.ask(wanted, by: peer, submit, answer)
            }
        }
    }

    /// Applies a new policy: permissions, and who may connect.
    ///
    /// - Throws: When the socket's mode or group cannot be set; the permissions apply nevertheless,
    ///   and the rest is retried with the next configuration.
    public func update(_ policy: ControlPolicy) throws(StorageFailure) {
        access.update(policy)
        let old = placed.withLock { $0 }
        guard policy.mode != old.mode || policy.group != old.group else { return }
        guard
            server.setAccess(
                mode: policy.mode, group: policy.group, isTakenBack: old.group != nil)
        else {
            throw StorageFailure(
                SystemError("give \(path) its mode and group").adding(
                    "correct control.mode and control.group, and see evertoken check"))
        }
        placed.withLock { $0 = policy }
    }

    /// Accepts no more connections and removes the socket; open connections are served to their
    /// end.
    public func stop() { server.stop() }
}

/// The optional loopback listener: only `/metrics`, `/healthz` and `/livez`, for every client that
/// can reach it.
public final class MetricsServer: Sendable {
    private struct Place: Equatable {
        var port: UInt16
        var isIPv6: Bool

        init(_ address: String) {
            port = address.split(separator: ":").last.flatMap { UInt16($0) } ?? 0
            isIPv6 = address.hasPrefix("[")
        }
    }
    private let place: Place
    private let server: HTTPServer

    /// - Parameters:
    ///   - address: `127.0.0.1:PORT`, `[::1]:PORT` or `localhost:PORT`, already checked.
    ///   - submit: Takes a question; its reply comes later.
    public init(
        address: String,
        submit:
            @escaping @Sendable (
                ControlRequest, @escaping @Sendable (ControlReply) -> Void
            ) -> Void
    ) throws(StorageFailure) {
        place = Place(address)
        server = try HTTPServer.loopback(port: place.port, isIPv6: place.isIPv6) {
            request, _, respond in
            let format = MetricsNegotiation.format(accept: request.headers["accept"])
            let answer: @Sendable (ControlReply) -> Void = { respond(HTTPResponse($0, format)) }
            switch (request.method, request.path) {
            case ("GET", "/metrics"): Questions.shared.ask(.metrics, by: nil, submit, answer)
            case ("GET", "/healthz"): Questions.shared.ask(.health, by: nil, submit, answer)
            case ("GET", "/livez"): Questions.shared.ask(.liveness, by: nil, submit, answer)
            default: respond(HTTPResponse(404, body: []))
            }
        }
    }

    /// Whether a text with another spelling means the same address.
    public func listens(on address: String) -> Bool { Place(address) == place }

    /// Accepts no more connections; open ones are served to their end.
    public func stop() { server.stop() }
}

/// Limits requests that the loop answers at once to a few concurrent ones for each user: a client
/// with endless requests must not fill the loop's inbox.
private final class Questions: Sendable {
    static let shared = Questions()
    private let turnstile = Turnstile(places: 8, share: 2)
    private let numbers = Atomic<UInt64>(0)

    func ask(
        _ request: ControlRequest, by peer: Peer?,
        _ submit:
            @escaping @Sendable (
                ControlRequest, @escaping @Sendable (ControlReply) -> Void
            ) -> Void,
        _ answer: @escaping @Sendable (ControlReply) -> Void
    ) {
        guard request.isAnsweredAtOnce else { return submit(request, answer) }
        let user = peer.map { String($0.uid) } ?? "loopback"
        let number = numbers.wrappingAdd(1, ordering: .relaxed).newValue
        turnstile.enter(key: "\(user)/\(number)", holder: user) { done in
            submit(request) { reply in
                answer(reply)
                done()
            }
        }
    }
}

extension ControlRequest {
    fileprivate var isAnsweredAtOnce: Bool {
        switch self {
        case .status, .credential, .health, .liveness, .metrics: true
        case .token, .refresh, .order, .signIn, .accept, .stored, .forget, .reload, .check: false
        }
    }
}

/// The paths and methods of the API.
enum ControlRoute {
    enum Outcome {
        case success(ControlRequest)
        case failure(ControlReply)
    }

    static func make(_ request: HTTPRequest) -> Outcome {
        let parts = request.path.split(separator: "/").map(String.init)
        switch (request.method, parts.count) {
        case ("GET", 1) where parts[0] == "healthz": return .success(.health)
        case ("GET", 1) where parts[0] == "livez": return .success(.liveness)
        case ("GET", 1) where parts[0] == "metrics": return .success(.metrics)
        case ("GET", 2) where parts == ["v1", "status"]: return .success(.status)
        case ("POST", 2) where parts == ["v1", "reload"]: return .success(.reload)
        case (_, 3...) where parts[0] == "v1" && parts[1] == "credentials":
            return credential(request, name: parts[2], rest: Array(parts.dropFirst(3)))
        default: return .failure(notFound)
        }
    }

    private static let notFound = ControlReply.problem(
        404, "there is no such resource", remedy: "GET /v1/status lists what there is")

    private static func credential(
        _ request: HTTPRequest, name: String, rest: [String]
    ) -> Outcome {
        switch (request.method, rest) {
        case ("GET", []): return .success(.credential(name))
        case ("GET", ["token"]):
            guard let life = duration(request.query["min_ttl"] ?? "0") else {
                return .failure(
                    .problem(400, "min_ttl is not a duration", remedy: "Write seconds, or 5m"))
            }
            return .success(.token(name, minimumLife: life))
        case ("POST", ["refresh"]):
            return waiting(request) { .refresh(name, wait: $0) }
        case ("POST", ["import"]): return importing(request, name)
        case ("POST", ["login"]): return login(request, name)
        case ("POST", ["sign-in"]): return signIn(request, name)
        case ("POST", ["accept"]): return waiting(request) { .accept(name, wait: $0) }
        case ("POST", ["check"]): return .success(.check(name))
        case ("GET", ["stored"]) where isConfiguredName(name): return .success(.stored(name))
        case ("POST", ["forget"]) where isConfiguredName(name):
            return .success(
                .forget(name, allTraces: request.query["all_traces"]?.hasSameBytes(as: "1") == true)
            )
        default: return .failure(notFound)
        }
    }

    private static func waiting(
        _ request: HTTPRequest, _ make: (Duration?) -> ControlRequest
    ) -> Outcome {
        guard let text = request.query["wait"] else { return .success(make(nil)) }
        guard let wait = duration(text), wait <= .seconds(300) else {
            return .failure(
                .problem(400, "wait is not a duration", remedy: "Write seconds up to 300"))
        }
        return .success(make(wait))
    }

    /// Parses seconds, or a duration with its unit.
    private static func duration(_ text: String) -> Duration? {
        if let seconds = Int64(text), seconds >= 0, seconds < 1 << 32 { return .seconds(seconds) }
        return parseDuration(text)
    }

    private static func importing(_ request: HTTPRequest, _ name: String) -> Outcome {
        do throws(RequestError) {
            let tokens = try ImportedTokens.read(request.body, now: SystemClock().now().wall)
            return .success(.order(name, .adopt(tokens)))
        } catch { return .failure(.problem(400, error.problem, remedy: error.remedy)) }
    }

    private static func login(_ request: HTTPRequest, _ name: String) -> Outcome {
        let body = try? JSONReader.read(request.body)
        let text = { (key: String) in body?[key]?.text.flatMap { $0.isEmpty ? nil : $0 } }
        if let code = text("device_code") {
            return .success(.order(name, .device(code: Secret(code))))
        }
        guard let code = text("code") else {
            return .failure(
                .problem(
                    400, "there is no code", remedy: "Send {\"code\": …, \"redirect_uri\": …}"))
        }
        let order = AuthorizationCode(
            code: Secret(code), redirectURI: text("redirect_uri"),
            codeVerifier: text("code_verifier").map(Secret.init))
        return .success(.order(name, .login(order)))
    }

    private static func signIn(_ request: HTTPRequest, _ name: String) -> Outcome {
        guard !request.body.isEmpty else { return .success(.signIn(name, SignInWish())) }
        let body = try? JSONReader.read(request.body)
        let method = body?["method"]?.text.map(SignInWish.Method.init(spelled:))
        guard body?.members != nil, method != .some(nil) else {
            return .failure(
                .problem(
                    400, "invalid sign-in request",
                    remedy: "Send {\"method\": \"browser\" or \"device\", \"scope\": …}"))
        }
        return .success(
            .signIn(name, SignInWish(method: method ?? nil, scope: body?["scope"]?.text)))
    }
}
