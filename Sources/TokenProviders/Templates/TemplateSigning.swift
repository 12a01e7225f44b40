internal import TokenFormats

// sign('RS256', key, text): the signature of a text, for endpoints that require signed parameters.
// The algorithms are those of assertions (RFC 7518, RFC 8037); other names of RS256 are RSA2 and
// SHA256withRSA. RS, HS and EdDSA signatures of a text are always the same; PS and ES signatures
// are randomised and differ, so a request should contain such a call only once.
extension TemplateFunction {
    /// Whether it signs; its second argument is then the key.
    var signs: Bool { self == .sign || self == .signBase64url || self == .signHex }

    /// - Parameter arguments: The algorithm, the key and the text.
    func signature(_ arguments: [String]) -> JSONNode? {
        guard let bytes = try? Self.signature(arguments).get() else { return nil }
        switch self {
        case .signHex: return .string(hexadecimal(bytes))
        case .signBase64url: return .string(TokenFormats.base64(bytes, urlSafe: true))
        default: return .string(TokenFormats.base64(bytes))
        }
    }

    /// Why no signature can be made; contains nothing of the key.
    func signingMistake(_ arguments: [String]) -> RequestError? {
        guard signs, case .failure(let failure) = Self.signature(arguments) else { return nil }
        return failure.of("the key of \(rawValue)()")
    }

    private static func signature(_ arguments: [String]) -> Result<[UInt8], RequestError> {
        do throws(RequestError) {
            guard let algorithm = AssertionSpecification.Algorithm(spelled: arguments[0]) else {
                throw RequestError(
                    problem: "is for no algorithm that is known", remedy: "write 'RS256'")
            }
            let key = try SigningKey(arguments[1], for: algorithm)
            _ = try key.algorithm(asked: algorithm)
            return .success(
                try key.signature(of: Array(arguments[2].utf8), algorithm: algorithm))
        } catch { return .failure(error) }
    }
}

extension SigningKey {
    /// A key in the forms of ``init(_:encoding:)``, or only the base 64 of its DER, which some
    /// consoles issue.
    fileprivate init(
        _ text: String, for algorithm: AssertionSpecification.Algorithm
    ) throws(RequestError) {
        if !algorithm.isSymmetric, !text.contains("-----BEGIN"),
            let key = Self.bare(text)
        {
            self = key
        } else {
            try self.init(text, encoding: algorithm.isSymmetric ? .utf8 : nil)
        }
    }

    private static func bare(_ text: String) -> SigningKey? {
        let body = text.filter { !$0.isWhitespace }
        // DER begins with a sequence (X.690 section 8.9).
        guard body.hasPrefix("M"), let der = bytes(base64URL: body.prefix { $0 != "=" }) else {
            return nil
        }
        for kind in ["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"] {
            let pem = "-----BEGIN \(kind)-----\n\(lines(base64(der)))-----END \(kind)-----\n"
            if let key = try? SigningKey(pem, encoding: .pem) { return key }
        }
        return nil
    }

    /// RFC 7468 section 2.
    private static func lines(_ text: String) -> String {
        var rest = text[...]
        var lines = ""
        while !rest.isEmpty {
            lines += rest.prefix(64) + "\n"
            rest = rest.dropFirst(64)
        }
        return lines
    }
}

extension Template {
    /// Names of the keys that it signs with; the key of an HMAC is any text.
    var signingKeys: Set<String> {
        segments.reduce(into: []) { names, segment in
            if case .expression(let expression) = segment {
                names.formUnion(expression.signingKeys)
            }
        }
    }
}

extension TemplateExpression {
    fileprivate var signingKeys: Set<String> {
        guard case .call(let function, let arguments) = self else { return [] }
        var names = arguments.reduce(into: Set<String>()) { $0.formUnion($1.signingKeys) }
        guard function.signs else { return names }
        if case .literal(let name) = arguments[0],
            AssertionSpecification.Algorithm(rawValue: name)?.isSymmetric == true
        {
            return names
        }
        names.formUnion(arguments[1].variables)
        return names
    }
}
