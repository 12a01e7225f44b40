package import TokenFormats
internal import TokenProviders

extension RemedyPlace {
    /// The place of a configured credential.
    package init(_ configuration: CredentialConfiguration, state: CredentialState) {
        let profile = configuration.profile
        self.init(
            credential: configuration.name, state: state,
            hasSignIn: profile.authorization != nil && profile.signInObstacle == nil)
    }
}
