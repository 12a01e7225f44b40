/// One token endpoint's accent, as data (profiles.md section 2), ready to use.
public struct ProviderProfile: Sendable, Equatable {
    public var name: String
    /// The provider's own page.
    public var docs: String?
    public var variables: [String: ProfileVariable] = [:]
    /// How a token is renewed: RFC 6749 section 6, or 4.4 when the base is `client_credentials`.
    public var refresh: TokenExchange
    /// How to start over without a person when there is no live refresh token.
    public var acquire: TokenExchange?
    /// How an authorization code becomes the first tokens (RFC 6749 section 4.1.3).
    public var authorizationCode: TokenExchange
    /// The profile's own rules; ``ErrorRule/builtIn`` follow them.
    public var errors: [ErrorRule] = []
    public var lifecycle = LifecycleRules()
    /// Whether ``refresh`` spends a refresh token. False for client credentials.
    public var usesRefreshToken: Bool
}

public struct ProfileVariable: Sendable, Equatable {
    public var isRequired = false
    public var isSecret = false
    public var defaultValue: JSONNode?
    /// A regular expression the whole value must match.
    public var pattern: String?
    /// Re-read from the file it names at every use.
    public var isFromFile = false

    public init() {}
}

/// One request and how to read its answer.
public struct TokenExchange: Sendable, Equatable {
    public var request: RequestSpecification
    public var response: ResponseSpecification
}

/// Which exchange an attempt makes; stored with it, for the answer must be read the same way.
public enum ExchangeKind: String, Sendable, Equatable, CaseIterable {
    case refresh
    case acquire
    case authorizationCode = "authorization_code"
}

extension ProviderProfile {
    public func exchange(_ kind: ExchangeKind) -> TokenExchange {
        switch kind {
        case .refresh: refresh
        case .acquire: acquire ?? refresh
        case .authorizationCode: authorizationCode
        }
    }
}

/// RFC 7591 / IANA token endpoint authentication methods, plus Basic without the form-encoding
/// that RFC 6749 section 2.3.1 asks for and many servers do not undo.
public enum ClientAuthentication: String, Sendable, CaseIterable {
    case none
    case post = "client_secret_post"
    case basic = "client_secret_basic"
    case basicRaw = "client_secret_basic_raw"
}

public struct RequestSpecification: Sendable, Equatable {
    public enum Encoding: String, Sendable, CaseIterable { case form, json, query, none }

    public var method = "POST"
    public var url: Template
    public var clientAuthentication = ClientAuthentication.post
    public var encoding = Encoding.form
    /// Wire names by RFC name.
    public var parameterNames: [String: String] = [:]
    public var parameters: [NamedTemplate] = []
    public var query: [NamedTemplate] = []
    public var headers: [NamedTemplate] = []
    public var caFile: String?
}

/// A parameter, query field or header.
public struct NamedTemplate: Sendable, Equatable {
    public var name: String
    public var value: TemplatedValue
}

/// A JSON value with templates for strings.
public indirect enum TemplatedValue: Sendable, Equatable {
    case literal(JSONNode)
    case template(Template)
    case array([TemplatedValue])
    case object([TemplatedMember])

    /// `nil` when a template's variable is unset; inside arrays and objects the part is left out.
    public func value(in context: TemplateContext) -> JSONNode? {
        switch self {
        case .literal(let node): node
        case .template(let template): template.value(in: context)
        case .array(let parts): .array(parts.compactMap { $0.value(in: context) })
        case .object(let members):
            .object(members.map { ($0.key, $0.value.value(in: context)) })
        }
    }

    var variables: Set<String> {
        switch self {
        case .literal: []
        case .template(let template): template.variables
        case .array(let parts): parts.reduce(into: []) { $0.formUnion($1.variables) }
        case .object(let members): members.reduce(into: []) { $0.formUnion($1.value.variables) }
        }
    }
}

public struct TemplatedMember: Sendable, Equatable {
    public var key: String
    public var value: TemplatedValue
}

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
    public var refreshTokenExpiry: RefreshTokenExpiry?
    public var mustRefreshBeforeExpiry = false

    public init() {}
}

public struct RateLimit: Sendable, Equatable {
    public var count: Int
    public var period: Duration
}
