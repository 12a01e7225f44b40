internal import CLinux
internal import Dispatch
internal import Glibc
internal import Synchronization

/// Resolves host names on its own threads (getaddrinfo(3)).
///
/// libcurl also uses a thread, but waits for it on the single queue of all transfers: a name server
/// that did not respond delayed every other transfer by half a minute. Here each caller has its own
/// time limit, all callers of one name share one look-up, and look-ups that hang are counted
/// (``ResolverBook``).
final class NameResolver: Sendable {
    enum Outcome: Sendable, Equatable {
        /// Numeric, in the order in which to try them (RFC 6724).
        case addresses([String])
        /// The name servers have no address for the name.
        case unknown
        /// No result within the caller's time limit.
        case late
        /// Too many look-ups hang; no look-up was started.
        case refused
    }
    private struct Caller {
        var answer: FirstAnswer<Outcome>
        var alarm: Alarm
    }
    private struct State {
        var book = ResolverBook()
        var waiting: [UInt64: [Caller]] = [:]
    }
    private let state = Mutex(State())
    /// Replaces getaddrinfo(3) in tests.
    private let lookUp: @Sendable (String) -> Outcome

    init(lookUp: @escaping @Sendable (String) -> Outcome = NameResolver.addresses) {
        self.lookUp = lookUp
    }

    /// Threads that are resolving a name, including strays.
    var threadCount: Int { state.withLock { $0.book.count } }

    /// Calls `done` once, from any thread.
    func resolve(
        _ name: String, within limit: DispatchTimeInterval,
        _ done: @escaping @Sendable (Outcome) -> Void
    ) {
        let answer = FirstAnswer(done)
        let decision = state.withLock { state in
            let decision = state.book.ask(name)
            switch decision {
            case .join(let number), .begin(let number):
                let alarm = Alarm(after: limit) {
                    guard let late = answer.claim() else { return }
                    // Must happen before the caller is notified, because it may ask again.
                    self.state.withLock { $0.book.giveUp(number) }
                    late(.late)
                }
                state.waiting[number, default: []].append(Caller(answer: answer, alarm: alarm))
            case .refuse: break
            }
            return decision
        }
        switch decision {
        case .refuse: answer.give(.refused)
        case .join: break
        case .begin(let number): begin(number, name)
        }
    }

    private func begin(_ number: UInt64, _ name: String) {
        let isStarted = startThread { self.end(number, self.lookUp(name)) }
        if !isStarted { end(number, .refused) }
    }

    private func end(_ number: UInt64, _ outcome: Outcome) {
        let waiting = state.withLock { state in
            state.book.ended(number)
            return state.waiting.removeValue(forKey: number) ?? []
        }
        for caller in waiting {
            caller.alarm.cancel()
            caller.answer.give(outcome)
        }
    }

    /// The same hints as libcurl: any address family that this host has sockets for.
    static func addresses(of name: String) -> Outcome {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_family = hasIPv6 ? AF_UNSPEC : AF_INET
        var found: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(name, nil, &hints, &found) == 0, let first = found else {
            return .unknown
        }
        defer { freeaddrinfo(first) }
        var addresses: [String] = []
        for entry in sequence(first: first, next: { $0.pointee.ai_next }) {
            guard let text = numeric(entry.pointee), !addresses.contains(text) else { continue }
            addresses.append(text)
        }
        return addresses.isEmpty ? .unknown : .addresses(addresses)
    }

    private static let hasIPv6: Bool = {
        let probe = socket(AF_INET6, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard probe >= 0 else { return false }
        close(probe)
        return true
    }()

    /// `nil` for an address with a zone, which a request cannot use.
    private static func numeric(_ entry: addrinfo) -> String? {
        var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        let size = socklen_t(text.count)
        guard
            getnameinfo(
                entry.ai_addr, entry.ai_addrlen, &text, size, nil, 0, NI_NUMERICHOST) == 0
        else { return nil }
        let address = String(
            decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        if address.contains("%") { return nil }
        return address.contains(":") ? "[\(address)]" : address
    }
}

/// Runs `body` on a new thread without libdispatch, which would block the caller while the kernel
/// refuses more threads.
///
/// - Returns: Whether a thread could be created.
private func startThread(_ body: @escaping @Sendable () -> Void) -> Bool {
    final class Start: Sendable {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    defer { pthread_attr_destroy(&attributes) }
    pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
    pthread_attr_setstacksize(&attributes, 1 << 20)
    let start = Unmanaged.passRetained(Start(body))
    var thread = pthread_t()
    let error = pthread_create(
        &thread, &attributes,
        { start in
            if let start { Unmanaged<Start>.fromOpaque(start).takeRetainedValue().body() }
            return nil
        }, start.toOpaque())
    if error != 0 { start.release() }
    return error == 0
}
