package import TokenFormats

/// The few values that the status line needs of one credential.
package struct CredentialGlance: Sendable, Equatable {
    package var name: String
    package var state: CredentialState
    package var nextAttemptAt: Uptime?

    package init(_ lifecycle: CredentialLifecycle) {
        (name, state) = (lifecycle.name, lifecycle.state)
        nextAttemptAt = lifecycle.nextAttemptAt
    }
}
