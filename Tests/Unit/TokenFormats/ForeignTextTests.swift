import Testing

@testable import TokenFormats

@Suite("Texts that others wrote") struct ForeignTextTests {
    /// One letter with two marks in either order: equal texts for Swift, different ones for RFC
    /// 8259 section 8.3.
    private let orders = ("a\u{315}\u{300}", "a\u{300}\u{315}")

    @Test("texts, keys and secrets are the same if their bytes are")
    func bytes() throws {
        #expect(orders.0 == orders.1, "Swift's own comparison sorts marks")
        #expect(!orders.0.hasSameBytes(as: orders.1))
        #expect(ByteText(orders.0) != ByteText(orders.1))
        #expect(Set([ByteText(orders.0), ByteText(orders.1), ByteText(orders.0)]).count == 2)
        #expect(Secret(orders.0) != Secret(orders.1))
        #expect(JSONNode.string(orders.0) != JSONNode.string(orders.1))
        let document = "{\"\(orders.0)\": 1, \"\(orders.1)\": 2}"
        let node = try JSONReader.read(Array(document.utf8))
        #expect(node[orders.0]?.integer == 1)
        #expect(node[orders.1]?.integer == 2)
        #expect(throws: JSONSyntaxError.self) {
            try JSONReader.read(Array("{\"\(orders.0)\": 1, \"\(orders.0)\": 2}".utf8))
        }
    }

    @Test("a mark behind a letter hides nothing from a search by bytes")
    func search() {
        let token = "r\"e\\f"
        #expect(("x" + token + "\u{301}").containsBytes(of: token))
        #expect("\u{301}https://".hasBytePrefix("\u{301}h"))
        #expect("https\u{301}://".hasBytePrefix("http"))
        #expect(!"abc".containsBytes(of: "abd"))
        #expect("anything".containsBytes(of: ""))
    }

    @Test("a search by bytes finds what a plain one finds, in random texts of two letters")
    func searchAgainstOracle() {
        var random = RandomSource(seed: 2026)
        func text(_ most: UInt64) -> String {
            let count = random.next(upperBound: most)
            return String(
                (0..<count).map { _ in random.next(upperBound: UInt64(2)) == 0 ? "a" : "b" })
        }
        var found = 0
        for _ in 0..<4000 {
            let (hay, needle) = (text(24), text(6))
            let isThere = (0...hay.utf8.count).contains { start in
                hay.utf8.dropFirst(start).starts(with: needle.utf8)
            }
            #expect(hay.containsBytes(of: needle) == isThere, "\(needle) in \(hay)")
            found += isThere ? 1 : 0
        }
        #expect((400...3600).contains(found), "both cases were tried")
    }

    @Test("white space is trimmed by bytes: a mark behind it makes it no text of its own")
    func trimming() {
        #expect(" \t\r\nab c\n".trimmedOfSpace == "ab c")
        #expect("\r\n".trimmedOfSpace.isEmpty)
        #expect(" \u{301}".trimmedOfSpace.utf8.elementsEqual("\u{301}".utf8))
    }
}

/// Bodies whose reading costs the most for their size.
enum WorstBodies {
    static let size = 47_000

    private static func filled(_ head: String, _ unit: String, _ tail: String) -> [UInt8] {
        let room = size - head.utf8.count - tail.utf8.count
        return Array(head.utf8)
            + Array(repeating: Array(unit.utf8), count: room / unit.utf8.count).flatMap { $0 }
            + Array(tail.utf8)
    }

    static let all: [(name: String, body: [UInt8])] = {
        let marks = "\u{315}\u{300}\u{323}\u{5B0}"
        let grant = "\"access_token\":\"at\",\"expires_in\":60"
        let units = [
            ("marks", marks), ("Hangul", "\u{1100}\u{1161}\u{11A8}"),
            ("flags", "\u{1F1E9}"), ("joined signs", "\u{1F468}\u{200D}"),
            ("escapes", "\\u0315\\ud83d\\ude00"), ("almost a pattern", "too man"),
        ]
        let places = [
            ("error", "{\"error\":\"a", "\"}"), ("scope", "{\(grant),\"scope\":\"a", "\"}"),
            ("key", "{\(grant),\"a", "\":1}"), ("token", "{\"access_token\":\"a", "\"}"),
            ("refresh token", "{\(grant),\"refresh_token\":\"a", "\"}"),
            ("lifetime", "{\"access_token\":\"a\",\"expires_in\":\"1", "\"}"),
            ("description", "{\"error\":\"x\",\"error_description\":\"a", "\"}"),
            ("form", "access_token=a&scope=a", ""),
            ("cut", "{\"refresh_token\":\"a", ""),
        ]
        let texts = units.flatMap { unit in
            places.map { ("\(unit.0) in \($0.0)", filled($0.1, unit.1, $0.2)) }
        }
        return texts + [
            ("nesting", filled("", "[", "")),
            ("a long number", filled("{\"expires_in\":1", "7", "}")),
            ("backslashes", filled("{\"error\":\"", "\\\\", "\"}")),
            ("salvage bait", filled("{", "\"refresh_token\":\"x\\\"", "")),
            ("pairs", filled("a=1", "&b%20=2", "")), ("white space", filled("{", " ", "")),
            ("empty objects", filled("[{}", ",{}", "]")),
            (
                "many keys",
                Array("{".utf8)
                    + Array(
                        (0..<4000).map { "\"k\($0)\u{315}\u{300}\":1" }.joined(separator: ",").utf8)
                    + Array("}".utf8)
            ),
        ]
    }()
}
