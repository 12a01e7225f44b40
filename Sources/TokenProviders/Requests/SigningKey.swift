internal import Crypto
internal import CryptoExtras
internal import FoundationEssentials
internal import TokenFormats

/// A key that can sign a JWT. ECDSA and RSASSA-PSS use BoringSSL's randomness; everything else here
/// is a pure function.
enum SigningKey {
    case rsa(_RSA.Signing.PrivateKey)
    case p256(P256.Signing.PrivateKey)
    case p384(P384.Signing.PrivateKey)
    case p521(P521.Signing.PrivateKey)
    case ed25519(Curve25519.Signing.PrivateKey)
    case symmetric(SymmetricKey)

    typealias Algorithm = AssertionSpecification.Algorithm

    /// - Throws: ``RequestError``, phrased to follow the name of the key; it contains none of it.
    init(
        _ text: String, encoding: AssertionSpecification.KeyEncoding?
    ) throws(RequestError) {
        // Keys from JSON files and environment variables may have escaped line breaks.
        let text =
            text.contains("-----BEGIN") ? text.replacing("\\n", with: "\n") : text
        let start = text.drop(while: \.isWhitespace)
        let looks: AssertionSpecification.KeyEncoding =
            text.contains("-----BEGIN") ? .pem : start.hasPrefix("{") ? .jwk : .utf8
        switch encoding ?? looks {
        case .pem: self = try Self.pem(text)
        case .jwk: self = try Self.jwk(text)
        case .utf8: self = .symmetric(SymmetricKey(data: Array(text.utf8)))
        case .hex: self = try Self.raw(bytes(hexadecimal: text), "base 16")
        case .base64:
            let plain = text.prefix { $0 != "=" }
            self = try Self.raw(bytes(base64URL: plain), "base 64")
        }
    }

    private static func raw(_ bytes: [UInt8]?, _ name: String) throws(RequestError) -> SigningKey {
        guard let bytes, !bytes.isEmpty else {
            throw RequestError(
                problem: "is not \(name) text", remedy: "correct it, or \"key_encoding\"")
        }
        return .symmetric(SymmetricKey(data: bytes))
    }

    private static let plainPEM = "write it as plain PEM: openssl pkey -in KEY -out PLAIN"

    /// Reads PKCS#8, PKCS#1 (RSA) or SEC 1 (EC); skips other blocks of the text.
    private static func pem(_ text: String) throws(RequestError) -> SigningKey {
        guard !text.contains("ENCRYPTED") else {
            throw RequestError(problem: "is encrypted", remedy: plainPEM)
        }
        let marker = "PRIVATE KEY-----"
        guard let first = text.firstRange(of: marker),
            let start = text[..<first.lowerBound].ranges(of: "-----BEGIN ").last,
            let end = text[first.upperBound...].firstRange(of: marker)
        else {
            throw RequestError(problem: "holds no PEM private key", remedy: plainPEM)
        }
        let block = String(text[start.lowerBound..<end.upperBound])
        if let key = try? P256.Signing.PrivateKey(pemRepresentation: block) { return .p256(key) }
        if let key = try? P384.Signing.PrivateKey(pemRepresentation: block) { return .p384(key) }
        if let key = try? P521.Signing.PrivateKey(pemRepresentation: block) { return .p521(key) }
        if let key = try? _RSA.Signing.PrivateKey(pemRepresentation: block) { return .rsa(key) }
        if let key = ed25519(pkcs8: block) { return .ed25519(key) }
        throw RequestError(
            problem: "is not an RSA key of 2048 bits or more, P-256, P-384, P-521 or Ed25519 key",
            remedy: plainPEM)
    }

    /// RFC 8410 section 7: a fixed prefix of 16 bytes, then the 32 bytes of the key.
    private static func ed25519(pkcs8 block: String) -> Curve25519.Signing.PrivateKey? {
        let body = block.split(whereSeparator: \.isNewline).filter { !$0.hasPrefix("-----") }
            .joined().prefix { $0 != "=" }
        let prefix: [UInt8] = [
            0x30, 0x2E, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x04, 0x22,
            0x04, 0x20,
        ]
        guard let der = bytes(base64URL: body), der.starts(with: prefix), der.count == 48 else {
            return nil
        }
        return try? Curve25519.Signing.PrivateKey(rawRepresentation: der.dropFirst(16))
    }

    /// RFC 7517, RFC 7518 section 6, RFC 8037 section 2.
    private static func jwk(_ text: String) throws(RequestError) -> SigningKey {
        let remedy = "write the private JWK of an RSA, EC, OKP or oct key"
        guard let node = try? JSONReader.read(Array(text.utf8)) else {
            throw RequestError(problem: "is not a JWK", remedy: remedy)
        }
        let part = { (name: String) in node[name]?.text.flatMap { bytes(base64URL: $0) } ?? [] }
        let d = part("d")
        do {
            switch (node["kty"]?.text, node["crv"]?.text) {
            case ("RSA", _):
                return .rsa(
                    try _RSA.Signing.PrivateKey(
                        n: part("n"), e: part("e"), d: d, p: part("p"), q: part("q")))
            case ("EC", "P-256"): return .p256(try P256.Signing.PrivateKey(rawRepresentation: d))
            case ("EC", "P-384"): return .p384(try P384.Signing.PrivateKey(rawRepresentation: d))
            case ("EC", "P-521"): return .p521(try P521.Signing.PrivateKey(rawRepresentation: d))
            case ("OKP", "Ed25519"):
                return .ed25519(try Curve25519.Signing.PrivateKey(rawRepresentation: d))
            case ("oct", _) where !part("k").isEmpty:
                return .symmetric(SymmetricKey(data: part("k")))
            default: break
            }
        } catch { throw RequestError(problem: "is a JWK with wrong parts", remedy: remedy) }
        throw RequestError(problem: "is not a private JWK of a known type", remedy: remedy)
    }

    /// The requested algorithm, if it fits the key, or the default for this kind of key.
    ///
    /// - Parameter isPrivateOnly: For private_key_jwt: any other text would silently become an HMAC
    ///   key.
    func algorithm(
        asked: Algorithm?, isPrivateOnly: Bool = false
    ) throws(RequestError) -> Algorithm {
        if case .symmetric = self, isPrivateOnly, asked != .edDSA {
            throw RequestError(problem: "is not a private key", remedy: Self.plainPEM)
        }
        let fitting: [Algorithm] =
            switch self {
            case .rsa: [.rs256, .rs384, .rs512, .ps256, .ps384, .ps512]
            case .p256: [.es256]
            case .p384: [.es384]
            case .p521: [.es512]
            case .ed25519: [.edDSA]
            case .symmetric(let key):
                key.bitCount == 256
                    ? [.hs256, .hs384, .hs512, .edDSA] : [.hs256, .hs384, .hs512]
            }
        guard let asked else { return fitting[0] }
        guard fitting.contains(asked) else {
            throw RequestError(
                problem: "cannot sign \(asked.rawValue)",
                remedy: "write \"alg\": \"\(fitting[0].rawValue)\", or give another key")
        }
        return asked
    }

    func signature(of data: [UInt8], algorithm: Algorithm) throws(RequestError) -> [UInt8] {
        do {
            switch self {
            case .rsa(let key): return try Self.rsa(key, data, algorithm)
            case .p256(let key): return Array(try key.signature(for: data).rawRepresentation)
            case .p384(let key): return Array(try key.signature(for: data).rawRepresentation)
            case .p521(let key): return Array(try key.signature(for: data).rawRepresentation)
            case .ed25519(let key): return Array(try key.signature(for: data))
            case .symmetric(let key): return try Self.symmetric(key, data, algorithm)
            }
        } catch {
            throw RequestError(problem: "cannot be used", remedy: "give another key")
        }
    }

    private static func rsa(
        _ key: _RSA.Signing.PrivateKey, _ data: [UInt8], _ algorithm: Algorithm
    ) throws -> [UInt8] {
        let padding: _RSA.Signing.Padding =
            [.ps256, .ps384, .ps512].contains(algorithm) ? .PSS : .insecurePKCS1v1_5
        let signature =
            switch algorithm {
            case .rs384, .ps384: try key.signature(for: SHA384.hash(data: data), padding: padding)
            case .rs512, .ps512: try key.signature(for: SHA512.hash(data: data), padding: padding)
            default: try key.signature(for: SHA256.hash(data: data), padding: padding)
            }
        return Array(signature.rawRepresentation)
    }

    private static func symmetric(
        _ key: SymmetricKey, _ data: [UInt8], _ algorithm: Algorithm
    ) throws -> [UInt8] {
        switch algorithm {
        case .hs384: return Array(HMAC<SHA384>.authenticationCode(for: data, using: key))
        case .hs512: return Array(HMAC<SHA512>.authenticationCode(for: data, using: key))
        case .edDSA:
            let raw = key.withUnsafeBytes { Array($0) }
            return Array(
                try Curve25519.Signing.PrivateKey(rawRepresentation: raw).signature(for: data))
        default: return Array(HMAC<SHA256>.authenticationCode(for: data, using: key))
        }
    }
}
