internal import CLinux
public import Dispatch
internal import Glibc
internal import Synchronization
public import TokenEngine

/// Who is at the other end of a Unix socket (SO_PEERCRED).
public struct Peer: Sendable, Equatable {
    public var pid: Int32
    public var uid: UInt32
    public var gid: UInt32
}

/// A small HTTP/1.1 server on a Unix or loopback socket: one request a connection, everything
/// bounded. It serves the control socket; answers may come later, from another thread.
public final class HTTPServer: Sendable {
    public typealias Handler =
        @Sendable (HTTPRequest, Peer?, @escaping @Sendable (HTTPResponse) -> Void) -> Void

    /// Connections whose request is still coming: each holds a thread, for five seconds at most.
    private static let maximumReceiving = 32
    /// Connections that wait for an answer: they hold a descriptor and nothing else. Forty units
    /// may start together and wait for one token. On the loopback, where anybody may come, few:
    /// an answer that nobody takes holds its bytes.
    private static let maximumWaiting = (unix: 1000, loopback: 16)
    /// For the whole answer, however slowly it is taken.
    private static let answerTime = DispatchTimeInterval.seconds(10)
    /// For the whole request, however it drips.
    private static let requestTime = DispatchTimeInterval.seconds(5)

    private let listener: Int32
    private nonisolated(unsafe) let source: any DispatchSourceRead
    private let connections = Mutex((receiving: 0, waiting: 0))
    private let handler: Handler
    /// The TCP port; 0 for a Unix socket.
    public let port: UInt16

    private init(listener: Int32, port: UInt16, handler: @escaping Handler) {
        (self.listener, self.port, self.handler) = (listener, port, handler)
        source = DispatchSource.makeReadSource(
            fileDescriptor: listener, queue: DispatchQueue(label: "evertoken.accept"))
        source.setEventHandler { [weak self] in self?.accept() }
        source.setCancelHandler { [listener] in close(listener) }
        source.activate()
    }

    /// Listens on a Unix socket, which gets its mode and group before anybody can connect.
    public static func unix(
        path: String, mode: UInt32, group: String?, handler: @escaping Handler
    ) throws(StorageFailure) -> HTTPServer {
        let listener = try UnixListener.open(
            path: path, key: "control_socket", mode: mode, group: group)
        return HTTPServer(listener: listener, port: 0, handler: handler)
    }

    /// Listens on 127.0.0.1, or on ::1.
    /// - Parameter port: 0 for any free one.
    public static func loopback(
        port: UInt16, isIPv6: Bool = false, handler: @escaping Handler
    ) throws(StorageFailure) -> HTTPServer {
        let listener = socket(
            isIPv6 ? AF_INET6 : AF_INET,
            Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        guard listener >= 0 else { throw StorageFailure(SystemError("make a socket").text) }
        var yes: Int32 = 1
        setsockopt(
            listener, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        guard let bound = bindLoopback(listener, port: port, isIPv6: isIPv6) else {
            let failure = StorageFailure(SystemError("listen on loopback port \(port)").text)
            close(listener)
            throw failure
        }
        return HTTPServer(listener: listener, port: bound, handler: handler)
    }

    /// Whether this machine has an IPv6 loopback.
    static var hasIPv6: Bool {
        let probe = socket(AF_INET6, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard probe >= 0 else { return false }
        defer { close(probe) }
        return bindLoopback(probe, port: 0, isIPv6: true) != nil
    }

    private static func bindLoopback(_ listener: Int32, port: UInt16, isIPv6: Bool) -> UInt16? {
        // Ports stand at the same place in both address families.
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
                bind(listener, $0, length) == 0 && listen(listener, 64) == 0
                    && getsockname(listener, $0, &length) == 0
            }
        }
        return isBound ? UInt16(bigEndian: address.sin6_port) : nil
    }

    public func stop() { source.cancel() }

    /// Waits until every answer given so far is sent, at most so long: the process may end then.
    public func finishAnswers(within limit: DispatchTimeInterval = .seconds(2)) {
        let end = DispatchTime.now() + limit
        while DispatchTime.now() < end, connections.withLock({ $0.waiting > 0 }) { usleep(5_000) }
    }

    private func accept() {
        while true {
            let connection = clinux_accept(listener)
            guard connection >= 0 else {
                // Out of descriptors: the waiting connection would wake us again at once.
                if errno == EMFILE || errno == ENFILE { usleep(50_000) }
                return
            }
            let hasRoom = connections.withLock { open in
                guard open.receiving < Self.maximumReceiving else { return false }
                open.receiving += 1
                return true
            }
            guard hasRoom else {
                close(connection)
                continue
            }
            // A queue each: they block, and a concurrent queue's threads are watched by libdispatch
            // once a second for ever (LoopExecutor).
            let queue = DispatchQueue(label: "evertoken.http")
            queue.async { self.serve(connection, on: queue) }
        }
    }

    private func serve(_ connection: Int32, on queue: DispatchQueue) {
        var limit = timeval(tv_sec: 1, tv_usec: 0)
        let size = socklen_t(MemoryLayout<timeval>.size)
        setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &limit, size)
        limit.tv_sec = 5
        setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &limit, size)
        var peer: Peer?
        var (pid, uid, gid) = (pid_t(0), uid_t(0), gid_t(0))
        if port == 0, clinux_peer_credentials(connection, &pid, &uid, &gid) == 0 {
            peer = Peer(pid: pid, uid: uid, gid: gid)
        }
        let received = receive(connection)
        let hasRoom = connections.withLock { open in
            open.receiving -= 1
            open.waiting += 1
            let room = port == 0 ? Self.maximumWaiting.unix : Self.maximumWaiting.loopback
            return open.waiting <= room
        }
        guard hasRoom else { return send(Self.refusal(503), connection) }
        switch received {
        case .complete(let request):
            let waiting = WaitingConnection<HTTPResponse>(connection, on: queue) { response in
                if let response {
                    self.send(response, connection)
                } else {
                    self.finish(connection)
                }
            }
            handler(request, peer) { waiting.answer($0) }
        case .refused(let status):
            send(Self.refusal(status), connection)
        case .incomplete: finish(connection)
        }
    }

    private static func refusal(_ status: Int) -> HTTPResponse {
        HTTPResponse(
            .problem(status, "the request cannot be served", remedy: "Send less, or later"))
    }

    private func receive(_ connection: Int32) -> HTTPRequestParser.Progress {
        let end = DispatchTime.now() + Self.requestTime
        var parser = HTTPRequestParser()
        var buffer = [UInt8](repeating: 0, count: 8 * 1024)
        while DispatchTime.now() < end {
            let count = recv(connection, &buffer, buffer.count, 0)
            if count == 0 { return .incomplete }
            if count < 0 {
                if errno == EAGAIN || errno == EINTR { continue }
                return .incomplete
            }
            let progress = parser.take(buffer[..<count])
            if case .incomplete = progress { continue }
            return progress
        }
        return .incomplete
    }

    private func send(_ response: HTTPResponse, _ connection: Int32) {
        let bytes = response.bytes
        let end = DispatchTime.now() + Self.answerTime
        var done = 0
        while done < bytes.count, DispatchTime.now() < end {
            let count = bytes.withUnsafeBytes { buffer in
                Glibc.send(
                    connection, buffer.baseAddress! + done, bytes.count - done,
                    Int32(MSG_NOSIGNAL))
            }
            if count <= 0 { break }
            done += count
        }
        finish(connection)
    }

    private func finish(_ connection: Int32) {
        shutdown(connection, Int32(SHUT_WR))
        close(connection)
        connections.withLock { $0.waiting -= 1 }
    }
}
