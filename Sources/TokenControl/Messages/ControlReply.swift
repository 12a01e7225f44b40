package import TokenConfiguration
package import TokenFormats

/// The reply to a `ControlRequest`: an HTTP status with one message.
package struct ControlReply: Sendable, Equatable {
    /// The messages of the control socket. The socket renders them when it writes the reply: at
    /// 10 000 credentials this takes too long for the loop.
    package enum Content: Sendable, Equatable {
        case status(StatusReport)
        /// A part of a status, for the adapter that puts it together.
        case statusSlice(StatusSlice)
        case credential(CredentialReport)
        case token(TokenReply)
        /// A refresh is requested, and the reply does not wait for it.
        case begun(credential: String)
        /// A refresh has ended.
        case refreshed(CredentialStatus)
        case ordered(OrderReply)
        case signIn(SignInOffer)
        case accepted(AcceptReply)
        case stored(StoredReport)
        case reloaded(ConfigurationChanges)
        case checked(LiveCheckReport)
        case health(HealthReport)
        case alive
        /// Metrics have a text of their own, no JSON.
        case metrics(MetricsReport)
        case problem(ControlProblem)
        /// What this version cannot read; never sent.
        case unreadable
    }

    /// The HTTP status (RFC 9110 section 15).
    package var status: Int
    /// The message.
    package var content: Content
    /// The token that the message contains.
    package var token: PublishedToken?

    /// A reply with this status and message, without a token of its own.
    package init(_ status: Int, _ content: Content) {
        (self.status, self.content) = (status, content)
    }

    /// The reply to a request that failed.
    package init(_ problem: ControlProblem) { self.init(problem.status, .problem(problem)) }

    /// RFC 9457 problem details.
    ///
    /// - Parameters:
    ///   - status: The HTTP status.
    ///   - title: What is wrong, in one line.
    ///   - remedy: What to do next; it becomes `detail`.
    package static func problem(
        _ status: Int, _ title: String, remedy: String? = nil
    ) -> ControlReply {
        ControlReply(ControlProblem(status, title, detail: remedy))
    }

    /// The problem of a request that failed.
    package var problem: ControlProblem? {
        if case .problem(let problem) = content { problem } else { nil }
    }

    /// The message as JSON; metrics have none.
    package var body: JSONNode {
        switch content {
        case .status(let report): report.json
        case .statusSlice(let slice): slice.report.json
        case .credential(let report): report.json
        case .token(let reply): reply.json
        case .begun(let name): .object([("credential", .string(name))])
        case .refreshed(let status): status.json
        case .ordered(let reply): reply.json
        case .signIn(let offer): offer.json
        case .accepted(let reply): reply.json
        case .stored(let report): report.json
        case .reloaded(let changes): changes.json
        case .checked(let report): report.json
        case .health(let report): report.json
        case .alive: .object([("status", "ok")])
        case .problem(let problem): problem.json
        case .metrics, .unreadable: JSONNode(.null)
        }
    }

    /// Reads a reply.
    ///
    /// - Parameters:
    ///   - status: The HTTP status.
    ///   - body: The JSON of the reply; `nil` when it is none.
    ///   - request: The request, which decides what message is expected.
    package init(_ status: Int, _ body: JSONNode?, to request: ControlRequest) {
        var isHealth = false
        if case .health = request { isHealth = body?["title"] == nil }
        guard status / 100 != 2, !isHealth else {
            self.init(status, Content(body ?? JSONNode(.null), to: request))
            return
        }
        let problem = body.flatMap { ControlProblem(json: $0, status: status) }
        self.init(status, problem.map { .problem($0) } ?? .unreadable)
    }
}

extension ControlReply.Content {
    /// The message of a success.
    fileprivate init(_ body: JSONNode, to request: ControlRequest) {
        switch request {
        case .status: self = .status(StatusReport(json: body))
        case .credential: self = .credential(CredentialReport(json: body))
        case .token: self = TokenReply(json: body).map { .token($0) } ?? .unreadable
        case .refresh(let name, wait: nil):
            self = .begun(credential: body["credential"]?.text ?? name)
        case .refresh: self = .refreshed(CredentialStatus(json: body))
        case .order: self = .ordered(OrderReply(json: body))
        case .signIn: self = .signIn(SignInOffer(json: body))
        case .accept: self = .accepted(AcceptReply(json: body))
        case .stored, .forget: self = .stored(StoredReport(json: body))
        case .reload: self = .reloaded(ConfigurationChanges(json: body))
        case .check: self = .checked(LiveCheckReport(json: body))
        case .health: self = .health(HealthReport(json: body))
        case .liveness: self = .alive
        case .metrics: self = .unreadable
        }
    }
}
