internal import CLinux
internal import Dispatch
internal import Glibc

/// The connections of one listening socket, without a thread for any of them: they wait as Dispatch
/// sources of one serial queue, bounded by ``ConnectionCaps``.
///
/// Every touch of a connection happens on `queue`: that, checked by dispatchPrecondition, is why
/// `@unchecked Sendable` is true.
final class ConnectionHost: @unchecked Sendable {
    /// What became of the bytes that came.
    enum Progress {
        case wantsMore
        /// The request is whole; ``answer(_:_:)`` follows, now or later.
        case isWhole
        /// Nothing to answer.
        case isOver
    }
    /// A number that is never used twice.
    typealias Key = UInt64
    /// Called on the queue with each piece of a request.
    typealias Take = (ArraySlice<UInt8>) -> Progress

    let queue: DispatchQueue
    let listener: Int32
    private var source: (any DispatchSourceRead)?
    let ticks: any DispatchSourceTimer
    var isTicking = false
    private var isPaused = false
    var connections: [Key: HostedConnection] = [:]
    private var lastKey: Key = 0
    var caps: ConnectionCaps
    /// For a whole request, however it drips, and a whole answer, however slowly it is taken.
    let times: (request: DispatchTimeInterval, answer: DispatchTimeInterval)
    private let begin: (ConnectionHost, Key, Peer?) -> Take?

    /// Listens until ``stop()``, which closes the listener.
    ///
    /// - Parameter begin: Called on the queue for each connection: what takes its request, or `nil`
    ///   for one that needs none.
    init(
        _ label: String, listener: Int32, limits: ConnectionCaps.Limits,
        times: (request: DispatchTimeInterval, answer: DispatchTimeInterval),
        begin: @escaping @Sendable (ConnectionHost, Key, Peer?) -> Take?
    ) {
        queue = DispatchQueue(label: "evertoken." + label)
        (self.listener, self.times, self.begin) = (listener, times, begin)
        caps = ConnectionCaps(limits)
        ticks = DispatchSource.makeTimerSource(queue: queue)
        ticks.setEventHandler { [weak self] in self?.endLate() }
        ticks.schedule(deadline: .distantFuture)
        ticks.activate()
        let accepting = DispatchSource.makeReadSource(fileDescriptor: listener, queue: queue)
        accepting.setEventHandler { [weak self] in self?.accept() }
        accepting.setCancelHandler { close(listener) }
        source = accepting
        accepting.activate()
    }

    deinit {
        source?.cancel()
        if isPaused { source?.resume() }
        ticks.cancel()
    }

    /// Takes no more connections; those that are there are served to their end.
    func stop() {
        queue.async {
            // A suspended source would not be cancelled to its end.
            self.source?.cancel()
            self.goOnAccepting()
            self.source = nil
        }
    }

    /// How many have an answer to wait for or to take.
    var heldCount: Int { queue.sync { connections.values.count { $0.phase != .receiving } } }

    /// From any thread, once for each request. Given up when the peer has gone.
    ///
    /// - Parameters:
    ///   - refusal: Instead of bytes that there is no room for.
    func answer(_ key: Key, _ bytes: [UInt8], refusal: [UInt8] = []) {
        queue.async { self.send(bytes, refusal, key) }
    }

    /// Ends it without an answer.
    func end(_ key: Key) { queue.async { self.finish(key) } }

    /// On the queue: the address that the peer is bound to, empty without one.
    ///
    /// - Returns: `nil` when the peer has gone.
    func address(_ key: Key) -> [UInt8]? {
        dispatchPrecondition(condition: .onQueue(queue))
        guard let connection = connections[key] else { return nil }
        var address = [UInt8](repeating: 0, count: 108)
        let length = clinux_peer_address(connection.descriptor, &address)
        return length >= 0 ? Array(address.prefix(Int(length))) : nil
    }

    /// On the queue, in `begin` or in a take: told once when the connection has ended.
    func whenEnded(_ key: Key, _ body: @escaping () -> Void) {
        dispatchPrecondition(condition: .onQueue(queue))
        connections[key]?.ended = body
    }
}

extension ConnectionHost {
    private func accept() {
        dispatchPrecondition(condition: .onQueue(queue))
        for _ in 0..<64 {
            let descriptor = clinux_accept(listener)
            guard descriptor >= 0 else {
                // Out of descriptors: the waiting connection would wake us again at once.
                if errno == EMFILE || errno == ENFILE { pauseAccepting() }
                return
            }
            admit(descriptor)
        }
    }

    private func pauseAccepting() {
        guard let source, !isPaused else { return }
        isPaused = true
        source.suspend()
        queue.asyncAfter(deadline: .now() + .milliseconds(50)) { [weak self] in
            self?.goOnAccepting()
        }
    }

    private func goOnAccepting() {
        guard isPaused else { return }
        isPaused = false
        source?.resume()
    }

    private func admit(_ descriptor: Int32) {
        var peer: Peer?
        var (pid, uid, gid) = (pid_t(0), uid_t(0), gid_t(0))
        // A TCP socket says -1.
        if clinux_peer_credentials(descriptor, &pid, &uid, &gid) == 0, uid != .max {
            peer = Peer(pid: pid, uid: uid, gid: gid)
        }
        let isExempt = peer.map { $0.uid == 0 || $0.uid == geteuid() } ?? false
        let connection = HostedConnection(descriptor, peer: peer, isExempt: isExempt)
        lastKey += 1
        let key = lastKey
        connections[key] = connection
        if !isExempt, let user = caps.beginReceiving(connection.user) { endOldest(of: user) }
        guard connections[key] != nil else { return }
        watch(key, connection)
        connection.take = begin(self, key, peer)
        if connection.take == nil {
            becomeWhole(key, connection)
        } else {
            connection.deadline = .now() + times.request
            tick()
        }
    }

    /// One of them sent nothing whole for the longest time.
    private func endOldest(of user: UInt32) {
        let silent = connections.filter { _, connection in
            connection.phase == .receiving && !connection.isExempt && connection.user == user
        }
        if let oldest = silent.keys.min() { finish(oldest) }
    }

    private func watch(_ key: Key, _ connection: HostedConnection) {
        let reader = DispatchSource.makeReadSource(
            fileDescriptor: connection.descriptor, queue: queue)
        reader.setEventHandler { [weak self] in self?.readable(key) }
        reader.setCancelHandler { connection.letGo() }
        connection.reader = reader
        connection.users += 1
        reader.activate()
    }

    private func readable(_ key: Key) {
        guard let connection = connections[key] else { return }
        guard connection.phase == .receiving else { return lookForHangUp(key, connection) }
        var buffer = [UInt8](repeating: 0, count: 16 * 1024)
        let count = recv(connection.descriptor, &buffer, buffer.count, 0)
        if count < 0, errno == EAGAIN || errno == EINTR { return }
        guard count > 0 else { return finish(key) }
        switch connection.take?(buffer[..<count]) ?? .isOver {
        case .wantsMore: return
        case .isWhole: becomeWhole(key, connection)
        case .isOver: finish(key)
        }
    }

    func becomeWhole(_ key: Key, _ connection: HostedConnection) {
        guard connections[key] != nil, connection.phase == .receiving else { return }
        connection.phase = .waiting
        connection.deadline = nil
        connection.take = nil
        if !connection.isExempt { caps.endReceiving(connection.user) }
    }

    /// A client that only closed its sending side still waits; one that is gone does not, and its
    /// place is free at once.
    private func lookForHangUp(_ key: Key, _ connection: HostedConnection) {
        var about = pollfd(fd: connection.descriptor, events: 0, revents: 0)
        if poll(&about, 1, 0) > 0, about.revents & Int16(POLLHUP | POLLERR) != 0 {
            return finish(key)
        }
        // It would wake us again and again.
        connection.reader?.cancel()
        connection.reader = nil
    }
}
