public import TokenCore

/// What somebody asks of the daemon over the control socket (contract section 6). The adapter has
/// already checked that they may.
public enum ControlRequest: Sendable {
    case status
    case credential(String)
    /// - minimumLife: refresh or wait if the token would not last that long.
    /// - wait: at most so long; 40 s if it is not said.
    case token(String, minimumLife: Duration, wait: Duration? = nil)
    /// - wait: answer when the attempt has ended, at most after this long.
    case refresh(String, wait: Duration?)
    case order(String, AttemptOrder)
    /// How a person signs in; for the device flow it asks the provider for a code.
    case signIn(String, SignInWish)
    /// A person has looked at a state that could not be trusted: it is used.
    /// - wait: it must be quarantined; refresh at once, and answer with what came of it.
    case accept(String, wait: Duration? = nil)
    /// What is stored of a credential, configured or not: what ``forget`` would erase.
    case stored(String)
    /// Erases all that is stored of a credential, whether it is configured or not.
    /// - allTraces: the fingerprints of its spent refresh tokens as well.
    case forget(String, allTraces: Bool = false)
    case reload
    /// Looks at the provider from here; spends nothing.
    case check(String)
    case health
    /// Whether the loop answers at all, whatever it has to say of credentials.
    case liveness
    case metrics
}

/// An answer: an HTTP status with a JSON body.
public struct ControlReply: Sendable, Equatable {
    /// The HTTP status (RFC 9110 section 15).
    public var status: Int
    /// What the reply says; problem details (RFC 9457) where it is a failure.
    public var body: JSONNode

    /// Metrics instead of the body. Writing it as text takes a while at 10 000 credentials:
    /// that is not the loop's work.
    public var metrics: MetricsReport?
    /// The token that the body holds as JSON.
    public var token: PublishedToken?

    /// A reply with this status and body, without a token or metrics of its own.
    public init(_ status: Int, _ body: JSONNode) { (self.status, self.body) = (status, body) }

    /// Adds a member to the body, which is an object.
    mutating func add(_ key: String, _ value: JSONNode) {
        body = JSONNode(.object((body.members ?? []) + [JSONMember(key, value)]))
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

    /// To `GET /livez`: it fails by not being given, never because a person is needed.
    static let alive = ControlReply(200, .object([("status", "ok")]))

    /// RFC 9457 problem details.
    ///
    /// - Parameters:
    ///   - error: A registered error code of the provider's answer.
    ///   - kind: What a person is to do about a sign-in that failed.
    public static func problem(
        _ status: Int, _ title: String, remedy: String? = nil, error: String? = nil,
        kind: SignInFailure.Kind? = nil
    ) -> ControlReply {
        ControlReply(
            status,
            .object([
                ("type", "about:blank"), ("title", .string(title)),
                ("status", .integer(Int64(status))),
                ("detail", remedy.map { .string($0) }), ("error", error.map { .string($0) }),
                ("kind", kind.map { .string($0.rawValue) }),
            ]))
    }
}
