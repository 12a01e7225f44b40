public import TokenCore

/// A request on the control socket (Contract 6.1). The adapter has already checked that the peer
/// may make it.
public enum ControlRequest: Sendable {
    case status
    case credential(String)
    /// - minimumLife: refresh or wait if the remaining life is shorter.
    /// - wait: at most this long; by default 40 s.
    case token(String, minimumLife: Duration, wait: Duration? = nil)
    /// - wait: reply when the attempt has ended, at the latest after this time.
    case refresh(String, wait: Duration?)
    case order(String, AttemptOrder)
    /// Starts a sign-in; for the device flow it requests a code from the provider.
    case signIn(String, SignInWish)
    /// Accepts a state that was not trusted.
    /// - wait: it must be quarantined; refresh at once, and reply with the result.
    case accept(String, wait: Duration? = nil)
    /// What is stored of a credential, configured or not: what ``forget(_:allTraces:)`` erases.
    case stored(String)
    /// Erases everything stored of a credential, configured or not.
    /// - allTraces: the fingerprints of its spent refresh tokens as well.
    case forget(String, allTraces: Bool = false)
    case reload
    /// Tests the connection to the provider; spends nothing.
    case check(String)
    case health
    /// Whether the loop replies at all, whatever the state of the credentials.
    case liveness
    case metrics
}

/// A reply: an HTTP status with a JSON body.
public struct ControlReply: Sendable, Equatable {
    /// What a socket renders when it writes the reply: at 10 000 credentials this takes too long
    /// for the loop.
    public enum Content: Sendable, Equatable {
        case json(JSONNode)
        case status(StatusReport)
        case metrics(MetricsReport)
    }
    /// The HTTP status (RFC 9110 section 15).
    public var status: Int
    /// The content of the reply; problem details (RFC 9457) for a failure.
    public var content: Content
    /// The token that the body contains as JSON.
    public var token: PublishedToken?

    /// A reply with this status and content, without a token of its own.
    public init(_ status: Int, _ content: Content) {
        (self.status, self.content) = (status, content)
    }
    /// A reply with this status and body, without a token of its own.
    public init(_ status: Int, _ body: JSONNode) { self.init(status, .json(body)) }

    /// The content as JSON; metrics have a text of their own.
    public var body: JSONNode {
        switch content {
        case .json(let node): node
        case .status(let report): report.json
        case .metrics: JSONNode(.null)
        }
    }

    /// Adds a member to the body, which must be an object.
    mutating func add(_ key: String, _ value: JSONNode) {
        content = .json(JSONNode(.object((body.members ?? []) + [JSONMember(key, value)])))
    }

    static func token(
        _ lifecycle: CredentialLifecycle, _ access: GrantedAccess, _ minimum: MinimumLife,
        left: Duration?
    ) -> ControlReply {
        let token = PublishedToken(
            credential: lifecycle.name, provider: lifecycle.configuration.profile.name,
            access: access)
        var reply = ControlReply(200, token.json)
        reply.token = token
        if let shortfall = minimum.shortfall(left: left) { reply.add("min_ttl", shortfall) }
        return reply
    }

    /// The reply to `GET /livez`: a failure is the absence of a reply; it never depends on
    /// credentials.
    static let alive = ControlReply(200, .object([("status", "ok")]))

    /// To what a daemon that stops does not begin, or does not finish.
    static let stopping = ControlReply.problem(
        503, "the daemon is stopping", remedy: "Try again later")

    /// RFC 9457 problem details.
    ///
    /// - Parameters:
    ///   - status: The HTTP status.
    ///   - title: What is wrong, in one line.
    ///   - remedy: What to do next; it becomes `detail`.
    ///   - error: A registered error code of the provider's response.
    ///   - kind: What the user can do about a failed sign-in.
    ///   - cause: The cause of the failure.
    public static func problem(
        _ status: Int, _ title: String, remedy: String? = nil, error: String? = nil,
        kind: SignInFailure.Kind? = nil, cause: CauseKind? = nil
    ) -> ControlReply {
        ControlReply(
            status,
            .object([
                ("type", "about:blank"), ("title", .string(title)),
                ("status", .integer(Int64(status))),
                ("detail", remedy.map { .string($0) }), ("error", error.map { .string($0) }),
                ("kind", kind.map { .string($0.rawValue) }),
                ("cause", cause.map { .string($0.rawValue) }),
            ]))
    }
}
