/// What the browser of a person who signs in is sent to, but for what is drawn afresh each time
/// (RFC 6749 section 4.1.1). No secret in it: the daemon tells it to the command line.
public struct BrowserSignIn: Sendable, Equatable {
    /// The authorization endpoint with every parameter that is known beforehand.
    public var address: String
    /// The provider's names of the others, by RFC name.
    public var parameterNames: [String: String] = [:]
    /// The one that the client is registered with, if the configuration says.
    public var redirectURI: String?
    /// Whose answer to expect (RFC 9207).
    public var issuer: String?
    /// The server always says who answers.
    public var namesIssuer = false
    /// Whether to send a code challenge (RFC 7636).
    public var usesPKCE = true

    public init(address: String) { self.address = address }

    public func url(redirectURI: String, state: Secret, verifier: CodeVerifier?) -> String {
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
    /// As the control socket tells it.
    public var json: JSONNode {
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

    public init?(json: JSONNode) {
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
