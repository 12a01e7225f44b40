/// The few values that the status line needs of one credential.
struct Glance: Sendable, Equatable {
    var name: String
    var state: CredentialState
    var nextAttemptAt: Uptime?

    init(_ lifecycle: CredentialLifecycle) {
        (name, state) = (lifecycle.name, lifecycle.state)
        nextAttemptAt = lifecycle.nextAttemptAt
    }
}
