internal import Dispatch
internal import Glibc
internal import Synchronization
package import TokenConfiguration
package import TokenControl
internal import TokenEngine
package import TokenFormats
internal import TokenProviders
internal import TokenSlots

/// The API of the control socket (Contract 6.1): routes, and who may ask for what.
package final class ControlServer: Sendable {
    /// Path of the Unix socket.
    package let path: String
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
    package init(
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
            let reports = Reports(request, peer, submit)
            let wanted: ControlRequest
            do throws(ControlProblem) { wanted = try ControlRequest(request) } catch {
                return respond(HTTPResponse(ControlReply(error)))
            }
            access.whenAllowed(wanted, to: peer) { isAllowed in
                guard isAllowed else {
                    let user = peer.map { String($0.uid) } ?? "unknown"
                    let refusal = ControlReply.problem(
                        403, "user \(user) may not do this",
                        remedy: "Ask as root, or name the user in control.allow")
                    return respond(HTTPResponse(refusal))
                }
                reports.answer(wanted, respond)
            }
        }
    }

    /// Applies a new policy: permissions, and who may connect.
    ///
    /// - Throws: When the socket's mode or group cannot be set; the permissions apply nevertheless,
    ///   and the rest is retried with the next configuration.
    package func update(_ policy: ControlPolicy) throws(StorageFailure) {
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
    package func stop() { server.stop() }
}

/// The optional loopback listener: only `/metrics`, `/healthz` and `/livez`, for every client that
/// can reach it.
package final class MetricsServer: Sendable {
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
    package init(
        address: String,
        submit:
            @escaping @Sendable (
                ControlRequest, @escaping @Sendable (ControlReply) -> Void
            ) -> Void
    ) throws(StorageFailure) {
        place = Place(address)
        server = try HTTPServer.loopback(port: place.port, isIPv6: place.isIPv6) {
            request, _, respond in
            let reports = Reports(request, nil, submit)
            switch (request.method, request.path) {
            case ("GET", "/metrics"): reports.answer(.metrics(), respond)
            case ("GET", "/healthz"): reports.answer(.health(), respond)
            case ("GET", "/livez"): reports.answer(.liveness, respond)
            default: respond(HTTPResponse(404, body: []))
            }
        }
    }

    /// Whether a text with another spelling means the same address.
    package func listens(on address: String) -> Bool { Place(address) == place }

    /// Accepts no more connections; open ones are served to their end.
    package func stop() { server.stop() }
}

extension Reports {
    init(_ request: HTTPRequest, _ peer: Peer?, _ submit: @escaping LoopClient.Submit) {
        client = LoopClient(peer, submit)
        format = MetricsNegotiation.format(accept: request.headers["accept"])
        takesChunks = request.takesChunks
    }
}

extension ControlRequest {
    /// - Throws: The problem to reply with.
    init(_ request: HTTPRequest) throws(ControlProblem) {
        let call = ControlCall(
            request.method, request.path, query: request.query, body: request.body)
        try self.init(call, now: SystemClock().now().wall)
    }
}
