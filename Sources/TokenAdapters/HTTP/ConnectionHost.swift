internal import CLinux
internal import Dispatch
internal import Glibc

/// The connections of one listening socket, without a thread for each: they are Dispatch sources of
/// one serial queue, limited by ``ConnectionCaps``.
///
/// All accesses to a connection happen on `queue`, which dispatchPrecondition checks; therefore
/// `@unchecked Sendable` is correct.
final class ConnectionHost: @unchecked Sendable {
    /// What a piece of a request led to.
    enum Progress {
        case wantsMore
        /// The request is complete; ``answer(_:_:)`` follows, at once or later.
        case isWhole
        /// The connection needs no response.
        case isOver
    }
    /// Identifies a connection; never reused.
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
    /// Limits for receiving a whole request and for sending a whole response, however slow the
    /// client.
    let times: (request: DispatchTimeInterval, answer: DispatchTimeInterval)
    private let begin: (ConnectionHost, Key, Peer?) -> Take?

    /// Listens until ``stop()``, which closes the listener.
    ///
    /// - Parameter begin: Called on the queue for each connection; returns the receiver of its
    ///   request, or `nil` for a connection that needs none.
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

    /// Accepts no more connections; existing ones are served to their end.
    func stop() {
        queue.async {
            // A suspended source must be resumed, or its cancel handler never runs.
            self.source?.cancel()
            self.goOnAccepting()
            self.source = nil
        }
    }

    /// The number of connections that wait for a response or receive one.
    var heldCount: Int { queue.sync { connections.values.count { $0.phase != .receiving } } }

    /// Call once for each request, from any thread. Dropped if the peer has disconnected.
    ///
    /// - Parameters:
    ///   - refusal: Sent instead if the limit has no room for `bytes`.
    func answer(_ key: Key, _ bytes: [UInt8], refusal: [UInt8] = []) {
        queue.async { self.send(bytes, refusal, key) }
    }

    /// Closes the connection without a response.
    func end(_ key: Key) { queue.async { self.finish(key) } }

    /// On the queue: the address that the peer's socket is bound to, empty if it is not bound.
    ///
    /// - Returns: `nil` if the peer has disconnected.
    func address(_ key: Key) -> [UInt8]? {
        dispatchPrecondition(condition: .onQueue(queue))
        guard let connection = connections[key] else { return nil }
        var address = [UInt8](repeating: 0, count: 108)
        let length = clinux_peer_address(connection.descriptor, &address)
        return length >= 0 ? Array(address.prefix(Int(length))) : nil
    }

    /// On the queue, in `begin` or in a receiver: called once when the connection has ended.
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
                // Out of descriptors: the pending connection would wake this source again at once.
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
        // A TCP socket gives -1.
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

    /// Closes the user's connection that has been incomplete for the longest time.
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

    /// A client that only closed its sending side still waits for its response; a disconnected one
    /// does not, and its place is released at once.
    private func lookForHangUp(_ key: Key, _ connection: HostedConnection) {
        var about = pollfd(fd: connection.descriptor, events: 0, revents: 0)
        if poll(&about, 1, 0) > 0, about.revents & Int16(POLLHUP | POLLERR) != 0 {
            return finish(key)
        }
        // The source would otherwise fire again and again.
        connection.reader?.cancel()
        connection.reader = nil
    }
}
