package import TokenFormats
package import TokenProviders

/// Everything about one credential that must survive the process. Each slot record contains a whole
/// copy, so that either slot alone is sufficient.
package struct CredentialRecord: Sendable, Equatable {
    /// The refresh token to send next. No answer erases it (I8).
    package var refreshToken: Secret?
    /// The server refused it permanently; it is kept, and not sent while there is another way.
    package var isRefreshTokenRefused = false
    /// The refresh token of the configuration, while it differs from the stored one.
    package var candidate: CandidateToken?
    /// The previous refresh token, until the present one has been refreshed once: replaced, not
    /// spent.
    package var previousRefreshToken: Secret?
    /// Number of successes at which `previousRefreshToken` is dropped.
    package var previousRefreshTokenUntil: Int64 = 0
    /// `previousRefreshToken` is the newer token of the two, and was refused.
    package var isPreviousRefreshTokenRefused = false
    /// The server and client of the refresh token; `nil` in records of versions before 0.2 until
    /// the next grant.
    package var boundTo: GrantBinding?
    /// The token of another place, while the configuration names a different place.
    package var setAsideToken: SetAsideToken?
    /// When the refresh token was received, and its lifetime, if known.
    package var refreshTokenSince: Moment?
    /// From `refreshTokenSince` to its end; `nil` where no answer and no profile says.
    package var refreshTokenLifetime: Duration?
    /// Whether refreshes left its expiry unchanged, as far as responses showed; `nil` before two.
    package var isRefreshTokenEndFixed: Bool?
    /// A response repeated or omitted the refresh token: it does not rotate.
    package var isKnownStatic = false

    /// The access token granted last.
    package var access: GrantedAccess?
    /// What is known of an access token that is too long for its record; `access` is then `nil`.
    package var unstoredAccess: UnstoredAccess?
    /// Fingerprints of refresh tokens that another one has replaced, newest last,
    /// `fingerprint(ofRefresh:at:)`: none of them is sent again (I11).
    package var spent: [String] = []
    /// Previous access tokens, newest last, as `fingerprint(ofAccess:)`: files that could not be
    /// written may still contain one of them.
    package var formerAccess: [String] = []
    /// Counts grants; a published file never goes back to an older one (I15).
    package var generation: Int64 = 0

    /// Results of finished steps of the present exchange, and cached ones of earlier exchanges.
    package var steps: [StepResult] = []

    /// SHA-256 of the initial refresh tokens that were adopted, newest last. None of them is
    /// adopted twice (K4).
    package var initialTokenFingerprints: [String] = []
    /// The adopted initial tokens that were replaced by another refresh token, also after ``spent``
    /// has dropped them.
    package var spentInitialTokens: [String] = []

    /// The history of the attempts, since the last success and in total.
    package var attempts = AttemptHistory()
    /// The last attempts, newest last.
    package var recent: [PastAttempt] = []

    /// For a credential without any state.
    package init() {}

    /// Whether an old copy of this grant is dangerous: it holds a refresh token that may have
    /// rotated since, and sending it again would spend it twice (I10).
    package func isEndangeredByCopies(profile: ProviderProfile) -> Bool {
        guard profile.usesRefreshToken, refreshToken != nil else { return false }
        switch profile.lifecycle.refreshToken {
        case .rotating, .accessToken: return true
        case .auto: return !isKnownStatic
        case .fixed, .none: return false
        }
    }

    /// A candidate that no response has decided yet.
    var hasOpenCandidate: Bool { candidate?.state == .untried }

    /// Maximum number of remembered initial tokens, so that the size of a slot is bounded.
    package static let maximumInitialTokenFingerprints = 16
    static let maximumSpent = 24
    static let maximumFormer = 8
}

/// The history of requests: a restart must neither forget a failure nor repeat requests too fast.
package struct AttemptHistory: Sendable, Equatable {
    /// Time until a refused refresh token is tried again by itself.
    package static let slowRetryWait: Duration = .seconds(1800)

    /// Failed attempts since the last success.
    package var failures = 0
    /// Responses since the last success that require a sign-in, and the time of the first.
    package var reauthResponses = 0
    /// When the first of those answers came.
    package var firstReauthAt: Moment?
    /// Time from the first of them until a sign-in is requested, if later responses agree.
    package var reauthSpan: Duration?
    /// Equal refusals of the request since the last success, and the time of the first.
    package var equalRefusals = 0
    /// When the first of those refusals came.
    package var firstEqualRefusalAt: Moment?
    /// Requests with this refresh token without a complete response.
    package var ambiguousAttempts = 0
    /// When the last attempt began.
    package var lastAttemptAt: Moment?
    /// When the request was sent that granted the newest token.
    package var lastSuccessAt: Moment?
    /// Number of grants in total.
    package var successes: Int64 = 0
    /// The unresolved failure; `nil` after a success.
    package var lastError: StoredError?
    /// The last response was the published token again, with no lifetime left.
    package var isCountedDown = false
    /// Whether only a sign-in or an import can bring a token: no request is sent automatically.
    package var isLoginRequired = false
    /// The same refusal occurred often enough: the daemon now retries slowly.
    package var isMisconfigured = false

    /// No attempt yet.
    package init() {}

    /// When the operator is notified if the failure continues: to sign in, or to correct the
    /// settings.
    package var personDueAt: WallTime? {
        guard !isLoginRequired, !isMisconfigured, let lastError else { return nil }
        switch lastError.failureClass {
        case .reauth:
            guard let firstReauthAt, let reauthSpan else { return nil }
            return firstReauthAt.wall.advanced(by: reauthSpan)
        case .config where !lastError.awaitsSecret:
            return firstEqualRefusalAt?.wall.advanced(by: CredentialRecord.spanUntilSlow)
        default: return nil
        }
    }
}

/// The last failure, as `status` shows it. No server's raw text, no secret.
package struct StoredError: Sendable, Equatable {
    /// The meaning for the next attempt.
    package var failureClass: FailureClass
    /// The answer's status code; `nil` where none came.
    package var httpStatus: Int?
    /// The kind of failure with its facts: decisions use this.
    package var cause: Cause
    /// The cause in words, as stored; for display, and for earlier versions.
    package var problem: String
    /// When it occurred last.
    package var at: WallTime
    /// How long the provider asked to wait; at most an hour.
    package var retryAfter: Duration?
    /// A secret could not be read: nothing was sent, and it may become readable at any moment.
    package var awaitsSecret = false
    /// When this failure began, without a success or another failure since.
    package var since: WallTime
    /// How often it has occurred since.
    package var tries = 1

    package init(
        _ failureClass: FailureClass, _ cause: Cause, httpStatus: Int? = nil, at: WallTime,
        retryAfter: Duration? = nil
    ) {
        (self.failureClass, self.cause, self.httpStatus) = (failureClass, cause, httpStatus)
        (problem, self.at, since, self.retryAfter) = (cause.problem, at, at, retryAfter)
        awaitsSecret = cause.kind.awaitsSecret
    }

    package init(_ refusal: Refusal, as failureClass: FailureClass, at: WallTime) {
        self.init(
            failureClass, refusal.cause, httpStatus: refusal.httpStatus, at: at,
            retryAfter: refusal.retryAfter)
    }

    /// The response had a success status but no usable token.
    package var isOfSuccessStatus: Bool { httpStatus.map { 200...299 ~= $0 } ?? false }

    /// Continues the count of the former failure if it is the same.
    package func following(_ former: StoredError?) -> StoredError {
        guard let former, former.cause.isSameTrouble(as: cause) else { return self }
        var error = self
        (error.since, error.tries) = (former.since, former.tries + 1)
        return error
    }
}
