import Crypto
import CryptoExtras
import Testing

@testable import TokenFormats
@testable import TokenProviders

/// Compares one request with the documentation. `{{jwt}}` stands for a signed assertion: its
/// content is compared, and its signature verified.
struct RequestComparison {
    let expected: JSONNode
    let request: RenderedRequest

    func run() throws {
        let wanted = expected["request"]
        #expect(request.method == wanted?["method"]?.text)
        let target = request.url.split(separator: "?", maxSplits: 1)
        #expect(target.first.map(String.init) == wanted?["url"]?.text)
        let query = target.count == 2 ? try pairs(String(target[1])) : []
        compare(query, with: wanted?["query"] ?? [:])
        compareHeaders(wanted?["headers"] ?? [:])
        let body = request.body.map { String(decoding: $0, as: UTF8.self) }
        if let form = wanted?["form"] {
            compare(try pairs(body ?? ""), with: form)
        } else if let json = wanted?["json"] {
            #expect(try JSONReader.read(request.body ?? []) == json)
        } else if let text = wanted?["text"]?.text {
            #expect(body == text)
        } else {
            #expect(body == nil || body == "")
        }
        for member in expected["assertions"]?.members ?? [] { try compareAssertion(member.value) }
    }

    private func pairs(_ text: String) throws -> [(String, String)] {
        try text.split(separator: "&").map { pair in
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            return (
                try #require(formDecoded(parts[0])),
                parts.count == 2 ? try #require(formDecoded(parts[1])) : ""
            )
        }
    }

    private func compare(_ found: [(String, String)], with expected: JSONNode) {
        let wanted = (expected.members ?? []).map { ($0.key, $0.value.canonicalText ?? "") }
        #expect(found.map(\.0) == wanted.map(\.0))
        for (one, other) in zip(found, wanted) where !isSame(one.1, other.1) {
            Issue.record("\(one.0) is \(one.1), not \(other.1)")
        }
    }

    private func compareHeaders(_ expected: JSONNode) {
        let found = request.headers.sorted { $0.name.lowercased() < $1.name.lowercased() }
        let wanted = (expected.members ?? []).sorted { $0.key.lowercased() < $1.key.lowercased() }
        #expect(found.map { $0.name.lowercased() } == wanted.map { $0.key.lowercased() })
        for (one, other) in zip(found, wanted)
        where !isSame(one.value, other.value.canonicalText ?? "") {
            Issue.record("\(one.name) is \(one.value), not \(other.value)")
        }
    }

    private func isSame(_ found: String, _ expected: String) -> Bool {
        guard let mark = expected.firstRange(of: "{{jwt}}") else { return found == expected }
        return found.hasPrefix(expected[..<mark.lowerBound]) && !token(in: found).isEmpty
    }

    /// The JWT in a text, or an empty text.
    private func token(in text: String) -> String {
        let last = text.split(separator: " ").last.map(String.init) ?? ""
        return last.split(separator: ".").count == 3 ? last : ""
    }

    private func compareAssertion(_ expected: JSONNode) throws {
        let form = request.body.map { String(decoding: $0, as: UTF8.self) } ?? ""
        let values = (try? pairs(form).map(\.1)) ?? []
        let candidates = values + request.headers.map(\.value)
        let jwt = try #require(candidates.map(token).first { !$0.isEmpty })
        let parts = jwt.split(separator: ".").map(String.init)
        let header = try JSONReader.read(try #require(bytes(base64URL: parts[0])))
        let claims = try JSONReader.read(try #require(bytes(base64URL: parts[1])))
        same(header, expected["header"] ?? [:])
        same(claims, expected["claims"] ?? [:])
        let signature = try #require(bytes(base64URL: parts[2]))
        let signed = Array("\(parts[0]).\(parts[1])".utf8)
        #expect(verifies(header["alg"]?.text ?? "", signature, signed))
    }

    /// Compares JSON objects regardless of order.
    private func same(_ found: JSONNode, _ expected: JSONNode) {
        let keys = { (node: JSONNode) in (node.members ?? []).map(\.key).sorted() }
        #expect(keys(found) == keys(expected))
        for member in expected.members ?? [] { #expect(found[member.key] == member.value) }
    }

    private func verifies(_ algorithm: String, _ signature: [UInt8], _ data: [UInt8]) -> Bool {
        switch algorithm {
        case "RS256", "PS256":
            TestKeys.rsa?.publicKey.isValidSignature(
                _RSA.Signing.RSASignature(rawRepresentation: signature),
                for: SHA256.hash(data: data),
                padding: algorithm == "PS256" ? .PSS : .insecurePKCS1v1_5) ?? false
        case "ES256":
            (try? P256.Signing.ECDSASignature(rawRepresentation: signature)).map {
                TestKeys.p256.publicKey.isValidSignature($0, for: data)
            } ?? false
        case "EdDSA": TestKeys.ed25519.publicKey.isValidSignature(signature, for: data)
        default: false
        }
    }
}
