package import TokenFormats

/// The authorization request of a browser sign-in (RFC 6749 section 4.1.1), without the values that
/// are generated for each try. It holds no secret: the daemon sends it to the command line.
package struct BrowserSignIn: Sendable, Equatable {
    /// The authorization endpoint with every parameter that is fixed.
    package var address: String
    /// The provider's names of the generated parameters, by RFC name.
    package var parameterNames: [String: String] = [:]
    /// The redirect URI that the client is registered with, if configured.
    package var redirectURI: String?
    /// The issuer that must send the authorization response (RFC 9207).
    package var issuer: String?
    /// The server always names itself in the response.
    package var namesIssuer = false
    /// Whether to send a code challenge (RFC 7636).
    package var usesPKCE = true

    package init(address: String) { self.address = address }

    package func url(redirectURI: String, state: Secret, verifier: CodeVerifier?) -> String {
        var values = [("redirect_uri", redirectURI), ("state", state.reveal())]
        if let verifier {
            values += [
                ("code_challenge", verifier.challenge),
                ("code_challenge_method", CodeVerifier.method),
            ]
        }
        let pairs = values.map { name, value in
            "\(percentEncoded(parameterNames[name] ?? name))=\(percentEncoded(value))"
        }
        return address + (address.contains("?") ? "&" : "?") + pairs.joined(separator: "&")
    }
}

extension BrowserSignIn {
    /// The form on the control socket.
    package var json: JSONNode {
        .object([
            ("address", .string(address)),
            (
                "parameter_names",
                .object(
                    parameterNames.sorted { $0.key < $1.key }.map { ($0.key, .string($0.value)) })
            ),
            ("redirect_uri", redirectURI.map { .string($0) }),
            ("issuer", issuer.map { .string($0) }), ("names_issuer", .bool(namesIssuer)),
            ("pkce", .bool(usesPKCE)),
        ])
    }

    package init?(json: JSONNode) {
        guard let address = json["address"]?.text else { return nil }
        self.init(address: address)
        for member in json["parameter_names"]?.members ?? [] {
            parameterNames[member.key] = member.value.text
        }
        redirectURI = json["redirect_uri"]?.text
        issuer = json["issuer"]?.text
        namesIssuer = json["names_issuer"]?.flag ?? false
        usesPKCE = json["pkce"]?.flag ?? true
    }
}
