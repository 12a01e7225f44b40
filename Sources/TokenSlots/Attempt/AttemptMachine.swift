package import TokenFormats
package import TokenProviders

/// The rotation protocol of one attempt, as a value: it returns the next step and receives the
/// step's result. It reads no clock, opens no file and sends no request, so that a test can try
/// every order of events, and a stop between any two steps.
///
/// It guarantees this order: whatever needs no network comes before the intent; the intent is
/// durable before the request; the response is durable before it is read; its result is durable
/// before the next request of the same exchange.
///
/// ```
/// recover → initial token → origin → place → published tokens ┬→ end
///     ┌───────────────────────────────────────────────────────┤
///     │  candidate: claim → notice                            └→ adoption → accept → end
///     └→ prepare → claim → intent → send ┬→ save response → read → outcome ┬→ accept → end
///           ↑                            ├→ withdrawal → end               │
///           └────────── next request ────┼─────────────────────────────────┘
///                                        └→ end (no response came)
/// ```
///
/// Its steps `recover`, `beginIntent`, `saveResponse`, `settle` and `end` are those of a storage
/// that holds evidence: records, an intent, a response. It knows no file.
///
/// **Several hosts** that share a credential would add two steps, and move none. `open` stands
/// between `beginIntent` and `send`: the intent of this host is durable, and no byte has left; here
/// the hosts' lock is taken and a refresh token that is stored encrypted is opened. Its failure is
/// handled as `notSent` is: the intent is withdrawn. `share` stands between `saveResponse` and
/// `end`, so before the caller publishes: the response is durable on this host, and it is given to
/// the others before any program uses its token. Its failure is handled as that of an outcome is:
/// the response is stored, so the attempt goes on and reports a storage problem.
package struct AttemptMachine: Sendable {
    /// The next action of the caller. Each step is answered by one ``Event``.
    package enum Step: Sendable, Equatable {
        /// Open the storage of the credential and read what it holds.
        case recover
        /// Read the refresh token that the configuration names.
        ///
        /// - Parameter mayMiss: The token may be missing: there is another one, or none is needed.
        case readInitialToken(mayMiss: Bool)
        /// Determine whether the state is the one that the daemon wrote last.
        case checkOrigin(CredentialRecord)
        /// Find the origin and client that the configuration sends refresh tokens to.
        case findPlace
        /// Read the access tokens that the outputs hold.
        case readPublishedTokens
        /// Reserve a refresh token for this credential; another credential may hold it.
        case claim(Secret)
        /// Prepare the request of the record with the present secrets.
        ///
        /// - Parameter place: The place that the plan assumed; `nil` when it does not matter.
        case prepare(SlotRecord, place: GrantBinding?)
        /// Make the record of the prepared request durable, beside the newest one.
        case beginIntent(SlotRecord)
        /// Make a record without a pending request durable.
        case settle(SlotRecord, as: RecordWrite)
        /// Send the prepared request, once.
        case send
        /// Make a response durable beside the intent of its request. Retried until it succeeds: a
        /// second request would lose the tokens of this response.
        case saveResponse(RawResponse, to: SlotRecord, roundTrip: Duration)
        /// Read the response that was saved.
        case read(RawResponse, to: SlotRecord, roundTrip: Duration)
        /// Accept the state: an operator provided or proved tokens.
        case accept
        /// Write that results of earlier requests are not to be used again. Whether that works
        /// changes nothing.
        case forgetSteps
        /// The attempt has ended; close the storage.
        case end(AttemptReport)
    }

    /// The purpose of a settled record, which decides what it replaces.
    package enum RecordWrite: Sendable, Equatable, CaseIterable {
        /// Beside the newest one: a candidate is about to be sent for the first time. A version of
        /// the program that does not know candidates then reads neither record.
        case notice
        /// Beside the newest one: tokens that an operator brought, or a refused candidate.
        case adoption
        /// Replaces the intent: the request did not leave this host.
        case withdrawal
        /// Beside the intent and its response: the result. It is written as a whole or not at all,
        /// because the response contains the same.
        case outcome
    }

    /// The result of a step.
    package enum Event: Sendable, Equatable {
        /// What is stored, and the grant that results from it.
        case recovered(AttemptEvidence, grant: CredentialRecord?)
        /// The token to adopt, if any, and one that must not be adopted.
        case initialToken(InitialToken?, withheld: WithheldToken?)
        /// Why no request may be sent; `nil` for a state of this daemon.
        case origin(Cause?)
        case place(GrantBinding?)
        case publishedTokens([Secret])
        /// Why the token must not be used; `nil` if it may.
        case claimed(objection: Cause?)
        /// The request is ready, with this target.
        case prepared(PreparedPlace)
        case written
        /// No part of the request left this host.
        case notSent(Cause)
        /// The request was sent, and no response could be read.
        case unanswered(Cause)
        case answered(RawResponse, roundTrip: Duration)
        case responseSaved
        /// The result of the saved response.
        case read(CredentialRecord, AttemptReport.End)
        case accepted
        case stepsForgotten
        /// The step failed without sending anything.
        case failed(Refusal)
    }

    /// The target of a prepared request.
    package struct PreparedPlace: Sendable, Equatable {
        package var place: GrantBinding?
        package var host: String
        /// Scheme, host and port.
        package var origin: String

        package init(place: GrantBinding?, host: String, origin: String) {
            (self.place, self.host, self.origin) = (place, host, origin)
        }
    }

    /// The event that the machine waits for.
    enum Phase: Sendable, Equatable {
        case idle
        case recovering
        case readingInitialToken
        case checkingOrigin
        case findingPlace
        case readingPublishedTokens
        case claimingAdopted, claimingCandidate, claimingSent
        case refusingCandidate(Cause)
        case announcing
        case adopting
        case preparing
        case beginning
        case sending
        case withdrawing(AttemptReport.End)
        case saving(RawResponse, roundTrip: Duration)
        case reading
        case settling(AttemptReport.End)
        case accepting(AttemptReport.End)
        case forgettingSteps(Refusal)
        case ended
    }

    let order: AttemptOrder
    let profile: ProviderProfile
    let attemptID: String
    var phase = Phase.idle
    /// As stored at present.
    var grant: CredentialRecord?
    var isOfCandidate = false
    var storageCause: Cause?
    var evidence = AttemptEvidence()
    var initialToken: InitialToken?
    var withheld: WithheldToken?
    /// Why the state is not trusted.
    var distrust: Cause?
    /// The place that the plan assumed for refresh tokens.
    var place: GrantBinding?
    /// The record that is written next, or was written last.
    var record: SlotRecord?

    /// - Parameters:
    ///   - order: Why the attempt is made.
    ///   - profile: The description of the provider.
    ///   - attemptID: Random, unique.
    package init(order: AttemptOrder, profile: ProviderProfile, attemptID: String) {
        (self.order, self.profile, self.attemptID) = (order, profile, attemptID)
    }

    /// The first step.
    package mutating func start() -> Step { next(.recovering, .recover) }

    /// The step after an event. An event that does not belong to the step before ends the attempt;
    /// the next attempt then reads the storage.
    ///
    /// - Parameters:
    ///   - event: How the step before ended.
    ///   - now: Called at most once, and only if the time matters.
    package mutating func handle(_ event: Event, now: () -> Moment) -> Step {
        if case .failed(let refusal) = event { return fail(refusal, now: now) }
        switch phase {
        case .recovering, .readingInitialToken, .checkingOrigin, .findingPlace:
            return gather(event, now: now)
        case .readingPublishedTokens, .claimingAdopted, .claimingCandidate, .refusingCandidate,
            .announcing, .adopting:
            return begin(event, now: now)
        case .preparing, .claimingSent, .beginning, .sending, .withdrawing:
            return exchange(event, now: now)
        case .saving, .reading, .settling, .accepting: return conclude(event, now: now)
        case .forgettingSteps(let refusal):
            guard event == .stepsForgotten else { return unexpected() }
            return stop(for: refusal, now: now)
        case .idle, .ended: return unexpected()
        }
    }

    mutating func next(_ phase: Phase, _ step: Step) -> Step {
        self.phase = phase
        return step
    }

    mutating func end(_ end: AttemptReport.End) -> Step {
        phase = .ended
        var report = AttemptReport(grant: grant, end: end, attemptID: attemptID)
        (report.isOfCandidate, report.storageCause) = (isOfCandidate, storageCause)
        return .end(report)
    }
}
