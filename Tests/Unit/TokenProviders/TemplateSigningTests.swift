import Crypto
import CryptoExtras
import Foundation
import Testing

@testable import TokenConfiguration
@testable import TokenFormats
@testable import TokenProviders

@Suite("sign() in templates") struct TemplateSigningTests {
    private func value(_ template: String, key: String) throws -> String? {
        let context = TemplateContext(
            values: ["private_key": .string(key), "text": "a=1&b=ü"], nonce: Examples.nonce())
        return try Template(template).text(in: context)
    }

    private let text = Array("a=1&b=ü".utf8)

    private func isGood(_ signature: [UInt8], _ key: _RSA.Signing.PublicKey) -> Bool {
        key.isValidSignature(
            _RSA.Signing.RSASignature(rawRepresentation: Data(signature)),
            for: SHA256.hash(data: text), padding: .insecurePKCS1v1_5)
    }

    @Test("its result is base 64; two others give base64url and hexadecimal digits")
    func encodings() throws {
        let rsa = try #require(TestKeys.rsa)
        let read = { (name: String) in
            try #require(
                try value(
                    "${\(name)('RS256', private_key, text)}", key: rsa.pemRepresentation))
        }
        let plain = try read("sign")
        let signature = try #require(bytes(base64URL: plain.prefix { $0 != "=" }))
        #expect(plain.count == 344 && plain.hasSuffix("=="))
        #expect(isGood(signature, rsa.publicKey))
        #expect(bytes(base64URL: try read("sign_base64url")) == signature)
        #expect(try bytes(hexadecimal: read("sign_hex")) == signature)
        #expect(
            try value("${urlencode(sign('RS256', private_key, text))}", key: rsa.pemRepresentation)
                == percentEncoded(plain))
    }

    @Test("a key may be PEM of either kind, or the base 64 of its DER alone, in any lines")
    func keys() throws {
        let rsa = try #require(TestKeys.rsa)
        let pkcs8 = rsa.pkcs8PEMRepresentation
        for pem in [rsa.pemRepresentation, pkcs8] {
            let bare = pem.split(separator: "\n").filter { !$0.hasPrefix("-----") }
            for key in [pem, bare.joined(), bare.joined(separator: "\r\n")] {
                let plain = try #require(
                    try value("${sign('RS256', private_key, text)}", key: key))
                let signature = try #require(bytes(base64URL: plain.prefix { $0 != "=" }))
                #expect(isGood(signature, rsa.publicKey))
            }
        }
    }

    @Test("the other algorithms of assertions sign too")
    func algorithms() throws {
        let sign = { (name: String, key: String) in
            let digits = try #require(
                try value("${sign_hex('\(name)', private_key, text)}", key: key))
            return try #require(bytes(hexadecimal: digits))
        }
        let ecdsa = try sign("ES256", TestKeys.p256.pemRepresentation)
        #expect(
            TestKeys.p256.publicKey.isValidSignature(
                try P256.Signing.ECDSASignature(rawRepresentation: ecdsa), for: text))
        let ed25519 = try sign("EdDSA", TestKeys.pem("@ed25519") ?? "")
        #expect(TestKeys.ed25519.publicKey.isValidSignature(ed25519, for: text))
        // The key of an HMAC is the text itself, even if it looks like another format.
        for key in ["secret", "{}", "MIIB"] {
            #expect(
                try sign("HS256", key)
                    == Array(
                        HMAC<SHA256>.authenticationCode(
                            for: text, using: SymmetricKey(data: Array(key.utf8)))))
        }
    }

    private func requestError(key: String, _ algorithm: String = "RS256") throws -> RequestError? {
        let profile = try Examples.credential(
            providers: """
                "as": {"request": {"url": "https://id.example/t",
                  "params": {"sign": "${sign('\(algorithm)', private_key, 'text')}"}}}
                """, extra: #", "variables": {"private_key": {"file": "k"}}"#
        ).profile
        var context = TemplateContext(nonce: Examples.nonce())
        context.values = [
            "client_id": "i", "client_secret": "s", "refresh_token": "r",
            "private_key": .string(key),
        ]
        do throws(RequestError) {
            _ = try profile.refresh[0].request.render(in: context)
            return nil
        } catch { return error }
    }

    @Test("a key that cannot sign is told as such, and never shown")
    func badKeys() throws {
        for (key, algorithm, word) in [
            ("s3cret", "RS256", "cannot sign RS256"),
            (TestKeys.p256.pemRepresentation, "RS256", "cannot sign RS256"),
            (
                "-----BEGIN PRIVATE KEY-----\ns3cret\n-----END PRIVATE KEY-----", "RS256",
                "not an RSA key"
            ),
            ("-----BEGIN ENCRYPTED PRIVATE KEY-----", "ES256", "encrypted"),
        ] {
            let error = try #require(try requestError(key: key, algorithm))
            #expect(error.problem.contains("sign()") && error.problem.contains(word), "\(error)")
            #expect(!"\(error)".contains("s3cret"))
        }
        #expect(try requestError(key: try #require(TestKeys.rsa).pemRepresentation) == nil)
    }

    @Test("an algorithm that is none is a mistake in the template")
    func badNames() {
        for template in [
            "${sign('RSA2', private_key, text)}", "${sign('RS256', private_key)}",
            "${sign('rs256', private_key, text)}",
        ] {
            #expect(throws: RequestError.self) { try Template(template) }
        }
    }

    @Test("its key may have several lines, and a credential without it is a mistake")
    func lines() throws {
        let provider = """
            "as": {"request": {"url": "https://id.example/t",
              "params": {"sign": "${sign('RS256', app_key, concat(client_id, hash('md5', a)))}",
                         "mac": "${sign('HS256', mac_key, 'x')}"}}}
            """
        let keys = #", "variables": {"app_key": {"file": "k"}, "a": "b", "mac_key": "c"}"#
        let profile = try Examples.credential(providers: provider, extra: keys).profile
        #expect(profile.shape(of: "app_key") == .lines)
        for name in ["a", "mac_key", "client_id", "client_secret", "refresh_token"] {
            #expect(profile.shape(of: name) == .line, "\(name)")
        }
        #expect(throws: ConfigurationMistakes.self) {
            try Examples.credential(providers: provider, extra: "")
        }
    }
}

@Suite("Parameters given more than once") struct RepeatedParameterTests {
    private func request(_ request: String) throws -> RenderedRequest {
        let profile = try Examples.credential(
            providers: #""as": {"request": {"url": "https://id.example/t", \#(request)}}"#,
            extra: #", "variables": {"second": "https://b.example/?x=1&y=2"}"#
        ).profile
        var context = TemplateContext(nonce: Examples.nonce())
        context.values = [
            "client_id": "i", "client_secret": "s", "refresh_token": "r",
            "second": "https://b.example/?x=1&y=2",
        ]
        return try profile.refresh[0].request.render(in: context)
    }

    private func body(_ rendered: RenderedRequest) -> String {
        String(decoding: rendered.body ?? [], as: UTF8.self)
    }

    private static let resources =
        #""params": {"resource": ["https://a.example/", "${second}", "${unset}", 3]}"#
    private static let repeated =
        "resource=https%3A%2F%2Fa.example%2F&resource=https%3A%2F%2Fb.example%2F%3Fx%3D1%26y%3D2"
        + "&resource=3"

    @Test("an array in a form or a query is one parameter after the other, in its order")
    func forms() throws {
        #expect(body(try request(Self.resources)).hasSuffix(Self.repeated))
        let query = try request(#""encoding": "query", \#(Self.resources)"#)
        #expect(query.url.hasSuffix("&" + Self.repeated) && query.body == nil)
        let beside = try request(#""query": {"a": ["1", true], "b": "c", "none": []}"#)
        #expect(beside.url == "https://id.example/t?a=1&a=true&b=c")
    }

    @Test("its wire name is renamed as any other's")
    func renamed() throws {
        let text = #""param_names": {"scope": "perm"}, "params": {"scope": ["a", "b"]}"#
        #expect(body(try request(text)).hasSuffix("perm=a&perm=b"))
    }

    @Test("in JSON it stays an array")
    func json() throws {
        let node = try JSONReader.read(
            try request(#""encoding": "json", \#(Self.resources)"#).body ?? [])
        #expect(
            node["resource"] == ["https://a.example/", "https://b.example/?x=1&y=2", 3])
    }

    @Test("an object, or an array in an array, is still for JSON alone")
    func nested() {
        for parameters in [#"{"a": {"b": 1}}"#, #"{"a": [["b"]]}"#, #"{"a": ["b", {"c": 1}]}"#] {
            for key in ["params", "query"] {
                #expect(throws: ConfigurationMistakes.self, "\(key) \(parameters)") {
                    try request("\"\(key)\": \(parameters)")
                }
            }
        }
    }
}
