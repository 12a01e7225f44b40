/// How an attempt ended, with the grant as stored on disk afterwards.
public struct AttemptReport: Sendable, Equatable {
    /// How an attempt ended.
    public enum End: Sendable, Equatable {
        /// A new access token, or tokens adopted.
        case granted([AnswerNote])
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
        var leavesAllAsItWas: Bool {
            switch self {
            case .signInFailed, .signInPending: true
            case .granted, .refused, .needsLogin, .unreadable, .foreign: false
            }
        }

        /// `nil` for an end that is not a failed request.
        public var failureClass: FailureClass? {
            switch self {
            case .refused(let refusal), .signInFailed(let refusal): refusal.failureClass
            case .granted, .needsLogin, .unreadable, .foreign, .signInPending: nil
            }
        }
    }
    /// `nil` when the state could not be read or written.
    public var grant: StoredGrant?
    /// How it ended.
    public var end: End
    /// Identifies the attempt in the journal.
    public var attemptID: String
    /// The tokens are saved, but another write failed.
    public var storageCause: Cause?
    /// The request sent the configured candidate instead of the stored refresh token.
    public var isOfCandidate = false

    /// The report of an attempt that stored everything.
    public init(grant: StoredGrant?, end: End, attemptID: String) {
        (self.grant, self.end, self.attemptID) = (grant, end, attemptID)
    }

    /// The attempt with the candidate failed, and not because of the disk.
    var hasCandidateFailed: Bool {
        guard isOfCandidate, case .refused = end else { return false }
        return end.failureClass != .storage
    }
}
