import Testing

@testable import TokenFormats
@testable import TokenProviders

@Suite("Any profile, any values, any answer") struct PropertyTests {
    /// Parts of answers, so that random bytes get past the parser.
    private static let pieces = [
        "{", "}", "[", "]", ":", ",", "\"", "null", "true", "0", "1", "-1", "1e9", "3600",
        "1767330245", "\"access_token\"", "\"refresh_token\"", "\"expires_in\"", "\"error\"",
        "\"data\"", "\"code\"", "\"invalid_grant\"", "\"CANARY7secret\"", "\"a\\u0000b\"",
        "\"\\r\\nX: y\"", "a=b&", "%0d%0a", "https://evil.example", "\u{FEFF}", "é", "\n",
    ]

    @Test("hold what must hold", arguments: [1, 2, 3, 4] as [UInt64])
    func random(seed: UInt64) {
        var random = RandomSource(seed: seed)
        var problems: Set<String> = []
        let properties = ProfileProperties { problems.insert($0) }
        #expect(ProfileProperties.profiles.count == BuiltInProfiles.shippedNames.count + 2)
        for _ in 0..<3000 {
            var bytes = (0..<Int(random.next() % 40)).map { _ in UInt8(random.next() % 256) }
            for _ in 0..<random.next() % 24 {
                bytes += Array(Self.pieces[Int(random.next() % UInt64(Self.pieces.count))].utf8)
            }
            properties.check(bytes)
        }
        #expect(problems == [], "seed \(seed)")
    }

    @Test("and documented answers, broken at random, too", arguments: CatalogueFixture.names)
    func mutated(name: String) throws {
        let fixture = try CatalogueFixture(name)
        let index = try #require(BuiltInProfiles.shippedNames.firstIndex(of: name))
        var random = RandomSource(seed: UInt64(index))
        var problems: Set<String> = []
        let properties = ProfileProperties { problems.insert($0) }
        for answer in fixture.exchanges.compactMap({ $0["answer"] }) + fixture.errors {
            let body = CatalogueFixture.answer(answer).body
            for _ in 0..<20 {
                // Profile, kind, no texts, then status, no headers, not truncated, and the body.
                var bytes = [UInt8(index), UInt8(0)] + Array(repeating: 0, count: 30)
                var broken = body
                if !broken.isEmpty {
                    let at = Int(random.next() % UInt64(broken.count))
                    broken[at] = UInt8(random.next() % 256)
                }
                bytes += broken
                properties.check(bytes)
            }
        }
        #expect(problems == [])
    }

    @Test("any bytes for a configuration or a slot", arguments: [1, 2] as [UInt64])
    func readers(seed: UInt64) {
        var random = RandomSource(seed: seed)
        var problems: Set<String> = []
        let properties = ReaderProperties { problems.insert($0) }
        let documents = ConfigurationTests.documents
        for _ in 0..<300 {
            var bytes = Array(documents[Int(random.next() % UInt64(documents.count))].text.utf8)
            for _ in 0..<random.next() % 3 {
                bytes[Int(random.next() % UInt64(bytes.count))] = UInt8(random.next() % 256)
            }
            properties.checkConfiguration(bytes)
            properties.checkSlot((0..<8).map { _ in UInt8(random.next() % 256) })
        }
        #expect(problems == [], "seed \(seed)")
    }
}
