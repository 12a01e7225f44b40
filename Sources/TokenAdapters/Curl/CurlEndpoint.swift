internal import CCurl
internal import CLinux
internal import Dispatch
internal import Glibc
package import TokenEngine
internal import TokenFormats

/// libcurl's multi interface on one serial queue (of the alternatives measured: least CPU time,
/// smallest build; TLS comes from the distribution's packages).
///
/// Every touch of libcurl happens on `queue`: that, checked by dispatchPrecondition, is why
/// `@unchecked Sendable` is true. Each transfer has a connection of its own: on a reused one
/// libcurl would silently send a request again that the server may have carried out (I13).
package final class CurlEndpoint: TokenEndpoint, @unchecked Sendable {
    private let queue = DispatchQueue(label: "evertoken.curl")
    private let base: String
    private let multi: UnsafeMutableRawPointer
    private let timer: any DispatchSourceTimer
    private var sockets: [Int32: WatchedSocket] = [:]
    private var authorities = AuthorityFiles()
    private var transfers: [UnsafeMutableRawPointer: CurlTransfer] = [:]
    private let resolver = NameResolver()

    /// - Parameter base: The directory of the configuration file, for relative paths of
    ///   certificates.
    package init(base: String) {
        self.base = base
        // Once for the process; libcurl counts the calls (curl_global_init(3)).
        curl_global_init(Int(CURL_GLOBAL_DEFAULT))
        guard let multi = curl_multi_init() else {
            fatalError("curl_multi_init: out of memory at start")
        }
        self.multi = multi
        timer = DispatchSource.makeTimerSource(queue: queue)
        timer.schedule(deadline: .distantFuture)
        timer.setEventHandler { [unowned self] in act(CURL_SOCKET_TIMEOUT, 0) }
        timer.activate()
        let me = Unmanaged.passUnretained(self).toOpaque()
        ccurlm_set_pointer(multi, CURLMOPT_SOCKETDATA, me)
        ccurlm_set_socket_callback(multi) { handle, socket, what, me, _ in
            if let me {
                Unmanaged<CurlEndpoint>.fromOpaque(me).takeUnretainedValue()
                    .watch(socket, what, of: handle)
            }
            return 0
        }
        ccurlm_set_pointer(multi, CURLMOPT_TIMERDATA, me)
        ccurlm_set_timer_callback(multi) { _, milliseconds, me in
            if let me {
                Unmanaged<CurlEndpoint>.fromOpaque(me).takeUnretainedValue().arm(milliseconds)
            }
            return 0
        }
    }

    deinit {
        timer.cancel()
        curl_multi_cleanup(multi)
    }

    /// As `TokenEndpoint` says. Names are looked up first, off libcurl, within the same time.
    package func send(_ request: WireRequest) async -> WireResult {
        let begun = ContinuousClock.now
        var addresses: [HostAddresses] = []
        for host in HostToResolve.hosts(of: request) {
            let limit = min(request.connectTimeout, request.timeout) - (.now - begun)
            switch await resolve(host.name, within: limit) {
            case .addresses(let found):
                addresses.append(HostAddresses(host: host, addresses: found))
            case .unknown: return .notSent(host.fault(.nameNotResolved))
            case .late: return .notSent(host.fault(.nameServersSilent))
            case .refused: return .notSent(host.fault(.nameLookupsFull))
            }
        }
        var rest = request
        rest.timeout -= .now - begun
        rest.connectTimeout -= .now - begun
        return await transfer(rest, to: addresses)
    }

    private func resolve(_ name: String, within limit: Duration) async -> NameResolver.Outcome {
        await withCheckedContinuation { continuation in
            resolver.resolve(name, within: .nanoseconds(Int(max(limit, .zero).nanoseconds))) {
                continuation.resume(returning: $0)
            }
        }
    }

    private func transfer(
        _ request: WireRequest, to addresses: [HostAddresses]
    ) async -> WireResult {
        await withCheckedContinuation { continuation in
            queue.async {
                guard
                    let transfer = CurlTransfer(
                        request, to: addresses, base: self.base, authorities: &self.authorities,
                        done: { continuation.resume(returning: $0) })
                else {
                    let facts = CauseFacts(detail: "out of memory")
                    continuation.resume(
                        returning: .notSent(WireFault(Cause(.transferFailed, facts))))
                    return
                }
                self.transfers[transfer.handle] = transfer
                let (handle, address) = (transfer.handle, UInt(bitPattern: transfer.handle))
                let limit = max(.milliseconds(1), request.timeout)
                transfer.expiry = Alarm(
                    after: .nanoseconds(Int(limit.nanoseconds)), on: self.queue
                ) { self.expire(address) }
                curl_multi_add_handle(self.multi, handle)
            }
        }
    }

    /// Handles the time-out of a transfer. Data that has arrived by now is read first: the process
    /// may have been stopped, and a rotated refresh token must not be lost because of that.
    ///
    /// - Parameter address: The address of its handle.
    private func expire(_ address: UInt) {
        dispatchPrecondition(condition: .onQueue(queue))
        guard let handle = UnsafeMutableRawPointer(bitPattern: address) else { return }
        for _ in 0..<64 {
            guard let socket = transfers[handle]?.socket else { break }
            var wanted = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
            guard poll(&wanted, 1, 0) == 1 else { break }
            act(socket, CURL_CSELECT_IN)
        }
        guard let transfer = transfers.removeValue(forKey: handle) else { return }
        curl_multi_remove_handle(multi, handle)
        transfer.finish(CURLE_OPERATION_TIMEDOUT)
    }

    private func arm(_ milliseconds: Int) {
        dispatchPrecondition(condition: .onQueue(queue))
        timer.schedule(
            deadline: milliseconds < 0 ? .distantFuture : .now() + .milliseconds(milliseconds))
    }

    private func watch(
        _ socket: Int32, _ what: Int32, of handle: UnsafeMutableRawPointer?
    ) {
        dispatchPrecondition(condition: .onQueue(queue))
        if let handle { transfers[handle]?.socket = what == CURL_POLL_REMOVE ? nil : socket }
        if what == CURL_POLL_REMOVE {
            sockets.removeValue(forKey: socket)?.stop()
            return
        }
        let watched = sockets[socket] ?? WatchedSocket(socket)
        sockets[socket] = watched
        watched.set(
            reading: what & CURL_POLL_IN != 0, writing: what & CURL_POLL_OUT != 0, on: queue
        ) { [unowned self] event in act(socket, event) }
    }

    private func act(_ socket: Int32, _ event: Int32) {
        var running: Int32 = 0
        curl_multi_socket_action(multi, socket, event, &running)
        var result = CURLE_OK
        while let handle = ccurlm_next_done(multi, &result) {
            curl_multi_remove_handle(multi, handle)
            transfers.removeValue(forKey: handle)?.finish(result)
        }
    }
}

/// Dispatch sources for one of libcurl's sockets.
///
/// They watch a duplicate: libcurl closes its own descriptor right after it reports "remove", and a
/// source that is still being cancelled would then watch the next file with that number.
private final class WatchedSocket {
    private let socket: Int32
    private var reader: (any DispatchSourceRead)?
    private var writer: (any DispatchSourceWrite)?

    init(_ socket: Int32) { self.socket = socket }

    func set(
        reading: Bool, writing: Bool, on queue: DispatchQueue, act: @escaping (Int32) -> Void
    ) {
        if reading, reader == nil, let copy = duplicate() {
            let source = DispatchSource.makeReadSource(fileDescriptor: copy, queue: queue)
            start(source, on: copy) { act(CURL_CSELECT_IN) }
            reader = source
        } else if !reading {
            reader?.cancel()
            reader = nil
        }
        if writing, writer == nil, let copy = duplicate() {
            let source = DispatchSource.makeWriteSource(fileDescriptor: copy, queue: queue)
            start(source, on: copy) { act(CURL_CSELECT_OUT) }
            writer = source
        } else if !writing {
            writer?.cancel()
            writer = nil
        }
    }

    private func start(
        _ source: any DispatchSourceProtocol, on copy: Int32, handler: @escaping () -> Void
    ) {
        source.setEventHandler(handler: handler)
        source.setCancelHandler { close(copy) }
        source.activate()
    }

    /// Without a free descriptor the transfer fails by its own time-out.
    private func duplicate() -> Int32? {
        let copy = clinux_duplicate(socket)
        return copy >= 0 ? copy : nil
    }

    func stop() {
        reader?.cancel()
        writer?.cancel()
    }
}
