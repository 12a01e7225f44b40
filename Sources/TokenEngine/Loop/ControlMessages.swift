internal import TokenConfiguration
internal import TokenControl
internal import TokenProviders
internal import TokenScheduling

// Replies that several parts of the loop give.
extension ControlReply {
    static func token(
        _ lifecycle: CredentialLifecycle, _ access: GrantedAccess, _ minimum: MinimumLife,
        left: Duration?
    ) -> ControlReply {
        let token = PublishedToken(
            credential: lifecycle.name, provider: lifecycle.configuration.profile.name,
            access: access)
        var message = TokenReply(token)
        message.shortfall = minimum.shortfall(left: left)
        var reply = ControlReply(200, .token(message))
        reply.token = token
        return reply
    }

    /// The reply to `GET /livez`: a failure is the absence of a reply; it never depends on
    /// credentials.
    static let alive = ControlReply(200, .alive)

    /// To what a daemon that stops does not begin, or does not finish.
    static let stopping = ControlReply.problem(
        503, "the daemon is stopping", remedy: "Try again later")
}
