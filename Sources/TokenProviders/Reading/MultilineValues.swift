package import TokenFormats

// Which of a credential's values may have several lines: PEM keys and certificates, JWKs, and
// variables that the profile declares multiline. In any other value a line end is an artefact of
// its file.
extension ProviderProfile {
    /// How many lines the value of this name may have when it is read from its source.
    package func shape(of name: String) -> SecretText.Shape {
        multilineNames.contains(name) ? .lines : .line
    }

    /// Variables that are used as a key or a certificate.
    var namesOfKeys: Set<String> {
        allExchanges.reduce(into: ["private_key", "certificate"]) { names, exchange in
            names.formUnion(exchange.request.namesOfKeys)
        }
    }
}

extension RequestSpecification {
    fileprivate var namesOfKeys: Set<String> {
        // The key of an HMAC can be any text, such as the client's secret.
        let keys = assertions.values.filter { $0.algorithm?.isSymmetric != true }.map(\.key)
        return (keys + [certificate, privateKey].compactMap { $0 })
            .reduce(into: signingKeys) { $0.formUnion($1.variables) }
    }

    /// Names of the keys that its templates' functions sign with.
    package var signingKeys: Set<String> {
        let parts =
            parameters + query + headers + assertions.values.flatMap { $0.header + $0.claims }
        return (parts.flatMap(\.value.templates) + [url])
            .reduce(into: []) { $0.formUnion($1.signingKeys) }
    }
}

extension AssertionSpecification.Algorithm {
    var isSymmetric: Bool { self == .hs256 || self == .hs384 || self == .hs512 }
}
