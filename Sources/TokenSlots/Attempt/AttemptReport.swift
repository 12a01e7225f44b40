package import TokenFormats
package import TokenProviders

/// How an attempt ended, with the grant as stored on disk afterwards.
package struct AttemptReport: Sendable, Equatable {
    /// How an attempt ended.
    package enum End: Sendable, Equatable {
        /// A new access token, or tokens adopted.
        case granted([ResponseNote])
        case refused(Refusal)
        /// The exchange of a sign-in's code failed; the stored tokens are unchanged.
        case signInFailed(Refusal)
        /// The device code is not approved yet, or the provider could not be reached: it may be
        /// retried.
        case signInPending(slowDown: Bool, problem: String?)
        /// There is no refresh token to send.
        case needsLogin
        /// No slot can be read.
        case unreadable
        /// The state is a copy or went back in time; nothing was sent (I10).
        case foreign(Cause)

        /// A sign-in without tokens.
        package var leavesAllAsItWas: Bool {
            switch self {
            case .signInFailed, .signInPending: true
            case .granted, .refused, .needsLogin, .unreadable, .foreign: false
            }
        }

        /// `nil` for an end that is not a failed request.
        package var failureClass: FailureClass? {
            switch self {
            case .refused(let refusal), .signInFailed(let refusal): refusal.failureClass
            case .granted, .needsLogin, .unreadable, .foreign, .signInPending: nil
            }
        }
    }
    /// `nil` when the state could not be read or written.
    package var grant: CredentialRecord?
    /// How it ended.
    package var end: End
    /// Identifies the attempt in the journal.
    package var attemptID: String
    /// The tokens are saved, but another write failed.
    package var storageCause: Cause?
    /// The request sent the configured candidate instead of the stored refresh token.
    package var isOfCandidate = false

    /// The report of an attempt that stored everything.
    package init(grant: CredentialRecord?, end: End, attemptID: String) {
        (self.grant, self.end, self.attemptID) = (grant, end, attemptID)
    }

    /// The attempt with the candidate failed, and not because of the disk.
    package var hasCandidateFailed: Bool {
        guard isOfCandidate, case .refused = end else { return false }
        return end.failureClass != .storage
    }
}
