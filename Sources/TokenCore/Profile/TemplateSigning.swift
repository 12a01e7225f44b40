// sign('RS256', key, text): the signature of a text, for endpoints that want their parameters
// signed. The algorithms are those of assertions (RFC 7518, RFC 8037); RS256 is what others call
// RSA2 or SHA256withRSA. RS, HS and EdDSA signatures of one text are the same every time; PS and ES
// are made with randomness and differ, so one belongs in one place of a request.
extension TemplateFunction {
    /// Whether it signs, with the key that is its second argument.
    var signs: Bool { self == .sign || self == .signBase64url || self == .signHex }

    /// - Parameter arguments: The algorithm, the key and the text.
    func signature(_ arguments: [String]) -> JSONNode? {
        guard let bytes = try? Self.signature(arguments).get() else { return nil }
        switch self {
        case .signHex: return .string(hexadecimal(bytes))
        case .signBase64url: return .string(TokenCore.base64(bytes, urlSafe: true))
        default: return .string(TokenCore.base64(bytes))
        }
    }

    /// Why there is no signature; nothing of the key is in it.
    func signingMistake(_ arguments: [String]) -> RequestError? {
        guard signs, case .failure(let failure) = Self.signature(arguments) else { return nil }
        return RequestError(
            problem: "the key of \(rawValue)() \(failure.problem)", remedy: failure.remedy)
    }

    private static func signature(
        _ arguments: [String]
    ) -> Result<[UInt8], SigningKey.Failure> {
        do throws(SigningKey.Failure) {
            guard let algorithm = AssertionSpecification.Algorithm(spelled: arguments[0]) else {
                throw SigningKey.Failure(
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
    /// A key as ``init(_:encoding:)`` takes it, or the base 64 of its DER alone, as some consoles
    /// hand it out.
    fileprivate init(
        _ text: String, for algorithm: AssertionSpecification.Algorithm
    ) throws(Failure) {
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
    /// Names of the keys that it signs with; an HMAC's is any text.
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
