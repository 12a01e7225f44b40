/// Everything about one credential that must outlive the process. Each slot record holds a whole
/// copy, so that either slot alone is enough.
public struct StoredGrant: Sendable, Equatable {
    /// The refresh token to send next. Never erased because of an answer (I8).
    public var refreshToken: Secret?
    /// The server refused it for good; it is kept, and not sent while there is another way.
    public var isRefreshTokenRefused = false
    /// What the configuration names, beside it.
    public var candidate: CandidateToken?
    /// The one before it, until this one has been refreshed once: it was replaced, and not spent.
    public var displaced: Secret?
    /// How many successes there are when it has done its work.
    public var displacedUntil: Int64 = 0
    /// It came after the one in use, and was refused.
    public var isDisplacedRefused = false
    /// Where the refresh token was given or put in place; `nil` in what versions before 0.2 wrote,
    /// until the next grant.
    public var boundTo: GrantPlace?
    /// The token of another place, while the configuration leads away from it.
    public var elsewhere: TokenElsewhere?
    /// When the refresh token came, and how long it lives, if that is known.
    public var refreshTokenSince: Moment?
    /// From ``refreshTokenSince`` to its end; `nil` where no answer and no profile says.
    public var refreshTokenLifetime: Duration?
    /// Whether refreshing left that end where it was, as far as answers showed; `nil` before two.
    public var isRefreshTokenEndFixed: Bool?
    /// An answer repeated or omitted the refresh token: it does not rotate.
    public var isKnownStatic = false

    /// The access token last granted.
    public var access: GrantedAccess?
    /// What is known of an access token that is too long for its record; ``access`` is `nil` then.
    public var unstoredAccess: UnstoredAccess?
    /// Refresh tokens that another one has replaced, newest last, ``fingerprint(ofRefresh:at:)``:
    /// none is ever sent again (I11).
    public var spent: [String] = []
    /// Of the access tokens before it, newest last, ``fingerprint(ofAccess:)``: files that could
    /// not be written may still hold one of them.
    public var formerAccess: [String] = []
    /// Counts grants; a published file never goes back to a smaller one (I15).
    public var generation: Int64 = 0

    /// What finished steps of an exchange under way gave, and cached ones of former exchanges.
    public var steps: [StepResult] = []

    /// SHA-256 of the seeds that were adopted, newest last. A seed is never adopted twice (§3).
    public var seedFingerprints: [String] = []
    /// Of those, the ones that another refresh token has replaced, also when ``spent`` has
    /// forgotten them.
    public var spentSeeds: [String] = []

    /// How the attempts went, since the last success and in all.
    public var attempts = AttemptHistory()
    /// The last attempts, newest last.
    public var recent: [PastAttempt] = []

    /// Of a credential that nothing is known of.
    public init() {}

    /// Whether an old copy of it would spend what has been spent: it holds a refresh token that
    /// may have rotated since (I10).
    public func isEndangeredByCopies(profile: ProviderProfile) -> Bool {
        guard profile.usesRefreshToken, refreshToken != nil else { return false }
        switch profile.lifecycle.refreshToken {
        case .rotating, .accessToken: return true
        case .auto: return !isKnownStatic
        case .fixed, .none: return false
        }
    }

    /// A candidate that no answer has decided.
    var hasOpenCandidate: Bool { candidate?.state == .untried }

    /// As many seeds are remembered, so that a slot's size is bounded.
    public static let maximumSeedFingerprints = 16
    static let maximumSpent = 24
    static let maximumFormer = 8
}

/// An access token with all that `token.json` says of it.
public struct GrantedAccess: Sendable, Equatable {
    /// The access token, as outputs hold it.
    public var token: Secret
    /// How it is presented, such as `Bearer` (RFC 6749 section 7.1).
    public var tokenType: String?
    /// As granted, if the answer said (RFC 6749 section 5.1).
    public var scope: String?
    /// When the request that granted it was sent; its life counts from here.
    public var sentAt: Moment
    /// `nil` when it never expires.
    public var lifetime: Duration?
    /// How long the request took: the margin before expiry is never less than this and a second.
    public var roundTrip: Duration
    /// Values of the answer that the profile names in `response.keep`.
    public var keep: [JSONMember] = []
    /// The server's clock when it answered (RFC 9110 section 6.6.1).
    public var serverDate: WallTime?

    public init(
        token: Secret, tokenType: String? = nil, scope: String? = nil, sentAt: Moment,
        lifetime: Duration?, roundTrip: Duration = .zero, keep: [JSONMember] = [],
        serverDate: WallTime? = nil
    ) {
        (self.token, self.tokenType, self.scope) = (token, tokenType, scope)
        (self.sentAt, self.lifetime, self.roundTrip) = (sentAt, lifetime, roundTrip)
        (self.keep, self.serverDate) = (keep, serverDate)
    }

    /// Farthest that an honest server's clock may be from ours.
    static let clockTolerance: Duration = .seconds(300)

    /// How old the token is: exact within one boot. Across boots by the wall clock, if that agrees
    /// with the server's of then; `nil` when nobody can tell.
    public func age(at now: Moment) -> Duration? {
        guard let elapsed = now.elapsed(since: sentAt) else { return nil }
        guard sentAt.bootID != now.bootID, let serverDate else { return elapsed }
        let byServer = serverDate.duration(to: now.wall)
        return byServer < .zero - Self.clockTolerance ? nil : max(elapsed, byServer)
    }

    /// The same with its time of issue as the wall clock of now has it, which may have been stepped
    /// since.
    public func told(by now: Moment) -> GrantedAccess {
        guard sentAt.bootID == now.bootID else { return self }
        let wall = now.wall(at: sentAt.uptime)
        let difference = sentAt.wall.duration(to: wall)
        guard difference < .zero - Moment.smallestStep || difference > Moment.smallestStep else {
            return self
        }
        var access = self
        access.sentAt.wall = wall
        return access
    }

    /// By the wall clock at the time of the request; what outputs say.
    public var expiresAt: WallTime? { lifetime.map { sentAt.wall.advanced(by: $0) } }
}

/// What happened when tokens were asked for: restarts must neither forget a failure nor hammer.
public struct AttemptHistory: Sendable, Equatable {
    /// Failed attempts since the last success.
    public var failures = 0
    /// Answers since the last success that said a person must sign in, and the first of them.
    public var reauthAnswers = 0
    /// When the first of those answers came.
    public var firstReauthAt: Moment?
    /// From the first of them until a person is asked for, if the others say so too.
    public var reauthSpan: Duration?
    /// Equal refusals of the request since the last success, and the first of them.
    public var equalRefusals = 0
    /// When the first of those refusals came.
    public var firstEqualRefusalAt: Moment?
    /// Attempts with this refresh token that were sent and not completely answered.
    public var ambiguousAttempts = 0
    /// When the last attempt began.
    public var lastAttemptAt: Moment?
    /// When the request was sent that granted the newest token.
    public var lastSuccessAt: Moment?
    /// Grants of all time.
    public var successes: Int64 = 0
    /// The failure that stands; `nil` after a success.
    public var lastError: StoredError?
    /// The last answer was the published token again, with nothing left of its life.
    public var isCountedDown = false
    /// Only a person can bring a token: nothing is sent by itself.
    public var isLoginRequired = false
    /// The same refusal came often enough: it is tried slowly now.
    public var isMisconfigured = false

    /// No attempt yet.
    public init() {}

    /// When a person is asked for, if the same goes on: to sign in, or to correct what is sent.
    var personDueAt: WallTime? {
        guard !isLoginRequired, !isMisconfigured, let lastError else { return nil }
        switch lastError.failureClass {
        case .reauth:
            guard let firstReauthAt, let reauthSpan else { return nil }
            return firstReauthAt.wall.advanced(by: reauthSpan)
        case .config where !lastError.awaitsSecret:
            return firstEqualRefusalAt?.wall.advanced(by: StoredGrant.spanUntilSlow)
        case .config, .reacquire, .tooEarly, .rateLimited, .transient, .ambiguous, .storage,
            .output:
            return nil
        }
    }
}

/// The last failure, as `status` shows it. No server's raw text, no secret.
public struct StoredError: Sendable, Equatable {
    /// What the failure means for the next attempt.
    public var failureClass: FailureClass
    /// The answer's status code; `nil` where none came.
    public var httpStatus: Int?
    /// What happened, as a kind with its facts: decisions look at this.
    public var cause: Cause
    /// The cause in words, as they were when it came; for people, and for a former version.
    public var problem: String
    /// When it was noticed last.
    public var at: WallTime
    /// How long the provider asked to wait; at most an hour.
    public var retryAfter: Duration?
    /// A secret could not be read: nothing was asked, and it may be there any moment.
    public var awaitsSecret = false
    /// When the same trouble came first, without another one or a success between.
    public var since: WallTime
    /// How often it has come since.
    public var tries = 1

    public init(
        _ failureClass: FailureClass, _ cause: Cause, httpStatus: Int? = nil, at: WallTime,
        retryAfter: Duration? = nil
    ) {
        (self.failureClass, self.cause, self.httpStatus) = (failureClass, cause, httpStatus)
        (problem, self.at, since, self.retryAfter) = (cause.problem, at, at, retryAfter)
        awaitsSecret = cause.kind.awaitsSecret
    }

    init(_ refusal: Refusal, as failureClass: FailureClass, at: WallTime) {
        self.init(
            failureClass, refusal.cause, httpStatus: refusal.httpStatus, at: at,
            retryAfter: refusal.retryAfter)
    }

    /// The provider said yes, and what it gave is of no use.
    var isOfSuccessStatus: Bool { httpStatus.map { 200...299 ~= $0 } ?? false }

    /// The same after another failure, which may be the same trouble again.
    func following(_ former: StoredError?) -> StoredError {
        guard let former, former.cause.isSameTrouble(as: cause) else { return self }
        var error = self
        (error.since, error.tries) = (former.since, former.tries + 1)
        return error
    }
}
