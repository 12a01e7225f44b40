internal import Dispatch
internal import TokenProviders

/// Sends one response in pieces. The next piece is made when the client has taken the last one.
struct ResponseStream: Sendable {
    private let host: ConnectionHost
    private let key: ConnectionHost.Key
    private let pieces: any BodyPieces
    /// Chunks (RFC 9112 section 7.1) show a client that the end is missing; without them the body
    /// ends with the connection.
    private let isChunked: Bool

    init(
        _ host: ConnectionHost, _ key: ConnectionHost.Key, _ pieces: any BodyPieces,
        isChunked: Bool
    ) {
        (self.host, self.key, self.pieces, self.isChunked) = (host, key, pieces, isChunked)
    }

    /// Begins with this piece, or refuses the request while enough others are served.
    func begin(_ response: HTTPResponse, _ first: [UInt8]) {
        let framing = isChunked ? HeaderField("Transfer-Encoding", "chunked") : nil
        let bytes = response.head(framing) + framed(first)
        host.queue.async {
            guard host.beginStream(key) else {
                return host.send(Self.refusal, [], key)
            }
            host.send(piece: bytes, key) { next() }
        }
    }

    private static let refusal = HTTPServer.problem(
        503, "too many long responses are being sent", remedy: "Try again in a moment",
        headers: [HeaderField("Retry-After", "2")])

    private func next() {
        pieces.next { piece in
            switch piece {
            case .part(let body):
                let bytes = framed(body)
                host.queue.async { host.send(piece: bytes, key) { next() } }
            case .last(let body):
                let bytes = framed(body) + (isChunked ? Array("0\r\n\r\n".utf8) : [])
                host.queue.async { host.send(piece: bytes, key, next: nil) }
            case .broken: host.end(key)
            }
        }
    }

    private func framed(_ body: [UInt8]) -> [UInt8] {
        guard isChunked, !body.isEmpty else { return body }
        return Array((String(body.count, radix: 16) + "\r\n").utf8) + body + [0x0D, 0x0A]
    }
}

// Sending a response in pieces.
extension ConnectionHost {
    /// On the queue: takes a place among the long responses, until the connection ends.
    ///
    /// - Returns: Whether there was one.
    func beginStream(_ key: Key) -> Bool {
        dispatchPrecondition(condition: .onQueue(queue))
        guard let connection = connections[key] else { return false }
        let user = connection.isExempt ? nil : connection.user
        guard StreamPlaces.shared.enter(user) else { return false }
        connection.ended = { [ended = connection.ended] in
            StreamPlaces.shared.leave(user)
            ended?()
        }
        return true
    }

    /// On the queue: sends a piece.
    ///
    /// - Parameter next: Called when the client has taken the piece; `nil` after the last one.
    func send(piece: [UInt8], _ key: Key, next: (() -> Void)?) {
        dispatchPrecondition(condition: .onQueue(queue))
        guard let connection = connections[key] else { return }
        becomeWhole(key, connection)
        connection.phase = .sending
        (connection.outgoing, connection.sent, connection.next) = (piece, 0, next)
        connection.deadline = .now() + times.answer
        tick()
        push(key)
    }

    /// The client has taken a piece; while the next one is made, it is not late.
    func endPiece(_ connection: HostedConnection, _ next: () -> Void) {
        (connection.outgoing, connection.next, connection.deadline) = ([], nil, nil)
        // The source would fire all the time while there is nothing to write.
        connection.writer?.cancel()
        connection.writer = nil
        next()
    }
}
