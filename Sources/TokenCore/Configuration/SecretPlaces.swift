/// One value of a credential that is read from elsewhere.
public struct SecretPlace: Sendable, Equatable {
    /// As the configuration spells it, such as `variables.private_key`.
    public var key: String
    public var source: SecretSource
    public var shape: SecretText.Shape
}

extension CredentialConfiguration {
    /// All of its values that are secrets or read from a place, in the order people write them.
    public var secrets: [SecretPlace] {
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
    /// The place in words; nothing of what is there.
    public var placeName: String {
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
