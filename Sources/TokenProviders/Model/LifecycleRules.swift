internal import TokenFormats

/// What drives the schedule, not the reading of answers (ProfileRules 9).
package struct LifecycleRules: Sendable, Equatable {
    /// Whether a refresh replaces the refresh token (RFC 6749 section 6).
    package enum RefreshTokenKind: String, Sendable, CaseIterable {
        case auto, rotating
        case fixed = "static"
        case none
        case accessToken = "access_token"
    }
    /// What a refresh does to the refresh token's own end.
    package enum RefreshTokenExpiry: String, Sendable, CaseIterable {
        case fixed, sliding, inherited
    }
    /// The unit by which the provider counts requests.
    package enum RateLimitKey: String, Sendable, CaseIterable {
        case client
        case refreshToken = "refresh_token"
        case account
    }
    /// Whether a refresh replaces the refresh token; `auto` watches the answers.
    package var refreshToken = RefreshTokenKind.auto
    /// How long the old refresh token remains usable after a rotation.
    package var reuseGrace: Duration?
    /// A refused refresh also invalidates the refresh token.
    package var burnedOnFailure = false
    /// A refresh invalidates the previous access token at once.
    package var revokesPreviousAccessToken = false
    /// The previous access token works this long after a refresh.
    package var overlap: Duration?
    /// The provider issues a new token only this long before expiry.
    package var refreshWindow: Duration?
    /// The provider may return the same access token again; that is a success.
    package var sameTokenIsFine = false
    /// Minimum time between two refreshes.
    package var minInterval: Duration?
    /// Maximum time between two refreshes, for any lifetime.
    package var maxInterval: Duration?
    /// A token must be this old before it can be refreshed.
    package var minAge: Duration?
    /// At most this many requests per period.
    package var rateLimit: RateLimit?
    /// What ``rateLimit`` counts by.
    package var rateLimitKey = RateLimitKey.refreshToken
    /// The documented lifetime of a refresh token; a response with another one wins.
    package var refreshTokenLifetime: Duration?
    /// The provider documents that the refresh token does not expire.
    package var isRefreshTokenEndless = false
    /// The documented lifetime of an access token, for display.
    package var accessTokenLifetime: Duration?
    /// The effect of a refresh on that expiry; `nil` if the provider does not document it.
    package var refreshTokenExpiry: RefreshTokenExpiry?
    /// An expired token can never be refreshed.
    package var mustRefreshBeforeExpiry = false
    /// A request that tests the connection to the provider without spending anything.
    package var probe: LiveProbe?

    /// A provider that documents nothing.
    package init() {}
}

/// A number of requests in a period.
package struct RateLimit: Sendable, Equatable {
    /// Maximum requests in any interval of ``period``.
    package var count: Int
    /// The length of the sliding window.
    package var period: Duration
}

extension LifecycleRules {
    /// Reads a profile's `lifecycle`.
    init(reading object: ObjectReader) {
        self.init()
        refreshToken =
            object.take("refresh_token")?
            .choice(RefreshTokenKind.allCases.map { ($0.rawValue, $0) }) ?? .auto
        reuseGrace = object.take("reuse_grace")?.duration()
        burnedOnFailure = object.take("burned_on_failure")?.bool() ?? false
        revokesPreviousAccessToken =
            object.take("revokes_previous_access_token")?.bool() ?? false
        overlap = object.take("overlap")?.duration()
        refreshWindow = object.take("refresh_window")?.duration()
        sameTokenIsFine = object.take("same_token_ok")?.bool() ?? false
        minInterval = object.take("min_interval")?.duration()
        maxInterval = object.take("max_interval")?.duration()
        minAge = object.take("min_age")?.duration()
        rateLimit = object.take("rate_limit")?.rateLimit()
        rateLimitKey =
            object.take("rate_limit_key")?
            .choice(RateLimitKey.allCases.map { ($0.rawValue, $0) })
            ?? .refreshToken
        if let field = object.take("refresh_token_lifetime") {
            isRefreshTokenEndless = field.node.text == "never"
            if !isRefreshTokenEndless { refreshTokenLifetime = field.duration() }
        }
        accessTokenLifetime = object.take("access_token_lifetime")?.duration()
        refreshTokenExpiry = object.take("refresh_token_expiry")?
            .choice(RefreshTokenExpiry.allCases.map { ($0.rawValue, $0) })
        mustRefreshBeforeExpiry =
            object.take("must_refresh_before_expiry")?.bool() ?? false
        probe = object.take("probe")?.choice(LiveProbe.allCases.map { ($0.rawValue, $0) })
        object.finish()
    }
}

/// How a provider can be tested without spending anything (`lifecycle.probe`).
package enum LiveProbe: String, Sendable, CaseIterable {
    /// The root page of its host, without credentials: it shows the provider's clock.
    case origin
    /// A refresh with a refresh token that does not exist: the provider checks the client before
    /// the token, and counts no failure.
    case madeUpRefreshToken = "made_up_refresh_token"
}
