internal import CLinux
package import Dispatch
internal import Glibc
internal import Synchronization
internal import TokenControl
internal import TokenEngine
package import TokenFormats
internal import TokenProviders

/// The process at the other end of a Unix socket (SO_PEERCRED).
package struct Peer: Sendable, Equatable {
    /// The process that connected; it may have ended since.
    package var pid: Int32
    /// Its effective user at that time.
    package var uid: UInt32
    /// Its effective group at that time.
    package var gid: UInt32
}

/// A small HTTP/1.1 server on a Unix or loopback socket: one request for each connection, all
/// resources limited, no thread for a waiting client. A response may come later, from another
/// thread.
package final class HTTPServer: Sendable {
    /// Answers one request; the last argument is called once, from any thread. The peer is `nil` on
    /// the loopback.
    package typealias Handler =
        @Sendable (HTTPRequest, Peer?, @escaping @Sendable (HTTPResponse) -> Void) -> Void

    /// Forty units may start together and wait for one token; they connect as root, which is
    /// exempt. On the loopback all clients count as one user, with few connections: a response that
    /// is not read occupies memory.
    private static let limits = (
        unix: ConnectionCaps.Limits(
            receiving: 64, receivingByUser: 16, held: 512, heldByUser: 128, bytes: 64 << 20,
            bytesByUser: 16 << 20),
        loopback: ConnectionCaps.Limits(
            receiving: 32, receivingByUser: 32, held: 16, heldByUser: 16, bytes: 64 << 20,
            bytesByUser: 64 << 20)
    )
    private static let times = (
        request: DispatchTimeInterval.seconds(5), answer: DispatchTimeInterval.seconds(10)
    )
    /// Where responses are rendered: a status of ten thousand credentials must not block the loop,
    /// nor a queue that others wait for.
    static let rendering = Lanes("answers", count: 4)

    private let host: ConnectionHost
    private let place: UnixListener?
    /// The TCP port; 0 for a Unix socket.
    package let port: UInt16

    private init(
        listener: Int32, port: UInt16, place: UnixListener?, handler: @escaping Handler
    ) {
        (self.port, self.place) = (port, place)
        let isLoopback = place == nil
        host = ConnectionHost(
            "http", listener: listener,
            limits: isLoopback ? Self.limits.loopback : Self.limits.unix,
            times: Self.times
        ) { host, key, peer in
            var parser = HTTPRequestParser()
            return { bytes in
                switch parser.take(bytes) {
                case .incomplete: return .wantsMore
                case .refused(let status): host.answer(key, Self.refusal(status))
                case .complete(let request) where isLoopback && !request.isForLoopback:
                    host.answer(key, Self.refusal(421))
                case .complete(let request):
                    guard host.hold(key) else {
                        host.answer(key, Self.refusal(503))
                        return .isWhole
                    }
                    handler(request, peer) { response in
                        Self.answer(response, for: peer, to: host, key)
                    }
                }
                return .isWhole
            }
        }
    }

    private static func answer(
        _ response: HTTPResponse, for peer: Peer?, to host: ConnectionHost,
        _ key: ConnectionHost.Key
    ) {
        switch response.body {
        case .whole(let rendering):
            render(for: peer, key) {
                host.answer(key, response.message(rendering()), refusal: refusal(503))
            }
        case .pieces(let pieces, let isChunked):
            pieces.next { piece in
                switch piece {
                case .last(let body):
                    host.answer(key, response.message(body), refusal: refusal(503))
                case .broken: host.answer(key, refusal(503))
                case .part(let body):
                    let stream = ResponseStream(host, key, pieces, isChunked: isChunked)
                    stream.begin(response, body)
                }
            }
        }
    }

    /// Runs `body` where responses are rendered.
    static func render(
        for peer: Peer?, _ key: ConnectionHost.Key, _ body: @escaping @Sendable () -> Void
    ) {
        let user = peer.map { String($0.uid) } ?? "loopback"
        rendering.start(key: "\(user)/\(key)", holder: user, body)
    }

    private static func refusal(_ status: Int) -> [UInt8] {
        let what =
            status == 421
            ? ("the request is for another host", "Ask 127.0.0.1, localhost or [::1]")
            : ("the request cannot be served", "Send less, or later")
        return problem(status, what.0, remedy: what.1)
    }

    /// A complete message with problem details.
    static func problem(
        _ status: Int, _ title: String, remedy: String, headers: [HeaderField] = []
    ) -> [UInt8] {
        let body = ControlProblem(status, title, detail: remedy).json.serialized() + [0x0A]
        var response = HTTPResponse(status, contentType: "application/problem+json", body: body)
        response.headers = headers
        return response.message(body)
    }

    /// Listens on a Unix socket, which has its mode and group before a client can connect.
    package static func unix(
        path: String, mode: UInt32, group: String?, handler: @escaping Handler
    ) throws(StorageFailure) -> HTTPServer {
        let place = try UnixListener.open(
            path: path, key: "control_socket", mode: mode, group: group)
        return HTTPServer(listener: place.listener, port: 0, place: place, handler: handler)
    }

    /// Listens on 127.0.0.1, or on ::1.
    ///
    /// - Parameters:
    ///   - port: 0 for any free port.
    ///   - isIPv6: Whether the address is ::1.
    ///   - handler: Called for each request, on a thread of the server.
    package static func loopback(
        port: UInt16, isIPv6: Bool = false, handler: @escaping Handler
    ) throws(StorageFailure) -> HTTPServer {
        let listener = socket(
            isIPv6 ? AF_INET6 : AF_INET,
            Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        guard listener >= 0 else { throw StorageFailure(SystemError("make a socket")) }
        var yes: Int32 = 1
        setsockopt(
            listener, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        guard let bound = bindLoopback(listener, port: port, isIPv6: isIPv6) else {
            let failure = StorageFailure(SystemError("listen on loopback port \(port)"))
            close(listener)
            throw failure
        }
        return HTTPServer(listener: listener, port: bound, place: nil, handler: handler)
    }

    /// Whether this machine has an IPv6 loopback.
    static var hasIPv6: Bool {
        let probe = socket(AF_INET6, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard probe >= 0 else { return false }
        defer { close(probe) }
        return bindLoopback(probe, port: 0, isIPv6: true) != nil
    }

    private static func bindLoopback(_ listener: Int32, port: UInt16, isIPv6: Bool) -> UInt16? {
        // The port is at the same offset in both address families.
        var address = sockaddr_in6()
        var length = socklen_t(MemoryLayout<sockaddr_in6>.size)
        address.sin6_port = port.bigEndian
        if isIPv6 {
            address.sin6_family = sa_family_t(AF_INET6)
            address.sin6_addr = in6addr_loopback
        } else {
            address.sin6_family = sa_family_t(AF_INET)
            address.sin6_flowinfo = UInt32(0x7F00_0001).bigEndian
            length = socklen_t(MemoryLayout<sockaddr_in>.size)
        }
        let isBound = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, length) == 0 && listen(listener, 1024) == 0
                    && getsockname(listener, $0, &length) == 0
            }
        }
        return isBound ? UInt16(bigEndian: address.sin6_port) : nil
    }

    /// Accepts no more requests; a Unix socket is unlinked.
    package func stop() {
        host.stop()
        place?.remove()
    }

    /// Changes who may connect to a Unix socket.
    ///
    /// - Returns: Whether the kernel accepted it; errno has the reason.
    func setAccess(mode: UInt32, group: String?, isTakenBack: Bool) -> Bool {
        place?.setAccess(mode: mode, group: group, isTakenBack: isTakenBack) ?? true
    }

    /// Waits until all pending responses are sent, at most this long: the process may end then.
    package func finishAnswers(within limit: DispatchTimeInterval = .seconds(2)) {
        let end = DispatchTime.now() + limit
        while DispatchTime.now() < end, host.heldCount > 0 { usleep(5_000) }
    }
}

extension HTTPRequest {
    /// Refuses a page whose own name resolves to this machine (DNS rebinding).
    var isForLoopback: Bool {
        // HTTP/1.0 has no Host; every browser sends one (RFC 9112 section 3.2).
        guard let host = headers["host"] else { return true }
        return EndpointURL.isLoopback("http://\(host)/")
    }
}
