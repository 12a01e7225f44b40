/// The rotation protocol of one attempt, as a value: it names the next step and is told how that
/// ended. It reads no clock, opens no file and asks no server, so every order of events, and a stop
/// between any two steps, can be tried in a test.
///
/// The order that it keeps: whatever needs no network comes before the intent; the intent is durable
/// before the request; the response is durable before it is read; what was read is durable before
/// the next request of the same exchange.
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
public struct AttemptMachine: Sendable {
    /// What the caller does next. Each step is answered by one ``Event``.
    public enum Step: Sendable, Equatable {
        /// Open the storage of the credential and read it.
        case recover
        /// Read the refresh token that the configuration names.
        ///
        /// - Parameter mayMiss: There is a token without it, or none is needed.
        case readInitialToken(mayMiss: Bool)
        /// Tell whether the state is the one that the daemon wrote last.
        case checkOrigin
        /// Find the origin and client that the configuration sends refresh tokens to.
        case findPlace
        /// Read the access tokens that the outputs hold.
        case readPublishedTokens
        /// Take a refresh token for this credential; another one may hold it.
        case claim(Secret)
        /// Make the request of the record, of secrets as they are now.
        ///
        /// - Parameter place: Where the plan has it go; `nil` where that does not matter.
        case prepare(SlotRecord, place: GrantPlace?)
        /// Make a record durable.
        case write(SlotRecord, as: RecordWrite)
        /// Send the prepared request, once.
        case send
        /// Make a response durable beside the intent of its request. It is tried until it works:
        /// a second request would lose what this one brought.
        case saveResponse(RawAnswer, to: SlotRecord, roundTrip: Duration)
        /// Read the response that was saved.
        case read(RawAnswer, to: SlotRecord, roundTrip: Duration)
        /// The state is the right one from now on: an operator brought or proved tokens.
        case accept
        /// Write that results of earlier requests are not to be used again. Whether that works
        /// changes nothing.
        case forgetSteps
        /// Nothing more; the storage is closed.
        case end(AttemptReport)
    }

    /// What a record is written for, and so in whose place.
    public enum RecordWrite: Sendable, Equatable, CaseIterable {
        /// Beside the newest one: a request follows.
        case intent
        /// Beside the newest one: a candidate is about to be sent for the first time. A version of
        /// the program that does not know candidates then reads neither record.
        case notice
        /// Beside the newest one: tokens that an operator brought, or a refused candidate.
        case adoption
        /// In the place of the intent: the request did not leave this host.
        case withdrawal
        /// Beside the intent and its response: what was read. It is written whole or not at all,
        /// for the response holds the same.
        case outcome
    }

    /// How a step ended.
    public enum Event: Sendable, Equatable {
        case recovered(AttemptEvidence)
        /// The token to adopt, if any, and one that must not be adopted.
        case initialToken(InitialToken?, withheld: WithheldToken?)
        /// Why nothing may be sent; `nil` for a state of this daemon.
        case origin(Cause?)
        case place(GrantPlace?)
        case publishedTokens([Secret])
        /// Why the token may not be used; `nil` where it may.
        case claimed(objection: Cause?)
        /// The request is ready, and goes there.
        case prepared(PreparedPlace)
        case written
        /// Nothing of the request left this host.
        case notSent(Cause)
        /// It was sent, and no response can be read.
        case unanswered(Cause)
        case answered(RawAnswer, roundTrip: Duration)
        case responseSaved
        /// What the saved response comes to.
        case read(StoredGrant, AttemptReport.End)
        case accepted
        case stepsForgotten
        /// The step cannot be done, and nothing was sent by it.
        case failed(Refusal)
    }

    /// Where a prepared request goes.
    public struct PreparedPlace: Sendable, Equatable {
        public var place: GrantPlace?
        public var host: String
        /// Scheme, host and port.
        public var origin: String

        public init(place: GrantPlace?, host: String, origin: String) {
            (self.place, self.host, self.origin) = (place, host, origin)
        }
    }

    /// What is waited for.
    enum Phase: Sendable, Equatable {
        case idle
        case recovering
        case readingInitialToken
        case checkingOrigin
        case findingPlace
        case readingPublishedTokens(isSent: Bool)
        case claimingAdopted, claimingCandidate, claimingSent
        case refusingCandidate(Cause)
        case announcing
        case adopting
        case preparing
        case beginning
        case sending
        case withdrawing(AttemptReport.End)
        case saving(RawAnswer, roundTrip: Duration)
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
    /// As the storage has it now.
    var grant: StoredGrant?
    var isOfCandidate = false
    var storageCause: Cause?
    var evidence = AttemptEvidence(latest: nil, grant: nil, isUnreadable: false)
    var initialToken: InitialToken?
    var withheld: WithheldToken?
    /// Why the state cannot be trusted.
    var distrust: Cause?
    /// Where the plan has refresh tokens go.
    var place: GrantPlace?
    /// That is written next, or was written last.
    var record: SlotRecord?

    /// - Parameter attemptID: Random, unique.
    public init(order: AttemptOrder, profile: ProviderProfile, attemptID: String) {
        (self.order, self.profile, self.attemptID) = (order, profile, attemptID)
    }

    /// The first step.
    public mutating func start() -> Step { next(.recovering, .recover) }

    /// The step after an event. An event that does not belong to the step before it ends the
    /// attempt: what the storage holds is then read by the next one.
    ///
    /// - Parameter now: Asked at most once, and only where the time decides.
    public mutating func handle(_ event: Event, now: () -> Moment) -> Step {
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
