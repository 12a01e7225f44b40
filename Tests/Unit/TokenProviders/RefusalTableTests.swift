import Foundation
import Testing

@testable import TokenFormats
@testable import TokenProviders

/// Error answers of real providers to a refresh, with the class of each: `Fixtures/refusals.json`.
@Suite("Refusals of the world") struct RefusalTableTests {
    static let table: JSONNode = {
        let path = repositoryRoot.appending(
            path: "Tests/Unit/Fixtures/refusals.json")
        let data = (try? Data(contentsOf: path)) ?? Data()
        return (try? JSONReader.read(Array(data))) ?? nil
    }()

    struct Row: Sendable, CustomTestStringConvertible {
        var number: Int64, profile: String, answer: JSONNode, expected: String
        var retryAfter: Int64?
        var testDescription: String {
            let body = answer["body"].map { String(decoding: $0.serialized(), as: UTF8.self) }
            return "\(number) \(profile) \(body ?? "")"
        }
    }

    static let rows: [Row] = (table["rows"]?.elements ?? []).map { row in
        Row(
            number: row["row"]?.integer ?? 0, profile: row["profile"]?.text ?? "", answer: row,
            expected: row["class"]?.text ?? "", retryAfter: row["retry_after"]?.integer)
    }

    /// A shipped profile, or one of the table itself.
    private func profile(_ name: String) throws -> ProviderProfile {
        guard let own = Self.table["profiles"]?[name] else {
            return try #require(BuiltInProfiles.profile(named: name))
        }
        let source: JSONNode = .object([("providers", .object([(name, own)]))])
        let document = ConfigurationDocument(file: "t", bytes: [])
        let field = FieldReader(
            source["providers"]?[name] ?? nil, path: "", fallbackOffset: 0, document: document)
        let catalogue = ProfileCatalogue(
            configured: [name: ProviderSource(node: own, field: field)])
        let read = catalogue.profile(named: name, usedBy: field)
        #expect(document.mistakes.map(\.description) == [])
        return try #require(read)
    }

    @Test("the table is whole: every row is there, or says why it is not")
    func whole() {
        let left = Set((Self.table["left_out"]?.members ?? []).compactMap { Int64($0.key) })
        let tested = Set(Self.rows.map(\.number))
        #expect(tested.union(left) == Set(1...74))
        #expect(tested.count >= 50)
    }

    @Test("its class", arguments: rows)
    func row(row: Row) throws {
        let profile = try profile(row.profile)
        let step = profile.refresh[0].id
        let reading = ResponseReader(profile: profile, kind: .refresh, step: step)
            .read(CatalogueFixture.answer(row.answer), sentAt: CatalogueFixture.now.wall)
        #expect(reading.failure?.failureClass.rawValue == row.expected)
        #expect(reading.refreshToken == nil)
        if let seconds = row.retryAfter {
            #expect(reading.failure?.retryAfter == .seconds(seconds))
        }
    }
}
