/// What `status` calls a credential's condition (contract section 3).
public enum CredentialState: String, Sendable, CaseIterable {
    /// Nothing yet.
    case pending
    case fresh
    case refreshing
    /// The token is still valid; the last try failed.
    case retrying
    /// No valid token; retrying.
    case expired
    /// A person must sign in.
    case loginRequired = "login_required"
    /// The request is refused as such, and no token is valid; or it has been for minutes.
    case misconfigured
    /// The state cannot be trusted.
    case quarantined

    /// Whether start-up need not wait for it any longer (`READY=1`).
    public var isSettled: Bool {
        switch self {
        // Where a valid token is published already, its refresh can wait for a provider.
        case .fresh, .refreshing, .retrying: true
        case .loginRequired, .misconfigured, .quarantined: true
        case .pending, .expired: false
        }
    }

    /// Whether `status --check` is content with it.
    public var isHealthy: Bool {
        switch self {
        case .fresh, .refreshing, .retrying: true
        case .pending, .expired, .loginRequired, .misconfigured, .quarantined: false
        }
    }
}

/// Which question an answer belongs to. An answer with another number is dropped.
public struct Ticket: Sendable, Hashable {
    /// Counted up by each lifecycle.
    public var number: UInt64
    /// The ticket of this number.
    public init(_ number: UInt64) { self.number = number }
}

/// How an attempt ended, with the grant as it now stands on the disk.
public struct AttemptReport: Sendable, Equatable {
    /// How an attempt ended.
    public enum End: Sendable, Equatable {
        /// A new access token, or tokens adopted.
        case granted([AnswerNote])
        case refused(Refusal)
        /// A code of a sign-in was not exchanged; the tokens there are stand as they were.
        case signInFailed(Refusal)
        /// Nobody has approved the device code yet, or the provider could not be asked: the same
        /// may be tried again.
        case signInPending(slowDown: Bool, problem: String?)
        /// There is nothing to send with.
        case needsLogin
        /// No slot can be read.
        case unreadable
        /// The state is a copy or went back in time; nothing was sent (I10).
        case foreign(Cause)

        /// A sign-in brought nothing.
        var leavesAllAsItWas: Bool {
            switch self {
            case .signInFailed, .signInPending: true
            case .granted, .refused, .needsLogin, .unreadable, .foreign: false
            }
        }

        /// `nil` for an end that is no failure of a request.
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
    /// Names the attempt in the journal.
    public var attemptID: String
    /// The tokens are safe, but the disk did not take all that should be there.
    public var storageCause: Cause?
    /// The configured candidate was sent, not the stored refresh token.
    public var isOfCandidate = false

    /// The report of an attempt that stored all there was to store.
    public init(grant: StoredGrant?, end: End, attemptID: String) {
        (self.grant, self.end, self.attemptID) = (grant, end, attemptID)
    }

    /// The candidate brought nothing, and the disk is not why.
    var hasCandidateFailed: Bool {
        guard isOfCandidate, case .refused = end else { return false }
        return end.failureClass != .storage
    }
}

/// What the world tells a credential's lifecycle.
public enum LifecycleEvent: Sendable {
    /// What the slots held at start.
    case recovered(Ticket, StateRecovery)
    case woke
    case attemptEnded(Ticket, AttemptReport)
    case published(Ticket, PublicationReport)
    /// One run of an `on_change` program, with what went wrong.
    case hookEnded(Ticket, problem: String?)
    /// Files that were published are not as they were left.
    case outputsAltered([AlteredOutput])
    /// A person or script wants a refresh now.
    case refreshRequested
    /// Somebody wants a token that lasts longer than the present one. Unlike a person's wish it
    /// does not shorten the wait after a failure.
    case tokenWanted
    case orderGiven(AttemptOrder)
    /// A person accepted or erased what is stored: it is read anew.
    case stateReplaced
    /// The refresh token that the configuration names, as its place reads now.
    case initialTokenRead(InitialToken)
    /// Where the configuration would have the refresh token sent, as its places read now.
    case placeRead(GrantPlace)
    case configured(CredentialConfiguration)
    /// What of its configuration cannot work, as things are now.
    case surveyed([CheckFinding])
}

/// What came of writing the outputs.
public struct PublicationReport: Sendable, Equatable {
    /// Which file could not be written, and why; `nil` when all were. Of several the first, with
    /// all of them in its detail.
    public var cause: Cause?
    /// Whether at least one file holds the token now.
    public var isAnyWritten: Bool

    /// - Parameter cause: `nil` when every file was written.
    public init(_ cause: Cause?, isAnyWritten: Bool) {
        (self.cause, self.isAnyWritten) = (cause, isAnyWritten)
    }

    /// Every file holds the token.
    public static let complete = PublicationReport(nil, isAnyWritten: true)
}

/// What recovery found.
public enum StateRecovery: Sendable, Equatable {
    case grant(StoredGrant)
    /// Both slots are damaged.
    case unreadable
    /// Readable, but a copy or older than what was published: its token may be published,
    /// unless a newer one is in the files, and nothing is sent with it.
    case foreign(StoredGrant, Cause, mayPublish: Bool)
    /// The file system did not answer.
    case unavailable(Cause)
}

/// What a lifecycle wants done.
public enum LifecycleAction: Sendable, Equatable {
    /// `isAccepted`: a person has looked at it.
    case recover(Ticket, isAccepted: Bool)
    case attempt(Ticket, AttemptOrder)
    case publish(Ticket, GrantedAccess, generation: Int64)
    /// Programs to tell of the token that is in the files now.
    case runHooks([HookRun], GrantedAccess)
    /// Remove the outputs that asked for it: their token is dead.
    case withdrawExpired
    case report(LifecycleNotice)
}

/// Something a person may want to know; the engine turns it into a journal entry.
public enum LifecycleNotice: Sendable, Equatable {
    case refreshed(generation: Int64, notes: [AnswerNote], attemptID: String)
    case failed(StoredError, failures: Int, attemptID: String)
    case tokenExpired
    case loginRequired(StoredError?)
    case misconfigured(StoredError?)
    case quarantined(StoredError)
    case outputFailed(StoredError)
    /// The configuration names a refresh token that was not seen before; it is tried next.
    case candidateFound
    /// It works, and has taken the place of the one before.
    case candidateAdopted
    /// It does not take that place, at least not now; the stored one goes on.
    case candidateFailed(CandidateToken.State, problem: String)
    /// The token URL's origin or the client is another one, and a refresh token is configured for
    /// it: the stored one is kept, and not sent there.
    case tokenSetAside
    case outputAltered(problem: String)
    /// `nextTryIn`: `nil` where it runs for a newer token at once.
    case hookFailed(program: String, problem: String, failures: Int, nextTryIn: Duration?)
    case hookWorks(program: String, failures: Int)
    /// Whole days left of the refresh token.
    case refreshTokenEnds(days: Int)
}
