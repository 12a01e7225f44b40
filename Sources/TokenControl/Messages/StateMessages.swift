package import TokenFormats

// The messages about stored state: accepting it and erasing it.

/// The reply to `POST /v1/credentials/NAME/accept?wait=…`: the first refresh with accepted state.
package struct AcceptReply: Sendable, Equatable {
    /// How that refresh ended.
    package enum Result: String, Sendable, CaseIterable {
        /// The provider granted a token.
        case taken
        /// The provider refused the token or the client.
        case refused
        /// The refresh failed otherwise, and is tried again.
        case failed
        /// There is no refresh token.
        case nothingToSend = "nothing_to_send"
        /// The state is still not trusted.
        case quarantined
        /// It has not ended yet.
        case waiting
    }

    /// The name of the credential.
    package var credential: String
    /// `nil` from an older daemon, which does not wait for it.
    package var result: ControlWord<Result>?
    /// Whether the configured refresh token was sent instead of the stored one; `nil` when the
    /// reply does not say.
    package var sentConfigured: Bool?
    /// A registered error code of the provider's response.
    package var error: String?
    /// Why it failed, in one line.
    package var problem: String?
    /// The state of the credential now.
    package var state: ControlWord<CredentialState>?
    /// The stored state could not be read and was set aside.
    package var isSetAside = false

    /// A reply of which nothing else is known.
    package init(credential: String) { self.credential = credential }

    /// Whether the configured refresh token was sent: that is the only one left of a state that
    /// was set aside.
    package var isOfConfigured: Bool { sentConfigured ?? isSetAside }

    /// Whether the provider refused the client: its settings are wrong.
    package var isClientRefused: Bool { error.map(isClientError) ?? false }

    /// Only the members that are known are there.
    package var json: JSONNode {
        .object([
            ("credential", .string(credential)), ("result", result.map { .string($0.text) }),
            ("sent_configured", sentConfigured.map { .bool($0) }),
            ("error", error.map { .string($0) }), ("problem", problem.map { .string($0) }),
            ("state", state.map { .string($0.text) }), ("set_aside", isSetAside ? true : nil),
        ])
    }

    /// Takes what it can use.
    package init(json: JSONNode) {
        credential = json["credential"]?.text ?? ""
        (result, state) = (json.word("result"), json.word("state"))
        sentConfigured = json["sent_configured"]?.flag
        (error, problem) = (json["error"]?.text, json["problem"]?.text)
        isSetAside = json["set_aside"]?.flag ?? false
    }
}

/// The reply to `GET /v1/credentials/NAME/stored`: what `forget` would erase. `forget` replies with
/// what it has erased, and with the spent tokens that are still known.
package struct StoredReport: Sendable, Equatable {
    /// The name of the credential.
    package var credential: String
    /// Whether the configuration has it.
    package var isConfigured: Bool
    /// Whether the slots have contents, readable or not.
    package var isStored: Bool
    /// Whether there is a refresh token among them.
    package var hasRefreshToken: Bool
    /// Refresh tokens that are known to be spent.
    package var spentTokens: Int
    /// `nil` when no daemon knows the credential, and after it was erased.
    package var state: ControlWord<CredentialState>?

    /// - Parameters:
    ///   - credential: The name of the credential.
    ///   - isConfigured: Whether the configuration has it.
    ///   - isStored: Whether the slots have contents.
    ///   - hasRefreshToken: Whether there is a refresh token among them.
    ///   - spentTokens: Refresh tokens that are known to be spent.
    ///   - state: `nil` when no daemon knows the credential.
    package init(
        credential: String, isConfigured: Bool, isStored: Bool, hasRefreshToken: Bool,
        spentTokens: Int, state: CredentialState?
    ) {
        (self.credential, self.isConfigured) = (credential, isConfigured)
        (self.isStored, self.hasRefreshToken) = (isStored, hasRefreshToken)
        (self.spentTokens, self.state) = (spentTokens, state.map { ControlWord($0) })
    }

    /// Every key is always present.
    package var json: JSONNode {
        .object([
            ("credential", .string(credential)), ("configured", .bool(isConfigured)),
            ("stored", .bool(isStored)), ("refresh_token", .bool(hasRefreshToken)),
            ("spent_tokens", .integer(Int64(spentTokens))), ("state", .orNull(state?.text)),
        ])
    }

    /// Takes what it can use.
    package init(json: JSONNode) {
        credential = json["credential"]?.text ?? ""
        isConfigured = json["configured"]?.flag ?? true
        isStored = json["stored"]?.flag ?? false
        hasRefreshToken = json["refresh_token"]?.flag ?? false
        (spentTokens, state) = (json.count("spent_tokens") ?? 0, json.word("state"))
    }
}
