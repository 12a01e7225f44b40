internal import Synchronization
internal import TokenControl

/// Asks the loop for one client, and hands each reply to a thread where responses are rendered.
///
/// Requests that the loop answers at once are limited to a few concurrent ones for each user: a
/// client with endless requests must not fill the loop's inbox.
struct LoopClient: Sendable {
    typealias Submit =
        @Sendable (ControlRequest, @escaping @Sendable (ControlReply) -> Void) -> Void

    private static let turnstile = Turnstile(places: 8, share: 2)
    private static let numbers = Atomic<UInt64>(0)

    private let submit: Submit
    private let user: String
    private let key: String

    /// A client for one request of this peer; `nil` on the loopback.
    init(_ peer: Peer?, _ submit: @escaping Submit) {
        self.submit = submit
        user = peer.map { String($0.uid) } ?? "loopback"
        let number = Self.numbers.wrappingAdd(1, ordering: .relaxed).newValue
        key = "\(user)/request \(number)"
    }

    /// - Parameter then: Called once, on a thread that may be kept busy.
    func ask(
        _ request: ControlRequest, _ then: @escaping @Sendable (ControlReply) -> Void
    ) {
        guard request.isAnsweredAtOnce else {
            return submit(request) { reply in render { then(reply) } }
        }
        Self.turnstile.enter(key: key, holder: user) { done in
            submit(request) { reply in
                render { then(reply) }
                done()
            }
        }
    }

    /// Runs `body` where responses are rendered.
    func render(_ body: @escaping @Sendable () -> Void) {
        HTTPServer.rendering.start(key: key, holder: user, body)
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
