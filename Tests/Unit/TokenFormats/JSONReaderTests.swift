import Testing

@testable import TokenFormats

@Suite("JSON") struct JSONReaderTests {
    private func read(_ text: String) -> Result<JSONNode, JSONSyntaxError> {
        do throws(JSONSyntaxError) { return .success(try JSONReader.read(Array(text.utf8))) } catch
        {
            return .failure(error)
        }
    }

    @Test(
        "reads what RFC 8259 allows", arguments: ["{}", "[]", " null ", "-0.5e+10", "\"\\u00e9\""])
    func valid(text: String) throws { _ = try read(text).get() }

    @Test(
        "refuses what it forbids",
        arguments: [
            "", "{", "[1,]", "{\"a\":1,}", "01", "+1", "1.", ".5", "NaN", "Infinity", "'a'",
            "\"\t\"",
            "\"\\x\"", "\"\\ud800\"", "\"\\ud800\\u0041\"", "tru", "{\"a\" 1}", "{a:1}", "[1 2]",
            "\u{FEFF}{}",
            "1 2", "{\"a\":1}x", "\"abc",
        ])
    func invalid(text: String) { #expect(throws: JSONSyntaxError.self) { try read(text).get() } }

    @Test("refuses a key given twice, and points at the second")
    func duplicate() {
        #expect(
            read("{\"a\":1,\"b\":2,\"a\":3}")
                == .failure(JSONSyntaxError(offset: 13, problem: "this key appears twice")))
    }

    @Test("refuses bytes that are not UTF-8")
    func notUTF8() {
        #expect(throws: JSONSyntaxError.self) { try JSONReader.read([0x22, 0xFF, 0x22]) }
    }

    @Test("a million brackets are an error, not a crash")
    func deep() {
        let bytes = Array(repeating: UInt8(ascii: "["), count: 1_000_000)
        #expect(throws: JSONSyntaxError.self) { try JSONReader.read(bytes) }
    }

    @Test("what it writes it reads back", arguments: ["a\"\\\n\r\t\u{0}\u{7F}é😀", "", "/"])
    func roundTrip(text: String) throws {
        let node = JSONNode.object([("k", .array([.string(text), 1, true, nil, .integer(-5)]))])
        #expect(try JSONReader.read(node.serialized()) == node)
        #expect(try JSONReader.read(node.serialized(indented: true)) == node)
    }

    @Test("escapes stand at the begin, in the middle and at the end, and nothing else is escaped")
    func escapes() throws {
        let text = "\n\"a\\b/\r\t\u{1}é\u{7F}c\u{1F}"
        let bytes = JSONNode.string(text).serialized()
        let wanted = ##""\n\"a\\b/\r\t\u0001é\u007fc\u001f""##
        #expect(String(decoding: bytes, as: UTF8.self) == wanted)
        #expect(try JSONReader.read(bytes).text == text)
        // The end of a document within a text, behind an escape and behind plain bytes.
        for text in [##""a\"##, ##""a\n"##, ##""a"##] {
            #expect(throws: JSONSyntaxError.self) { try read(text).get() }
        }
    }

    @Test("a random byte changed never crashes it", arguments: 0..<200 as Range<UInt64>)
    func mutated(seed: UInt64) {
        var random = RandomSource(seed: seed)
        var bytes = Array(
            "{\"access_token\":\"a\\u00e9\",\"expires_in\":3600,\"x\":[1,{\"y\":null}]}".utf8)
        for _ in 0..<3 {
            bytes[Int.random(in: bytes.indices, using: &random)] =
                UInt8.random(in: 0...255, using: &random)
        }
        if let node = try? JSONReader.read(bytes) {
            #expect((try? JSONReader.read(node.serialized())) == node)
        }
    }

    @Test("pointers resolve as RFC 6901 says")
    func pointers() throws {
        // The document of RFC 6901 section 5.
        let node = try JSONReader.read(
            Array("{\"foo\":[\"bar\",\"baz\"],\"\":0,\"a/b\":1,\"m~n\":8,\" \":7}".utf8))
        let expected: [(String, JSONNode?)] = [
            ("", node), ("/foo", ["bar", "baz"]), ("/foo/0", "bar"), ("/", 0), ("/a~1b", 1),
            ("/m~0n", 8), ("/ ", 7), ("/foo/2", nil), ("/foo/00", nil), ("/foo/-", nil),
            ("/missing", nil),
        ]
        for (text, value) in expected {
            #expect(JSONPointer(text)?.resolve(in: node) == value, "\(text)")
        }
        #expect(JSONPointer("foo") == nil)
        #expect(JSONPointer("/~2") == nil)
    }
}

@Suite("Values") struct ValueTests {
    @Test("a secret does not print, however it is shown")
    func secret() {
        let secret = Secret("RT-TOPSECRET")
        var dumped = ""
        dump([secret], to: &dumped)
        for text in ["\(secret)", String(describing: secret), String(reflecting: [secret]), dumped]
        {
            #expect(!text.contains("TOPSECRET"))
        }
        #expect(secret.reveal() == "RT-TOPSECRET")
    }

    @Test(
        "durations are read with their unit",
        arguments: [
            ("0.5s", Duration.milliseconds(500)), ("90s", .seconds(90)), ("5m", .seconds(300)),
            ("12h", .seconds(43_200)), ("60d", .seconds(5_184_000)), ("250ms", .milliseconds(250)),
        ])
    func duration(text: String, expected: Duration) { #expect(parseDuration(text) == expected) }

    @Test(
        "and refused without it",
        arguments: ["90", "s", "-1s", "1.s", ".5s", "1e3s", "1 s", "99999999d"])
    func noDuration(text: String) { #expect(parseDuration(text) == nil) }

    @Test("dates are read as RFC 3339 and RFC 9110 write them")
    func dates() {
        #expect(CivilTime.epochSeconds(rfc3339: "2026-11-21T02:15:00Z") == 1_795_227_300)
        #expect(CivilTime.epochSeconds(rfc3339: "2026-11-21T04:15:00.123+02:00") == 1_795_227_300)
        #expect(CivilTime.epochSeconds(rfc3339: "1970-01-01T00:00:00Z") == 0)
        #expect(CivilTime.epochSeconds(rfc3339: "2026-13-21T02:15:00Z") == nil)
        #expect(CivilTime.epochSeconds(rfc3339: "2026-11-21 02:15") == nil)
        #expect(
            CivilTime.epochSeconds(httpDate: "Sun, 06 Nov 1994 08:49:37 GMT") == 784_111_777)
        #expect(CivilTime.epochSeconds(httpDate: "yesterday") == nil)
        for seconds in [Int64(0), -1, 951_782_400, 4_102_444_800, 1_709_164_800] {
            #expect(CivilTime(epochSeconds: seconds).epochSeconds == seconds)
        }
    }

    @Test("base 64 agrees with RFC 4648 section 10")
    func base64Vectors() {
        let vectors = [
            ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="), ("foobar", "Zm9vYmFy"),
        ]
        for (plain, encoded) in vectors {
            #expect(base64(Array(plain.utf8)) == encoded)
            let bare = encoded.replacing("=", with: "")
            #expect(base64(Array(plain.utf8), urlSafe: true) == bare)
            #expect(bytes(base64URL: bare) == Array(plain.utf8))
        }
    }

    @Test("elapsed time is exact within a boot, and unknown when the wall clock went back")
    func elapsed() {
        let start = Moment(
            uptime: Uptime(.seconds(100)), wall: WallTime(epochSeconds: 1000), bootID: "a")
        var later = start.advanced(by: .seconds(50))
        later.wall = WallTime(epochSeconds: -5)
        #expect(later.elapsed(since: start) == .seconds(50))
        later.bootID = "b"
        #expect(later.elapsed(since: start) == nil)
        later.wall = WallTime(epochSeconds: 1100)
        #expect(later.elapsed(since: start) == .seconds(100))
    }
}
