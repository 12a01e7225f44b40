package import TokenProviders

extension SlotRecord {
    /// What the request of this record may name.
    var templateValues: GrantValues {
        GrantValues(
            kind: kind, refreshToken: refreshTokenToSend, accessToken: grant.access?.token,
            steps: grant.steps)
    }
}

extension TemplateContext {
    /// All values that the request for a record may name.
    package init(
        _ values: CredentialValues, profile: ProviderProfile, record: SlotRecord,
        nonce: RequestNonce
    ) {
        self.init(values, profile: profile, grant: record.templateValues, nonce: nonce)
    }
}
