/// What drives scheduling, not parsing (rule 9).
public struct LifecycleRules: Sendable, Equatable {
    public enum RefreshTokenKind: String, Sendable, CaseIterable {
        case auto, rotating
        case fixed = "static"
        case none
        case accessToken = "access_token"
    }
    public enum RefreshTokenExpiry: String, Sendable, CaseIterable {
        case fixed, sliding, inherited
    }
    public enum RateLimitKey: String, Sendable, CaseIterable {
        case client
        case refreshToken = "refresh_token"
        case account
    }
    public var refreshToken = RefreshTokenKind.auto
    /// How long the old refresh token still works after a rotation.
    public var reuseGrace: Duration?
    public var burnedOnFailure = false
    public var revokesPreviousAccessToken = false
    public var overlap: Duration?
    /// The provider issues a new token only this long before expiry.
    public var refreshWindow: Duration?
    public var sameTokenIsFine = false
    public var minInterval: Duration?
    public var maxInterval: Duration?
    public var minAge: Duration?
    /// So many requests in so long a time.
    public var rateLimit: RateLimit?
    public var rateLimitKey = RateLimitKey.refreshToken
    public var refreshTokenLifetime: Duration?
    /// It is documented not to expire.
    public var isRefreshTokenEndless = false
    /// The documented life of an access token, for people to read.
    public var accessTokenLifetime: Duration?
    public var refreshTokenExpiry: RefreshTokenExpiry?
    public var mustRefreshBeforeExpiry = false
    /// How the provider may be asked from here without anything being spent.
    public var probe: LiveProbe?

    public init() {}
}

public struct RateLimit: Sendable, Equatable {
    public var count: Int
    public var period: Duration
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
