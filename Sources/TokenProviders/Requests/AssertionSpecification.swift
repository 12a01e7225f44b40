package import TokenFormats

/// A JWT that the daemon signs itself (RFC 7519, RFC 7523).
package struct AssertionSpecification: Sendable, Equatable {
    /// JSON Web Algorithms (RFC 7518 section 3.1, RFC 8037 section 3.1).
    package enum Algorithm: String, Sendable, CaseIterable {
        case rs256 = "RS256"
        case rs384 = "RS384"
        case rs512 = "RS512"
        case ps256 = "PS256"
        case ps384 = "PS384"
        case ps512 = "PS512"
        case es256 = "ES256"
        case es384 = "ES384"
        case es512 = "ES512"
        case hs256 = "HS256"
        case hs384 = "HS384"
        case hs512 = "HS512"
        case edDSA = "EdDSA"
    }
    /// The format of the key. `nil` detects it: PEM, a JWK, else the text itself.
    package enum KeyEncoding: String, Sendable, CaseIterable { case pem, jwk, utf8, hex, base64 }

    /// `nil` chooses the algorithm that fits the key.
    package var algorithm: Algorithm?
    package var key: Template
    package var keyEncoding: KeyEncoding?
    package var header: [NamedTemplate] = []
    package var claims: [NamedTemplate] = []
    package var lifetime: Duration = .seconds(300)
    /// Whether the key must be a private key.
    package var isPrivateOnly = false

    /// Every variable that it names.
    var variables: Set<String> {
        (header + claims).reduce(into: key.variables) { $0.formUnion($1.value.variables) }
    }

    /// How many seconds `iat` is in the past, so that a host with a slightly fast clock is
    /// accepted.
    var issuedAgo: Int64 { min(30, lifetime.components.seconds / 2) }

    /// The header and claims as JSON. Parts whose variable is unset are left out; `iat` and `exp`
    /// are added unless the profile gives them.
    package func content(
        in context: TemplateContext, algorithm: Algorithm
    ) -> (header: JSONNode, claims: JSONNode) {
        var header: [(String, JSONNode?)] = [
            ("alg", .string(algorithm.rawValue)), ("typ", .string("JWT")),
        ]
        for part in self.header {
            header.removeAll { $0.0 == part.name }
            header.append((part.name, part.value.value(in: context)))
        }
        var claims = self.claims.map { ($0.name, $0.value.value(in: context)) }
        let issued = context.nonce.now.epochSeconds - issuedAgo
        if !claims.contains(where: { $0.0 == "iat" }) { claims.append(("iat", .integer(issued))) }
        if !claims.contains(where: { $0.0 == "exp" }) {
            claims.append(("exp", .integer(issued + lifetime.components.seconds)))
        }
        return (.object(header), .object(claims))
    }

    /// The compact serialization (RFC 7515 section 7.1).
    ///
    /// - Throws: ``RequestError`` when the key is missing or does not fit the algorithm.
    func signed(in context: TemplateContext, name: String) throws(RequestError) -> String {
        guard let text = key.text(in: context) else {
            let missing = key.variables.filter { context.values[$0] == nil }.sorted()
            throw RequestError(
                problem: "assertion \"\(name)\" needs \(missing.joined(separator: ", "))",
                remedy: "set it under \"variables\"")
        }
        let key: SigningKey
        let signature: [UInt8]
        do throws(RequestError) {
            key = try SigningKey(text, encoding: keyEncoding)
            let algorithm = try key.algorithm(asked: algorithm, isPrivateOnly: isPrivateOnly)
            let (header, claims) = content(in: context, algorithm: algorithm)
            let input = [header, claims].map { base64($0.serialized(), urlSafe: true) }
                .joined(separator: ".")
            signature = try key.signature(of: Array(input.utf8), algorithm: algorithm)
            return input + "." + base64(signature, urlSafe: true)
        } catch {
            throw error.of("the key of assertion \"\(name)\"")
        }
    }
}
