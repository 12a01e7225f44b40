import Testing

@testable import TokenConfiguration
@testable import TokenFormats
@testable import TokenProviders
@testable import TokenSlots

/// K1: the tokens in a response are found, whatever is wrong with it.
@Suite("Tolerant reading") struct TolerantReadingTests {
    static let gzip =
        "H4sIAAAAAAACA6tWSkxOTi0uji_Jz07NU7JScgwxUtJRKkpNK0otzoCLBoFFUysKMoHC8Z"
        + "lAIWMzAwMdJbB8fEllQSpQkVNqYlFqkVItAG0okXVUAAAA"
    static let zlib =
        "eJyrVkpMTk4tLo4vyc9OzVOyUnIMMVLSUSpKTStKLc6AiwaBRVMrCjKBwvGZQCFjMwMDHS"
        + "WwfHxJZUEqUJFTamJRapFSLQCmpBvT"
    static let deflate =
        "q1ZKTE5OLS6OL8nPTs1TslJyDDFS0lEqSk0rSi3OgIsGgUVTKwoygcLxmUAhYzMDAx0lsH"
        + "x8SWVBKlCRU2piUWqRUi0A"
    static let doubled =
        "H4sIAAAAAAACA5Pv5mAAASbm1WFePn5-unp9-ifP-50N3hRUxGMYdClQy8tX20v3XEM3W6"
        + "NrsDaXUeOhjzMdFJONmZllVTfU1HimOmoFTAzOSgrMmhiky5CrMbE0BGgcAGEiMf9XAAAA"
    static let cutgzip =
        "H4sIAAAAAAACA6tWSkxOTi0uji_Jz07NU7JScgwxUtJRKkpNK0otzoCLBoFFUysKMoHC8Z"
        + "lAIWMzAwMdJbB8fEllQSpQkVNqYlFq"

    private static let good =
        #"{"access_token":"AT2","refresh_token":"RT2","expires_in":3600,"token_type":"Bearer"}"#

    private func read(
        _ body: [UInt8], status: Int = 200, headers: [(String, String)] = [],
        response: String = "{}", errors: String = "[]", isCut: Bool = false
    ) throws -> ResponseOutcome {
        let credential = try Examples.credential(
            providers: #""as": {"request": {"url": "https://id.example/token"}, "response": "#
                + response + ", \"errors\": " + errors + "}")
        var raw = Examples.answer(status, "", headers: headers)
        (raw.body, raw.isTruncated) = (body, isCut)
        return ResponseReader(profile: credential.profile, kind: .refresh)
            .read(raw, sentAt: Examples.noon.wall)
    }

    private func read(
        _ body: String, status: Int = 200, headers: [(String, String)] = [],
        response: String = "{}", errors: String = "[]", isCut: Bool = false
    ) throws -> ResponseOutcome {
        try read(
            Array(body.utf8), status: status, headers: headers, response: response,
            errors: errors, isCut: isCut)
    }

    private func expectBoth(_ reading: ResponseOutcome, _ note: Forgiveness? = nil) {
        #expect(reading.token?.accessToken.reveal() == "AT2")
        #expect(reading.refreshToken?.reveal() == "RT2")
        #expect(reading.token?.lifetime == .limited(.seconds(3600)))
        if let note { #expect(reading.notes.contains(.forgiven(note))) }
    }

    @Test(
        "a compressed response is read, with and without a header that says so",
        arguments: [gzip, zlib, deflate, doubled], [nil, "gzip", "deflate", "x-gzip"])
    func compressed(text: String, header: String?) throws {
        // Bare deflate has no signature: it is tried only if the header names it.
        if text == Self.deflate, header != "deflate" { return }
        let body = try #require(bytes(base64URL: text))
        let headers = header.map { [("Content-Encoding", $0)] } ?? []
        expectBoth(try read(body, headers: headers), .compressed)
    }

    @Test("a header that names gzip over a plain body harms nothing")
    func labelledOnly() throws {
        let reading = try read(Self.good, headers: [("Content-Encoding", "gzip")])
        expectBoth(reading)
        #expect(reading.notes == [])
    }

    @Test("of a compressed response that was cut the refresh token is saved")
    func compressedAndCut() throws {
        let body = try #require(bytes(base64URL: Self.cutgzip))
        let reading = try read(body, isCut: true)
        #expect(reading.token == nil)
        #expect(reading.refreshToken?.reveal() == "RT2")
    }

    @Test("what is compressed in a way that is not read is named", arguments: ["br", "zstd"])
    func unreadCoding(name: String) throws {
        let bytes: [UInt8] = [0x1B, 0x05, 0x00, 0x04, 0x90, 0xFF]
        let reading = try read(bytes, headers: [("Content-Encoding", name)])
        #expect(reading.failure?.failureClass == .ambiguous)
        #expect(reading.failure?.problem.contains("br, zstd") == true)
    }

    @Test(
        "UTF-16 in both orders, with and without a mark", arguments: [true, false], [true, false])
    func utf16(isLittle: Bool, isMarked: Bool) throws {
        let units = (isMarked ? [UInt16(0xFEFF)] : []) + Array(Self.good.utf16)
        let bytes = units.flatMap { unit in
            let pair = [UInt8(unit >> 8), UInt8(unit & 0xFF)]
            return isLittle ? pair.reversed() : pair
        }
        expectBoth(try read(bytes), .utf16)
    }

    @Test(
        "text around the JSON is left out",
        arguments: [
            ("<br />\n<b>Notice</b>: Undefined index: scope in <b>/srv/a.php</b> [8]\n", ""),
            (")]}',\n", ""), ("callback(", ");"), ("while(1);", ""), ("", "\u{0}\u{0}\u{0}"),
            ("", "\n<!-- served by 7 -->"), ("[2026-11-30] INFO {x} ", ""),
        ])
    func surrounded(before: String, after: String) throws {
        expectBoth(try read(before + Self.good + after), .surroundingText)
    }

    @Test(
        "JSON that breaks its own rules is read",
        arguments: [",}", "\u{1},}", "\\',}", "\\ud800,}"])
    func loose(end: String) throws {
        let note = end == ",}" ? "" : #","x":""# + end.dropLast(2) + "\""
        expectBoth(try read(Self.good.dropLast() + note + ",}"), .looseJSON)
    }

    @Test(
        "values that are no JSON hide nothing beside them",
        arguments: [
            "NaN", "-Infinity", "0x10", "undefined", "", "[1,]", "'x'", "/* c */ 5", "5 // c\n",
            String(repeating: "[", count: 5000) + String(repeating: "]", count: 5000),
        ])
    func junk(value: String) throws {
        expectBoth(try read(Self.good.dropLast() + ",\"x\":" + value + "}"), .looseJSON)
        let first = "{\"x\":" + value + "," + Self.good.dropFirst()
        expectBoth(try read(first), .looseJSON)
    }

    @Test("numbers that JSON does not know are numbers", arguments: ["+3600", "03600", "3600."])
    func looseNumbers(value: String) throws {
        expectBoth(try read(Self.good.replacing("3600", with: value)), .looseJSON)
    }

    @Test("quotes of another kind, and names without any")
    func otherQuotes() throws {
        expectBoth(try read(Self.good.replacing("\"", with: "'")), .looseJSON)
        let bare = Self.good.replacing("\"expires_in\"", with: "expires_in")
        expectBoth(try read(bare), .looseJSON)
        #expect(try read("{access_token: undefined, refresh_token: undefined}").token == nil)
    }

    @Test(
        "an answer that ends early, or has no text for a refresh token, tells nothing of rotation",
        arguments: [
            #"{"access_token":"AT2","refresh_token":"#,
            #"{"access_token":"AT2","refresh_token":5}"#,
        ])
    func rotation(body: String) throws {
        let profile = try Examples.credential().profile
        let record = SlotRecord(
            sequence: 2, state: .intent, attemptID: "a", kind: .refresh, sentAt: Examples.noon,
            grant: Examples.held)
        var grant = record.grant
        let reading = record.reading(of: Examples.answer(200, body), profile: profile)
        grant.apply(reading, to: record, roundTrip: .zero, profile: profile)
        #expect(grant.access?.token == Secret("AT2"))
        #expect(!grant.isKnownStatic && grant.attempts.ambiguousAttempts == 1)
    }

    @Test("a name that stands twice: the last value counts, and an older refresh token is not sent")
    func twice() throws {
        let body = Self.good.dropLast() + #","scope":"a","scope":"b"}"#
        expectBoth(try read(String(body)), .repeatedName)
        let tokens = #"{"refresh_token":"RT1b","# + Self.good.dropFirst()
        let reading = try read(tokens)
        expectBoth(reading, .repeatedName)
        #expect(reading.otherRefreshTokens.map { $0.reveal() } == ["RT1b"])
    }

    @Test("a document inside a string is read once, not twice")
    func insideString() throws {
        let quoted = JSONNode.string(Self.good).serialized()
        expectBoth(try read(quoted), .insideString)
        let again = JSONNode.string(String(decoding: quoted, as: UTF8.self)).serialized()
        #expect(try read(again).token == nil)
    }

    @Test(
        "a form is read under any Content-Type, if it is one from end to end",
        arguments: ["text/html", "application/json", "application/octet-stream"])
    func form(type: String) throws {
        let body = "access_token=AT2&refresh_token=RT2&expires_in=3600&scope=a+b"
        expectBoth(try read(body, headers: [("Content-Type", type)]), .unlabelledForm)
        let page = "<a href=\"?access_token=AT2&refresh_token=RT2\">"
        #expect(try read(page, headers: [("Content-Type", type)]).token == nil)
    }

    @Test("JSON that ends without its brackets gives whole values only")
    func endsEarly() throws {
        expectBoth(try read(String(Self.good.dropLast())), .endsEarly)
        let cut = try read(#"{"refresh_token":"RT2","access_token":"AT"#)
        #expect(cut.token == nil)
        #expect(cut.refreshToken?.reveal() == "RT2")
        #expect(cut.failure?.problem.contains("ends too early") == true)
    }

    @Test("two values with an access token: neither is published, the last refresh token is kept")
    func twoCandidates() throws {
        let other = Self.good.replacing("AT2", with: "AT3").replacing("RT2", with: "RT3")
        let reading = try read(Self.good + other)
        #expect(reading.token == nil)
        #expect(reading.refreshToken?.reveal() == "RT3")
        #expect(reading.otherRefreshTokens.map { $0.reveal() } == ["RT2"])
        #expect(reading.failure?.failureClass == .transient)
        #expect(reading.failure?.problem.contains("two JSON values") == true)
    }

    @Test(
        "what stands in a page grants nothing",
        arguments: ["<html>", "<!DOCTYPE html>", "<HEAD>", "x <script>var x = "])
    func pages(start: String) throws {
        let reading = try read(start + Self.good)
        #expect(reading.token == nil && reading.refreshToken == nil)
        #expect(reading.failure?.problem.contains("HTML page") == true)
    }

    @Test("a token that was found in broken text must look like one (RFC 6750)")
    func guessed() throws {
        for token in ["A B", "A\\\"B", "<b>", "A,B"] {
            let body = "notice: " + Self.good.replacing("AT2", with: token)
            #expect(try read(body).token == nil, "\(token)")
            #expect(try read(body).refreshToken?.reveal() == "RT2")
        }
        #expect(try read("notice: " + Self.good.replacing("AT2", with: "a-._~+/9==")).token != nil)
    }

    @Test(
        "a cut document is searched by the whole path, and no access token becomes a refresh token")
    func paths() throws {
        let nested = #"{"other":{"refresh_token":"NO"},"data":{"refresh_token":"RT2","x":"#
        let root = #"{"root": "/data", "refresh_token": "/refresh_token"}"#
        #expect(try read(nested, response: root, isCut: true).refreshToken?.reveal() == "RT2")
        #expect(try read(nested, isCut: true).refreshToken == nil)
        let same = #"{"access_token":"AT2","refresh_token":"AT2","x":"#
        #expect(try read(same, isCut: true).refreshToken == nil)
    }

    @Test(
        "an error that says there is none is none",
        arguments: [
            "false", "0", "null", "\"\"", "\"OK\"", "\"Success\"", "\"None\"", "\"0\"", "{}",
        ])
    func noError(value: String) throws {
        expectBoth(try read(Self.good.dropLast() + #","error":"# + value + "}"))
    }

    @Test("any other error is one, beside both tokens too", arguments: ["1", "true", "\"denied\""])
    func error(value: String) throws {
        #expect(try read(Self.good.dropLast() + #","error":"# + value + "}").token == nil)
    }

    @Test("a profile's own rule finds an error beside both tokens")
    func ownRule() throws {
        let rules = #"[{"if": [{"path": "/token_type", "in": ["Bearer"]}], "class": "config"}]"#
        #expect(try read(Self.good, errors: rules).failure?.failureClass == .config)
    }

    @Test("each selector looks through every field of its name")
    func cookies() throws {
        let response = #"""
            {"access_token": {"header": "Set-Cookie", "regex": "^sess=([^;]+)"},
             "refresh_token": {"header": "Set-Cookie", "regex": "^rt=([^;]+)"},
             "default_lifetime": "1h"}
            """#
        for order in [["lb=x", "sess=AT2", "rt=RT2"], ["rt=RT2", "lb=x", "sess=AT2"]] {
            expectBoth(try read("", headers: order.map { ("Set-Cookie", $0) }, response: response))
        }
    }

    @Test("an access token of 16 KiB is taken; a longer one is refused by its length")
    func lengths() throws {
        let long = String(repeating: "a", count: 16 * 1024)
        #expect(try read(Self.good.replacing("AT2", with: long)).token != nil)
        let longer = try read(Self.good.replacing("AT2", with: long + "a"))
        #expect(longer.failure?.problem.contains("16384") == true)
        #expect(longer.refreshToken?.reveal() == "RT2")
    }
}
