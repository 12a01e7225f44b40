package import TokenFormats

/// How one token endpoint differs from RFC 6749, as data that is ready to use.
///
/// One pointer to contents that do not change: all credentials of a provider share them.
package struct ProviderProfile: Sendable, Equatable {
    struct Contents: Sendable, Equatable {
        var name: String
        var docs: String?
        var variables: [String: ProfileVariable] = [:]
        var authorization: AuthorizationSpecification?
        var refresh: [TokenExchange]
        var acquire: [TokenExchange]?
        var authorizationCode: [TokenExchange]
        var deviceCode: [TokenExchange]
        var exchangesCode: Bool = true
        var errors: [ErrorRule] = []
        var lifecycle: LifecycleRules = LifecycleRules()
        var usesRefreshToken: Bool
        var multilineNames: Set<String> = []
    }
    private final class Box: Sendable {
        let contents: Contents
        init(_ contents: Contents) { self.contents = contents }
    }
    private var box: Box

    init(_ contents: Contents) { box = Box(contents) }

    /// Which contents: credentials that share them have the same.
    var identity: ObjectIdentifier { ObjectIdentifier(box) }

    package static func == (left: Self, right: Self) -> Bool {
        left.box === right.box || left.box.contents == right.box.contents
    }

    private mutating func replace<Value>(
        _ path: WritableKeyPath<Contents, Value>, by value: Value
    ) {
        var contents = box.contents
        contents[keyPath: path] = value
        box = Box(contents)
    }

    /// The key under `providers`, or the built-in file's name.
    package var name: String {
        get { box.contents.name }
        set { replace(\.name, by: newValue) }
    }
    /// The provider's documentation page.
    package var docs: String? {
        get { box.contents.docs }
        set { replace(\.docs, by: newValue) }
    }
    /// What a credential sets under `variables`, by name.
    package var variables: [String: ProfileVariable] { box.contents.variables }
    /// How a user signs in the first time.
    package var authorization: AuthorizationSpecification? { box.contents.authorization }
    /// How a token is renewed: RFC 6749 section 6, or 4.4 when the base is `client_credentials`.
    /// One exchange, or the profile's steps in order; never empty.
    package var refresh: [TokenExchange] { box.contents.refresh }
    /// How to obtain a new grant without a user when there is no usable refresh token.
    package var acquire: [TokenExchange]? { box.contents.acquire }
    /// How an authorization code becomes the first tokens (RFC 6749 section 4.1.3).
    package var authorizationCode: [TokenExchange] { box.contents.authorizationCode }
    /// How an approved device code becomes the first tokens (RFC 8628 section 3.4).
    package var deviceCode: [TokenExchange] { box.contents.deviceCode }
    /// Whether the profile says how a sign-in ends; over the base `none` only
    /// `authorization.request` says so.
    package var exchangesCode: Bool { box.contents.exchangesCode }
    /// The profile's own rules; the built-in ones follow them (ProfileRules 8).
    package var errors: [ErrorRule] { box.contents.errors }
    /// The rules of the provider's token lifetimes.
    package var lifecycle: LifecycleRules { box.contents.lifecycle }
    /// Whether ``refresh`` spends a grant that began with a user's sign-in: a refresh token, or the
    /// access token itself. False for client credentials.
    package var usesRefreshToken: Bool { box.contents.usesRefreshToken }
    /// Names of the values that may have several lines.
    var multilineNames: Set<String> { box.contents.multilineNames }
}

/// One variable that credentials set, as the profile declares it.
package struct ProfileVariable: Sendable, Equatable {
    /// Whether a credential without it is a mistake.
    package var isRequired = false
    /// Its value is never shown.
    package var isSecret = false
    /// The value of a credential that does not set it.
    package var defaultValue: JSONNode?
    /// A regular expression the whole value must match.
    package var pattern: Pattern?
    /// Whether it may have several lines.
    package var isMultiline = false
    /// Re-read from its file at every use.
    package var isFromFile = false
    /// What it is and where to find it, for users.
    package var description: String?
    /// A value of the right form.
    package var example: JSONNode?

    /// An optional variable of one line that is not secret.
    package init() {}
}

/// Where a user signs in, and what the authorization request must contain to yield a refresh token
/// (RFC 6749 section 4.1.1, RFC 8628 section 3.1).
package struct AuthorizationSpecification: Sendable, Equatable {
    /// The authorization endpoint (RFC 6749 section 3.1).
    package var url: Template?
    /// The device authorization endpoint.
    package var deviceURL: Template?
    /// The issuer whose metadata (RFC 8414) give the endpoints that are not configured, and which
    /// must send the response (RFC 9207).
    package var issuer: Template?
    /// The scope that the provider requires for a refresh token.
    package var scope: String?
    /// The separator of scopes.
    package var scopeSeparator = " "
    /// Further parameters of the authorization request.
    package var parameters: [NamedTemplate] = []
    /// The provider's names for the standard parameters, by these.
    package var parameterNames: [String: String] = [:]
    /// Whether the provider accepts PKCE (RFC 7636).
    package var acceptsPKCE = true
}

/// One request and how to read its response.
package struct TokenExchange: Sendable, Equatable {
    /// The step's name; empty for the only exchange of a profile without steps.
    package var id = ""
    /// What to send.
    package var request: RequestSpecification
    /// How to read the answer.
    package var response: ResponseSpecification
    /// Whether its result is reused until it expires.
    package var isCached = false
    /// Whether it spends a refresh token, an access token that is its own refresh credential, or a
    /// code of a sign-in: after a lost response it is unknown whether that is still valid.
    package var spendsGrant = false
    /// What later steps read of this response, beside its tokens and `keep`.
    package var laterPointers: [JSONPointer] = []
}

/// Which exchange an attempt makes. It is stored with the attempt, because a stored response must
/// be read the same way.
package enum ExchangeKind: String, Sendable, Equatable, CaseIterable {
    case refresh
    case acquire
    case authorizationCode = "authorization_code"
    case deviceCode = "device_code"

    /// Whether it spends a code of a new sign-in: a failure then says nothing about the stored
    /// tokens.
    package var isSignIn: Bool { self == .authorizationCode || self == .deviceCode }
}

extension ProviderProfile {
    /// The exchanges of a kind in order; never empty.
    package func exchanges(_ kind: ExchangeKind) -> [TokenExchange] {
        switch kind {
        case .refresh: refresh
        case .acquire: acquire ?? refresh
        case .authorizationCode: authorizationCode
        case .deviceCode: deviceCode
        }
    }

    /// A step by its name. When the profile no longer has the step, its first exchange, which reads
    /// the same kind of response.
    package func exchange(_ kind: ExchangeKind, step: String = "") -> TokenExchange {
        let exchanges = exchanges(kind)
        return exchanges.first { $0.id == step } ?? exchanges[0]
    }

    /// Every exchange the profile can make.
    package var allExchanges: [TokenExchange] {
        refresh + (acquire ?? []) + authorizationCode + deviceCode
    }

    /// The exchanges that renew a token without a user.
    package var renewals: [TokenExchange] { refresh + (acquire ?? []) }

    /// Every variable that a renewal names.
    package var renewalVariables: Set<String> {
        renewals.reduce(into: []) { $0.formUnion($1.request.variables) }
    }
}
