internal import TokenFormats

/// The assertions of a profile.
struct Assertions {
    var named: [String: AssertionSpecification] = [:]
    /// The assertion named `client`, for each authentication method that uses it.
    var clients: [ClientAuthentication: AssertionSpecification] = [:]
    /// All names that the profile gives, including assertions with mistakes.
    var names: Set<String> = []
}

/// Reads a profile's `assertions`.
struct AssertionReading {
    /// Name of the assertion by which a client authenticates; a profile's own assertion of this
    /// name is a merge patch over these defaults (RFC 7523 section 3).
    static let client = "client"

    static func clientDefaults(_ method: ClientAuthentication) -> JSONNode {
        let claims: JSONNode = [
            "iss": "${client_id}", "sub": "${client_id}", "aud": "${token_endpoint}",
            "jti": "${uuid()}",
        ]
        guard method == .privateKeyJWT else {
            return [
                "alg": "HS256", "key": "${client_secret}", "key_encoding": "utf8",
                "claims": claims,
            ]
        }
        return ["key": "${private_key}", "header": ["kid": "${key_id}"], "claims": claims]
    }

    /// - Parameter methods: The client authentication methods of the profile's exchanges.
    static func read(
        _ field: FieldReader?, profile: FieldReader, methods: [ClientAuthentication]
    ) -> Assertions {
        var read = Assertions()
        for (name, key, value) in field?.object()?.takeAll() ?? [] {
            key.requireIdentifier(name)
            read.names.insert(name)
            let isDefaulted = name == client && methods.contains(where: \.sendsAssertion)
            if !isDefaulted {
                let plain = mergePatch(
                    JSONNode(.object([]), offset: value.node.offset), value.node)
                read.named[name] = assertion(
                    name == client ? value.replaced(by: plain) : value, isClient: false)
            }
        }
        let place = field ?? profile
        let patch = field?.node[client] ?? JSONNode(.object([]), offset: -1)
        for method in Set(methods.filter(\.sendsAssertion)) {
            let node = mergePatch(clientDefaults(method).withoutPositions, patch)
            read.names.insert(client)
            read.clients[method] = assertion(
                FieldReader(
                    node, path: profile.path + ".assertions.client",
                    fallbackOffset: place.fallbackOffset, document: place.document),
                isClient: true)
            read.clients[method]?.isPrivateOnly = method == .privateKeyJWT
        }
        return read
    }

    private static func assertion(
        _ field: FieldReader, isClient: Bool
    ) -> AssertionSpecification? {
        guard let object = field.object() else { return nil }
        let choices = AssertionSpecification.Algorithm.allCases.map { ($0.rawValue, $0) }
        let algorithm =
            isClient
            ? object.take("alg")?.choice(choices)
            : object.require("alg", "\"RS256\"")?.choice(choices)
        let key = object.require("key", "\"${private_key}\"")?
            .nonEmptyTemplate("\"${private_key}\"")
        let encoding = object.take("key_encoding")?
            .choice(AssertionSpecification.KeyEncoding.allCases.map { ($0.rawValue, $0) })
        let header = object.take("header")?.namedTemplates() ?? []
        let claims =
            object.require("claims", "{\"iss\": \"${client_id}\"}")?.namedTemplates() ?? []
        let lifetime = object.take("lifetime")?.duration()
        object.finish()
        if let lifetime, lifetime < .seconds(2) {
            object.field.mistake("lives for less than two seconds", "write \"lifetime\": \"5m\"")
        }
        guard let key else { return nil }
        var assertion = AssertionSpecification(
            algorithm: algorithm, key: key, keyEncoding: encoding, header: header, claims: claims)
        if let lifetime { assertion.lifetime = lifetime }
        if assertion.variables.contains(where: { $0.hasPrefix("assertions.") }) {
            field.mistake("names another assertion", "sign one thing at a time")
        }
        return assertion
    }
}
