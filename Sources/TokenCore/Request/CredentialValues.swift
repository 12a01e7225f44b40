/// The values that a credential provides to templates, with its secrets read.
public struct CredentialValues: Sendable {
    public var clientID: String?
    public var clientSecret: String?
    public var scope: String?
    /// The credential's own variables; the profile's defaults apply where they are unset.
    public var variables: [String: JSONNode]

    public init(
        clientID: String? = nil, clientSecret: String? = nil, scope: String? = nil,
        variables: [String: JSONNode] = [:]
    ) {
        (self.clientID, self.clientSecret, self.scope) = (clientID, clientSecret, scope)
        self.variables = variables
    }
}

extension TemplateContext {
    /// All values that the request for a record may name.
    public init(
        _ values: CredentialValues, profile: ProviderProfile, record: SlotRecord,
        nonce: RequestNonce
    ) {
        self.init(nonce: nonce)
        for (name, variable) in profile.variables { self.values[name] = variable.defaultValue }
        self.values.merge(values.variables) { $1 }
        set(.scope, values.scope ?? self.values["scope"]?.canonicalText)
        if let id = values.clientID { set(.clientID, id) }
        if let secret = values.clientSecret { set(.clientSecret, secret) }
        let grant = record.grant
        let refreshToken = record.refreshTokenToSend?.reveal()
        if record.kind == .refresh {
            set(.refreshToken, refreshToken)
            let isOwn = profile.lifecycle.refreshToken == .accessToken
            set(.accessToken, isOwn ? refreshToken : grant.access?.token.reveal())
        }
        let exchanges = profile.exchanges(record.kind)
        set(grant.steps, of: exchanges)
        for step in grant.steps where exchanges.contains(where: { $0.id == step.id }) {
            self.values["steps.\(step.id).refresh_token"] = refreshToken.map { .string($0) }
        }
    }
}
