internal import Dispatch
internal import Glibc

// Sending responses and closing connections.
extension ConnectionHost {
    /// On the queue: counts the connection among those that wait for a response.
    ///
    /// - Returns: Whether the limit allows it; always for exempt users.
    func hold(_ key: Key) -> Bool {
        dispatchPrecondition(condition: .onQueue(queue))
        guard let connection = connections[key] else { return false }
        guard !connection.isExempt else { return true }
        guard caps.beginHolding(connection.user) else { return false }
        connection.ended = { [weak self, ended = connection.ended] in
            self?.caps.endHolding(connection.user)
            ended?()
        }
        return true
    }

    func send(_ bytes: [UInt8], _ refusal: [UInt8], _ key: Key) {
        dispatchPrecondition(condition: .onQueue(queue))
        guard let connection = connections[key], connection.phase != .sending else { return }
        becomeWhole(key, connection)
        connection.phase = .sending
        let hasRoom = connection.isExempt || caps.add(bytes.count, connection.user)
        connection.outgoing = hasRoom ? bytes : refusal
        if hasRoom, !connection.isExempt {
            connection.ended = { [weak self, ended = connection.ended] in
                self?.caps.remove(bytes.count, connection.user)
                ended?()
            }
        }
        connection.deadline = .now() + times.answer
        tick()
        push(key)
    }

    func push(_ key: Key) {
        guard let connection = connections[key] else { return }
        while connection.sent < connection.outgoing.count {
            let count = connection.outgoing.withUnsafeBytes { bytes in
                Glibc.send(
                    connection.descriptor, bytes.baseAddress! + connection.sent,
                    bytes.count - connection.sent, Int32(MSG_NOSIGNAL))
            }
            if count < 0, errno == EINTR { continue }
            if count < 0, errno == EAGAIN { return waitForRoom(key, connection) }
            guard count > 0 else { return finish(key) }
            connection.sent += count
        }
        if let next = connection.next { return endPiece(connection, next) }
        shutdown(connection.descriptor, Int32(SHUT_WR))
        finish(key)
    }

    func waitForRoom(_ key: Key, _ connection: HostedConnection) {
        guard connection.writer == nil else { return }
        let writer = DispatchSource.makeWriteSource(
            fileDescriptor: connection.descriptor, queue: queue)
        writer.setEventHandler { [weak self] in self?.push(key) }
        writer.setCancelHandler { connection.letGo() }
        connection.writer = writer
        connection.users += 1
        writer.activate()
    }

    func finish(_ key: Key) {
        dispatchPrecondition(condition: .onQueue(queue))
        guard let connection = connections.removeValue(forKey: key) else { return }
        if connection.phase == .receiving, !connection.isExempt {
            caps.endReceiving(connection.user)
        }
        connection.outgoing = []
        (connection.take, connection.next) = (nil, nil)
        connection.ended?()
        connection.ended = nil
        connection.reader?.cancel()
        connection.writer?.cancel()
        (connection.reader, connection.writer) = (nil, nil)
        connection.letGo()
    }

    /// Runs only while a request or a response is pending: an idle daemon sleeps.
    func tick() {
        guard !isTicking else { return }
        isTicking = true
        ticks.schedule(deadline: .now() + .milliseconds(250), repeating: .milliseconds(250))
    }

    func endLate() {
        let now = DispatchTime.now()
        for (key, connection) in connections {
            if let deadline = connection.deadline, deadline <= now { finish(key) }
        }
        guard !connections.values.contains(where: { $0.deadline != nil }) else { return }
        isTicking = false
        ticks.schedule(deadline: .distantFuture)
    }
}
