/// One token endpoint's accent, as data (profiles.md section 2), ready to use.
public struct ProviderProfile: Sendable, Equatable {
    /// The key under `providers`, or the built-in file's name.
    public var name: String
    /// The provider's own page.
    public var docs: String?
    /// What a credential sets under `variables`, by name.
    public var variables: [String: ProfileVariable] = [:]
    /// How a person signs in the first time.
    public var authorization: AuthorizationSpecification?
    /// How a token is renewed: RFC 6749 section 6, or 4.4 when the base is `client_credentials`.
    /// One exchange, or the profile's steps in order; never empty.
    public var refresh: [TokenExchange]
    /// How to start over without a person when there is no live refresh token.
    public var acquire: [TokenExchange]?
    /// How an authorization code becomes the first tokens (RFC 6749 section 4.1.3).
    public var authorizationCode: [TokenExchange]
    /// How an approved device code becomes the first tokens (RFC 8628 section 3.4).
    public var deviceCode: [TokenExchange]
    /// Whether the profile knows how a sign-in ends: over the base `none` only what
    /// `authorization.request` says of it.
    public var exchangesCode = true
    /// The profile's own rules; ``ErrorRule/builtIn`` follow them.
    public var errors: [ErrorRule] = []
    /// How the provider's tokens live.
    public var lifecycle = LifecycleRules()
    /// Whether ``refresh`` spends something that a person's sign-in began: a refresh token, or the
    /// access token itself. False for client credentials.
    public var usesRefreshToken: Bool
    /// Names of the values that may have several lines.
    var multilineNames: Set<String> = []
}

/// One variable that credentials set, as the profile declares it.
public struct ProfileVariable: Sendable, Equatable {
    /// A credential without it is a mistake of the configuration.
    public var isRequired = false
    /// Its value is never shown.
    public var isSecret = false
    /// The value of a credential that does not set it.
    public var defaultValue: JSONNode?
    /// A regular expression the whole value must match.
    public var pattern: String?
    /// Whether it may have several lines.
    public var isMultiline = false
    /// Re-read from the file it names at every use.
    public var isFromFile = false
    /// What it is and where to find it, for people.
    public var description: String?
    /// A value of the right shape.
    public var example: JSONNode?

    /// An optional variable of one line that is not secret.
    public init() {}
}

/// Where a person signs in, and what the authorization request must say to yield a refresh token
/// (RFC 6749 section 4.1.1, RFC 8628 section 3.1).
public struct AuthorizationSpecification: Sendable, Equatable {
    /// The authorization endpoint (RFC 6749 section 3.1).
    public var url: Template?
    /// The device authorization endpoint.
    public var deviceURL: Template?
    /// Whose metadata (RFC 8414) tell the endpoints that are not named here, and who has to answer
    /// (RFC 9207).
    public var issuer: Template?
    /// The scope without which there is no refresh token.
    public var scope: String?
    /// What stands between two scopes.
    public var scopeSeparator = " "
    /// Further parameters of the authorization request.
    public var parameters: [NamedTemplate] = []
    /// The provider's names for the standard parameters, by these.
    public var parameterNames: [String: String] = [:]
    /// Whether RFC 7636 is accepted.
    public var acceptsPKCE = true
}

/// One request and how to read its answer.
public struct TokenExchange: Sendable, Equatable {
    /// The step's name; empty for the only exchange of a profile without steps.
    public var id = ""
    /// What to send.
    public var request: RequestSpecification
    /// How to read the answer.
    public var response: ResponseSpecification
    /// Its result is used again until it expires.
    public var isCached = false
    /// Whether it spends a refresh token, an access token that is its own refresh credential, or
    /// a code of a sign-in: a lost answer then leaves in doubt whether that still works.
    public var spendsGrant = false
    /// What later steps read of this one's answer, beside its tokens and `keep`.
    public var laterPointers: [JSONPointer] = []
}

/// Which exchange an attempt makes; stored with it, for the answer must be read the same way.
public enum ExchangeKind: String, Sendable, Equatable, CaseIterable {
    case refresh
    case acquire
    case authorizationCode = "authorization_code"
    case deviceCode = "device_code"

    /// What it spends a person has just obtained: a failure says nothing of the tokens there are.
    public var isSignIn: Bool { self == .authorizationCode || self == .deviceCode }
}

extension ProviderProfile {
    /// The exchanges of a kind in order; never empty.
    public func exchanges(_ kind: ExchangeKind) -> [TokenExchange] {
        switch kind {
        case .refresh: refresh
        case .acquire: acquire ?? refresh
        case .authorizationCode: authorizationCode
        case .deviceCode: deviceCode
        }
    }

    /// A step by its name. A profile that changed meanwhile may not have it any more: then its
    /// first exchange, which read the same kind of answer before.
    public func exchange(_ kind: ExchangeKind, step: String = "") -> TokenExchange {
        let exchanges = exchanges(kind)
        return exchanges.first { $0.id == step } ?? exchanges[0]
    }

    /// Every exchange the profile can make.
    var allExchanges: [TokenExchange] { refresh + (acquire ?? []) + authorizationCode + deviceCode }

    /// Those that renew a token without a person.
    var renewals: [TokenExchange] { refresh + (acquire ?? []) }

    /// Every variable that a renewal names.
    var renewalVariables: Set<String> {
        renewals.reduce(into: []) { $0.formUnion($1.request.variables) }
    }
}
