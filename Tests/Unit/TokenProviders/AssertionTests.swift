import Crypto
import CryptoExtras
import Foundation
import Testing

@testable import TokenFormats
@testable import TokenProviders

@Suite("Signed assertions") struct AssertionTests {
    private func assertion(_ text: String) throws -> AssertionSpecification {
        let document = ConfigurationDocument(file: "a", bytes: [])
        let node = try JSONReader.read(Array(#"{"a": \#(text)}"#.utf8))
        let field = FieldReader(node, path: "", fallbackOffset: 0, document: document)
        let read = AssertionReading.read(field, profile: field, methods: [])
        #expect(document.mistakes.map(\.description) == [])
        return try #require(read.named["a"])
    }

    private func sign(
        _ text: String, key: String, _ more: [String: JSONNode] = [:]
    ) throws -> [String] {
        var context = TemplateContext(values: more, nonce: Examples.nonce())
        context.values["private_key"] = .string(key)
        return try assertion(text).signed(in: context, name: "a").split(separator: ".")
            .map(String.init)
    }

    private func json(_ part: String) throws -> JSONNode {
        try JSONReader.read(try #require(bytes(base64URL: part)))
    }

    @Test("iat lies half a minute back, exp follows it, unset parts are left out")
    func content() throws {
        let text = """
            {"alg": "HS256", "key": "${private_key}", "lifetime": "9m",
             "header": {"kid": "${key_id}", "x5t": "${thumbprint}"},
             "claims": {"iss": "${client_id}", "sub": "${subject}", "jti": "${uuid()}",
                        "list": [1, "${client_id}"]}}
            """
        let parts = try sign(text, key: "k", ["client_id": "me", "key_id": "k1"])
        #expect(try json(parts[0]) == ["alg": "HS256", "typ": "JWT", "kid": "k1"])
        let claims: JSONNode = [
            "iss": "me", "jti": "11111111-2222-4333-8444-555555555555", "list": [1, "me"],
            "iat": 1_794_999_970, "exp": 1_795_000_510,
        ]
        #expect(try json(parts[1]) == claims)
    }

    @Test("a profile's own iat and exp stand")
    func ownTimes() throws {
        let parts = try sign(
            """
            {"alg": "HS256", "key": "k", "claims": {"iat": 1, "exp": "${now('epoch_seconds')}"}}
            """, key: "")
        #expect(try json(parts[1]) == ["iat": 1, "exp": 1_795_000_000])
    }

    @Test("every algorithm signs what its public key verifies")
    func algorithms() throws {
        let rsa = try #require(TestKeys.rsa)
        for (name, padding) in [("RS", _RSA.Signing.Padding.insecurePKCS1v1_5), ("PS", .PSS)] {
            for bits in ["256", "384", "512"] {
                let (data, signature) = try signed("\(name)\(bits)", rsa.pemRepresentation)
                let proof = _RSA.Signing.RSASignature(rawRepresentation: signature)
                let isValid =
                    switch bits {
                    case "256":
                        rsa.publicKey.isValidSignature(
                            proof, for: SHA256.hash(data: data), padding: padding)
                    case "384":
                        rsa.publicKey.isValidSignature(
                            proof, for: SHA384.hash(data: data), padding: padding)
                    default:
                        rsa.publicKey.isValidSignature(
                            proof, for: SHA512.hash(data: data), padding: padding)
                    }
                #expect(isValid, "\(name)\(bits)")
            }
        }
        let (data256, es256) = try signed("ES256", TestKeys.p256.pemRepresentation)
        #expect(
            TestKeys.p256.publicKey.isValidSignature(
                try P256.Signing.ECDSASignature(rawRepresentation: es256), for: data256))
        let p384 = P384.Signing.PrivateKey()
        let (data384, es384) = try signed("ES384", p384.pemRepresentation)
        #expect(
            p384.publicKey.isValidSignature(
                try P384.Signing.ECDSASignature(rawRepresentation: es384), for: data384))
        let p521 = P521.Signing.PrivateKey()
        let (data521, es512) = try signed("ES512", p521.pemRepresentation)
        #expect(
            p521.publicKey.isValidSignature(
                try P521.Signing.ECDSASignature(rawRepresentation: es512), for: data521))
        let (dataEd, edDSA) = try signed("EdDSA", try #require(TestKeys.pem("@ed25519")))
        #expect(TestKeys.ed25519.publicKey.isValidSignature(edDSA, for: dataEd))
    }

    private func signed(
        _ algorithm: String, _ key: String
    ) throws -> (data: [UInt8], signature: [UInt8]) {
        let parts = try sign(
            #"{"alg": "\#(algorithm)", "key": "${private_key}", "claims": {}}"#, key: key)
        return (Array((parts[0] + "." + parts[1]).utf8), try #require(bytes(base64URL: parts[2])))
    }

    @Test("RFC 7515 appendix A.1 and RFC 8037 appendix A.4, to the letter")
    func vectors() throws {
        let hmac = try SigningKey(
            """
            {"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4\
            hcgUuTwjAzZr1Z9CAow"}
            """, encoding: nil)
        let input =
            "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkz"
            + "ODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
        #expect(
            base64(
                try hmac.signature(of: Array(input.utf8), algorithm: .hs256), urlSafe: true)
                == "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
        let ed25519 = try SigningKey(
            """
            {"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
             "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
            """, encoding: .jwk)
        // Ed25519 is deterministic (RFC 8032), but BoringSSL may add randomness, so the signature
        // is verified instead of compared.
        let message = Array("eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc".utf8)
        let key = try Curve25519.Signing.PublicKey(
            rawRepresentation: try #require(
                bytes(base64URL: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")))
        #expect(
            key.isValidSignature(
                try ed25519.signature(of: message, algorithm: .edDSA), for: message))
    }

    @Test("keys come as PEM with escaped line breaks, as hex, as base 64, as JWK")
    func keyForms() throws {
        let pem = TestKeys.p256.pemRepresentation
        let escaped = pem.replacing("\n", with: "\\n")
        _ = try sign(#"{"alg": "ES256", "key": "${private_key}", "claims": {}}"#, key: escaped)
        let parameters = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS"
        _ = try sign(
            #"{"alg": "ES256", "key": "${private_key}", "claims": {}}"#,
            key: parameters + "-----\n" + pem)
        let raw = TestKeys.p256.rawRepresentation
        let jwk =
            #"{"kty":"EC","crv":"P-256","d":""# + base64(Array(raw), urlSafe: true) + #""}"#
        _ = try sign(#"{"alg": "ES256", "key": "${private_key}", "claims": {}}"#, key: jwk)
        let all = try ["hex", "base64", "utf8"].map { encoding in
            let key = ["hex": "6b6579", "base64": "a2V5", "utf8": "key"][encoding] ?? ""
            return try sign(
                """
                {"alg": "HS256", "key": "${private_key}", "key_encoding": "\(encoding)",
                 "claims": {}}
                """, key: key)
        }
        #expect(all[0] == all[1] && all[1] == all[2])
    }

    @Test("a key that cannot be used says why, and nothing of itself")
    func refusals() throws {
        let p256 = TestKeys.p256.pemRepresentation
        let cases: [(String, String, String)] = [
            ("RS256", p256, "cannot sign RS256"), ("ES256", "secret-canary", "cannot sign ES256"),
            (
                "ES256", "-----BEGIN PRIVATE KEY-----\ncanary\n-----END PRIVATE KEY-----",
                "is not an RSA"
            ),
            ("RS256", "-----BEGIN ENCRYPTED PRIVATE KEY-----\ncanary", "is encrypted"),
            ("RS256", "-----BEGIN CERTIFICATE-----\ncanary", "holds no PEM private key"),
            ("ES256", #"{"kty":"EC","crv":"P-256","d":"canary"}"#, "JWK with wrong parts"),
            ("ES256", #"{"kty":"EC","crv":"P-256","x":"canary"}"#, "JWK with wrong parts"),
            ("ES256", #"{"canary"}"#, "is not a JWK"),
        ]
        for (algorithm, key, expected) in cases {
            let error = #expect(throws: RequestError.self) {
                try sign(
                    #"{"alg": "\#(algorithm)", "key": "${private_key}", "claims": {}}"#, key: key)
            }
            let text = "\(error?.problem ?? "") \(error?.remedy ?? "")"
            #expect(text.contains(expected), "\(text)")
            #expect(!text.contains("canary"))
        }
        let context = TemplateContext(nonce: Examples.nonce())
        let unset = try assertion(#"{"alg": "HS256", "key": "${private_key}", "claims": {}}"#)
        #expect(throws: RequestError.self) { try unset.signed(in: context, name: "a") }
    }
}
