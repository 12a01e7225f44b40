package import TokenFormats
package import TokenProviders

/// A request on the control socket (Contract 6.1). The adapter has already checked that the peer
/// may make it.
package enum ControlRequest: Sendable, Equatable {
    case status(StatusQuery = StatusQuery())
    case credential(String)
    /// - minimumLife: refresh or wait if the remaining life is shorter.
    /// - wait: at most this long; by default 40 s. Not on the control socket.
    case token(String, minimumLife: Duration, wait: Duration? = nil)
    /// - wait: reply when the attempt has ended, at the latest after this time.
    case refresh(String, wait: Duration?)
    case order(String, ClientOrder)
    /// Starts a sign-in; for the device flow it requests a code from the provider.
    case signIn(String, SignInRequest)
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
    /// - after: where the last slice of the report ended. Not on the control socket.
    case health(after: String? = nil)
    /// Whether the loop replies at all, whatever the state of the credentials.
    case liveness
    /// - after: as for ``health(after:)``.
    case metrics(after: String? = nil)
}

/// A request in its form on the socket: the parts of an HTTP request that have a meaning there.
package struct ControlCall: Sendable, Equatable {
    /// `GET` or `POST`.
    package var method: String
    /// Without the query. No part needs percent-encoding.
    package var path: String
    /// Fields that no request knows are ignored.
    package var query: [String: String]
    /// A JSON document, or nothing.
    package var body: [UInt8]

    /// - Parameters:
    ///   - method: `GET` or `POST`.
    ///   - path: Without the query.
    ///   - query: The fields of the query.
    ///   - body: A JSON document, or nothing.
    package init(
        _ method: String, _ path: String, query: [String: String] = [:], body: [UInt8] = []
    ) {
        (self.method, self.path, self.query, self.body) = (method, path, query, body)
    }

    /// The path with the query (RFC 9112 section 3.2.1).
    package var target: String {
        let fields = query.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        return fields.isEmpty ? path : path + "?" + fields.joined(separator: "&")
    }
}

extension ControlRequest {
    /// The form on the socket. Names of credentials must be configurable ones.
    ///
    /// - Parameter now: The present time, for the end of adopted tokens.
    package func call(now: WallTime) -> ControlCall {
        let path = { (name: String, rest: String) in "/v1/credentials/\(name)\(rest)" }
        switch self {
        case .status(let query):
            return ControlCall("GET", "/v1/status", query: query.fields)
        case .credential(let name): return ControlCall("GET", path(name, ""))
        case .token(let name, let life, _):
            return ControlCall("GET", path(name, "/token"), query: ["min_ttl": Self.text(life)])
        case .refresh(let name, let wait):
            return ControlCall("POST", path(name, "/refresh"), query: Self.waiting(wait))
        case .order(let name, let order):
            let body = order.json(now: now).serialized()
            switch order {
            case .login, .device: return ControlCall("POST", path(name, "/login"), body: body)
            case .adopt: return ControlCall("POST", path(name, "/import"), body: body)
            }
        case .signIn(let name, let wish):
            return ControlCall("POST", path(name, "/sign-in"), body: wish.json.serialized())
        case .accept(let name, let wait):
            return ControlCall("POST", path(name, "/accept"), query: Self.waiting(wait))
        case .stored(let name): return ControlCall("GET", path(name, "/stored"))
        case .forget(let name, let allTraces):
            return ControlCall(
                "POST", path(name, "/forget"), query: allTraces ? ["all_traces": "1"] : [:])
        case .reload: return ControlCall("POST", "/v1/reload")
        case .check(let name): return ControlCall("POST", path(name, "/check"))
        case .health: return ControlCall("GET", "/healthz")
        case .liveness: return ControlCall("GET", "/livez")
        case .metrics: return ControlCall("GET", "/metrics")
        }
    }

    private static func waiting(_ wait: Duration?) -> [String: String] {
        wait.map { ["wait": text($0)] } ?? [:]
    }

    /// Seconds, or milliseconds where they are needed.
    private static func text(_ duration: Duration) -> String {
        let (seconds, rest) = duration.components
        return rest == 0 ? String(seconds) : "\(duration.nanoseconds / 1_000_000)ms"
    }
}
