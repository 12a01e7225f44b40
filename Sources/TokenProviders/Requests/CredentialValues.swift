package import TokenFormats

/// The values that a credential provides to templates, with its secrets read.
package struct CredentialValues: Sendable {
    package var clientID: String?
    package var clientSecret: String?
    package var scope: String?
    /// The credential's own variables; the profile's defaults apply where they are unset.
    package var variables: [String: JSONNode]

    package init(
        clientID: String? = nil, clientSecret: String? = nil, scope: String? = nil,
        variables: [String: JSONNode] = [:]
    ) {
        (self.clientID, self.clientSecret, self.scope) = (clientID, clientSecret, scope)
        self.variables = variables
    }
}

/// The values that an exchange and the stored tokens provide to templates.
package struct GrantValues: Sendable {
    /// The exchange that the request belongs to.
    package var kind: ExchangeKind
    /// The refresh token that the request sends.
    package var refreshToken: Secret?
    /// The present access token.
    package var accessToken: Secret?
    /// Results of the steps before.
    package var steps: [StepResult]

    package init(
        kind: ExchangeKind, refreshToken: Secret? = nil, accessToken: Secret? = nil,
        steps: [StepResult] = []
    ) {
        (self.kind, self.steps) = (kind, steps)
        (self.refreshToken, self.accessToken) = (refreshToken, accessToken)
    }
}

extension TemplateContext {
    /// All values that a request of the credential may name.
    package init(
        _ values: CredentialValues, profile: ProviderProfile, grant: GrantValues,
        nonce: RequestNonce
    ) {
        self.init(nonce: nonce)
        for (name, variable) in profile.variables { self.values[name] = variable.defaultValue }
        self.values.merge(values.variables) { $1 }
        set(.scope, values.scope ?? self.values["scope"]?.canonicalText)
        if let id = values.clientID { set(.clientID, id) }
        if let secret = values.clientSecret { set(.clientSecret, secret) }
        let refreshToken = grant.refreshToken?.reveal()
        if grant.kind == .refresh {
            set(.refreshToken, refreshToken)
            let isOwn = profile.lifecycle.refreshToken == .accessToken
            set(.accessToken, isOwn ? refreshToken : grant.accessToken?.reveal())
        }
        let exchanges = profile.exchanges(grant.kind)
        set(grant.steps, of: exchanges)
        for step in grant.steps where exchanges.contains(where: { $0.id == step.id }) {
            self.values["steps.\(step.id).refresh_token"] = refreshToken.map { .string($0) }
        }
    }
}
