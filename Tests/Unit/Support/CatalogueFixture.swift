import Crypto
import CryptoExtras
import Foundation
import Testing

@testable import TokenFormats
@testable import TokenProviders

/// The documented endpoint of a provider, and the expected result:
/// `Tests/Fixtures/Profiles/NAME.json`. `Tests/run catalogue` compares the same files with real
/// connections.
struct CatalogueFixture: Sendable {
    let name: String
    let json: JSONNode

    static let folder = repositoryRoot.appending(path: "Tests/Fixtures/Profiles")

    init(_ name: String) throws {
        self.name = name
        let path = Self.folder.appending(path: name + ".json")
        json = try JSONReader.read(Array(try Data(contentsOf: path)))
    }

    static let names: [String] = {
        let files = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return files.filter { $0.hasSuffix(".json") }.map { String($0.dropLast(5)) }.sorted()
    }()

    /// All computations use this fixed time: 2026-01-02T03:04:05.678Z.
    static let now = Moment(
        uptime: Uptime(.seconds(1000)), wall: WallTime(.milliseconds(1_767_323_045_678)),
        bootID: "boot-1")
    static let nonce = RequestNonce(
        uuid: "00000000-0000-4000-8000-000000000001",
        random: String(String(repeating: "RANDOM", count: 11).prefix(64)), now: now.wall)

    var exchanges: [JSONNode] { json["exchanges"]?.elements ?? [] }
    var errors: [JSONNode] { json["errors"]?.elements ?? [] }

    func credential(_ key: String) -> String? { json["credential"]?[key]?.text }

    /// Variables as the daemon would have read them, with keys of the named kind.
    var values: CredentialValues {
        var variables: [String: JSONNode] = [:]
        for member in json["credential"]?["variables"]?.members ?? [] {
            variables[member.key] =
                member.value.text.flatMap(TestKeys.pem).map { .string($0) }
                ?? member.value
        }
        return CredentialValues(
            clientID: credential("client_id"), clientSecret: credential("client_secret"),
            scope: credential("scope"), variables: variables)
    }

    static func answer(_ node: JSONNode?) -> RawResponse {
        let body = node?["body"] ?? ""
        let bytes = body.text.map { Array($0.utf8) } ?? body.serialized()
        let headers = (node?["headers"]?.members ?? []).map {
            HeaderField($0.key, $0.value.canonicalText ?? "")
        }
        return RawResponse(
            status: Int(node?["status"]?.integer ?? 0), headers: headers, body: bytes)
    }
}

/// Private keys for a single run of the tests.
enum TestKeys {
    static let rsa = try? _RSA.Signing.PrivateKey(keySize: .bits2048)
    static let p256 = P256.Signing.PrivateKey()
    static let ed25519 = Curve25519.Signing.PrivateKey()

    static func pem(_ name: String) -> String? {
        switch name {
        case "@rsa": rsa?.pemRepresentation
        case "@p256": p256.pemRepresentation
        case "@ed25519":
            "-----BEGIN PRIVATE KEY-----\n"
                + base64(
                    [
                        0x30, 0x2E, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70,
                        0x04, 0x22, 0x04, 0x20,
                    ] + Array(ed25519.rawRepresentation)) + "\n-----END PRIVATE KEY-----\n"
        default: nil
        }
    }
}
