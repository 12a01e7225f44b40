package import TokenFormats
internal import TokenProviders

/// One value of a credential that is read from a source.
package struct SecretPlace: Sendable, Equatable {
    /// As the configuration spells it, such as `variables.private_key`.
    package var key: String
    package var source: SecretSource
    package var shape: SecretText.Shape
}

extension CredentialConfiguration {
    /// All values of the credential that are secrets or are read from a source, in the usual order.
    package var secrets: [SecretPlace] {
        var places = [
            ("client_id", clientID), ("client_secret", clientSecret),
            ("refresh_token", refreshToken),
        ].compactMap { key, source in
            source.map { SecretPlace(key: key, source: $0, shape: profile.shape(of: key)) }
        }
        for (name, value) in variables.sorted(by: { $0.key < $1.key }) {
            let source: SecretSource
            switch value {
            case .secret(let place): source = place
            case .literal(let node):
                guard profile.variables[name]?.isFromFile == true, let path = node.text else {
                    continue
                }
                source = .file(path)
            }
            places.append(
                SecretPlace(
                    key: "variables." + name, source: source, shape: profile.shape(of: name)))
        }
        return places
    }
}

extension SecretSource {
    /// The source in words; nothing of its contents.
    package var placeName: String {
        switch self {
        case .inline: "the configuration"
        case .file(let path): path
        case .credential(let name): "the systemd credential \(name)"
        case .environment(let name): "the environment variable \(name)"
        case .command(let words): words.first ?? ""
        case .exact(let source): source.placeName
        }
    }
}
