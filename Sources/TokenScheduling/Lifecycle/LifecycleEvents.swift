package import TokenConfiguration
package import TokenFormats
package import TokenProviders
package import TokenSlots

/// Identifies the job that a report belongs to. A report with another number is dropped.
package struct Ticket: Sendable, Hashable {
    /// Incremented by each lifecycle.
    package var number: UInt64
    /// The ticket of this number.
    package init(_ number: UInt64) { self.number = number }
}

/// An event for a credential's lifecycle.
package enum LifecycleEvent: Sendable {
    /// The contents of the slots at start.
    case recovered(Ticket, StateRecovery)
    case woke
    case attemptEnded(Ticket, AttemptReport)
    case published(Ticket, PublicationReport)
    /// One run of an `on_change` program ended; `problem` is `nil` after a success.
    case hookEnded(Ticket, problem: String?)
    /// Published files were deleted or changed.
    case outputsAltered([AlteredOutput])
    /// A user or a script requests a refresh now.
    case refreshRequested
    /// A client requests a token with more remaining life than the present one. Unlike a manual
    /// request it does not shorten the wait after a failure.
    case tokenWanted
    case orderGiven(AttemptOrder)
    /// The operator accepted or erased the stored state: it must be read again.
    case stateReplaced
    /// The configured refresh token, as its source reads now.
    case initialTokenRead(InitialToken)
    /// The server and client that the configuration leads to, as its sources read now.
    case placeRead(GrantBinding)
    case configured(CredentialConfiguration)
    /// Settings that cannot work at present.
    case surveyed([CheckFinding])
}

/// The result of writing the outputs.
package struct PublicationReport: Sendable, Equatable {
    /// Which file could not be written, and why; `nil` when all were. Of several the first, with
    /// all of them in its detail.
    package var cause: Cause?
    /// Whether at least one file has the token now.
    package var isAnyWritten: Bool

    /// - Parameters:
    ///   - cause: `nil` when every file was written.
    ///   - isAnyWritten: Whether at least one file was written.
    package init(_ cause: Cause?, isAnyWritten: Bool) {
        (self.cause, self.isAnyWritten) = (cause, isAnyWritten)
    }

    /// Every file holds the token.
    package static let complete = PublicationReport(nil, isAnyWritten: true)
}

/// The result of recovery.
package enum StateRecovery: Sendable, Equatable {
    case grant(CredentialRecord)
    /// Both slots are damaged.
    case unreadable
    /// Readable, but a copy, or older than what was published: its token may be published unless
    /// the files have a newer one, and no request is sent with it.
    case foreign(CredentialRecord, Cause, mayPublish: Bool)
    /// The file system failed to answer.
    case unavailable(Cause)
}

/// An action that a lifecycle requests from the engine.
package enum LifecycleAction: Sendable, Equatable {
    /// `isAccepted`: the operator has accepted the state.
    case recover(Ticket, isAccepted: Bool)
    case attempt(Ticket, AttemptOrder)
    case publish(Ticket, GrantedAccess, generation: Int64)
    /// Programs to run for the token that is now in the files.
    case runHooks([HookRun], GrantedAccess)
    /// Remove the outputs that are configured so: their token has expired.
    case withdrawExpired
    case report(LifecycleNotice)
}

/// An event for the operator; the engine writes it to the journal.
package enum LifecycleNotice: Sendable, Equatable {
    case refreshed(generation: Int64, notes: [ResponseNote], attemptID: String)
    case failed(StoredError, failures: Int, attemptID: String)
    case tokenExpired
    case loginRequired(StoredError?)
    case misconfigured(StoredError?)
    case quarantined(StoredError)
    case outputFailed(StoredError)
    /// The configuration names a new refresh token; it is tried next.
    case candidateFound
    /// It works and replaces the previous one.
    case candidateAdopted
    /// It does not replace the stored token, at least not now; the stored one stays in use.
    case candidateFailed(CandidateToken.State, problem: String)
    /// The token URL's origin or the client has changed, and a refresh token is configured for it:
    /// the stored one is kept and not sent there.
    case tokenSetAside
    case outputAltered(problem: String)
    /// `nextTryIn`: `nil` when it runs at once for a newer token.
    case hookFailed(program: String, problem: String, failures: Int, nextTryIn: Duration?)
    case hookWorks(program: String, failures: Int)
    /// Whole days until the refresh token expires.
    case refreshTokenEnds(days: Int)
}
