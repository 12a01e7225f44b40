package import TokenFormats

/// The profiles compiled into both programs, so that a binary in its build folder has them too.
package enum BuiltInProfiles {
    /// Bases a profile can extend (ProfileRules 1).
    static let baseNames = ["refresh_token", "client_credentials", "none"]

    /// Shipped profiles, sorted by name. Their files are in `Profiles/`.
    package static let shippedNames = shipped.map(\.name)

    private static let shipped = ShippedProfiles.files

    /// The name that a typing error probably meant.
    package static func nearestName(to name: String) -> String? {
        let name = name.lowercased()
        if shippedNames.contains(name) { return name }
        return name.isEmpty ? nil : nearest(name, among: shippedNames)
    }

    /// Parsed at first use: a process uses few of them.
    package static func json(named name: String) -> JSONNode? {
        shipped.first { $0.name == name }.flatMap { try? JSONReader.read($0.bytes) }
    }

    /// A shipped profile without a configuration.
    package static func profile(named name: String) -> ProviderProfile? {
        let (profile, mistakes) = reading(of: name)
        return mistakes.isEmpty ? profile : nil
    }

    /// A shipped profile with its mistakes; a test requires that there are none.
    static func reading(of name: String) -> (ProviderProfile?, [ConfigurationMistake]) {
        guard let file = shipped.first(where: { $0.name == name }),
            let node = json(named: name)
        else { return (nil, []) }
        let document = ConfigurationDocument(file: "\(name).json", bytes: file.bytes)
        let field = FieldReader(node, path: "", fallbackOffset: 0, document: document)
        // Read as if the configuration held it, so that mistakes have their places.
        let catalogue = ProfileCatalogue(
            configured: [name: ProviderSource(node: node, field: field)])
        return (catalogue.profile(named: name, usedBy: field), document.mistakes)
    }

    static func base(named name: String) -> JSONNode? {
        switch name {
        case "refresh_token":
            standard(parameters: [
                "grant_type": "refresh_token", "refresh_token": "${refresh_token}",
            ])
        case "client_credentials":
            standard(parameters: ["grant_type": "client_credentials", "scope": "${scope}"])
        case "none":
            [
                "request": [
                    "method": "POST", "client_auth": "none", "encoding": "form",
                    "headers": ["Accept": "application/json"],
                ],
                "response": [
                    "access_token": "/access_token", "refresh_token": "/refresh_token",
                ],
            ]
        default: nil
        }
    }

    /// The parameters of the bases by name, and those of `authorization_code` (RFC 6749 section
    /// 4.1.3) and `device_code` (RFC 8628 section 3.4).
    package static func parameters(ofBase name: String) -> JSONNode? {
        if name == "authorization_code" {
            return [
                "grant_type": "authorization_code", "code": "${code}",
                "redirect_uri": "${redirect_uri}", "code_verifier": "${code_verifier}",
            ]
        }
        if name == "device_code" {
            return [
                "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
                "device_code": "${device_code}",
            ]
        }
        return base(named: name).map { $0["request"]?["params"] ?? [:] }
    }

    private static func standard(parameters: JSONNode) -> JSONNode {
        [
            "request": [
                "method": "POST", "client_auth": "client_secret_post", "encoding": "form",
                "headers": ["Accept": "application/json"], "params": parameters,
            ],
            "response": [
                "access_token": "/access_token", "refresh_token": "/refresh_token",
                "token_type": "/token_type", "scope": "/scope",
                "expires": ["from": "/expires_in", "as": "seconds"],
            ],
        ]
    }
}
