import Testing

@testable import TokenConfiguration
@testable import TokenFormats
@testable import TokenProviders
@testable import TokenSlots

@Suite("Text at the place of a secret") struct SecretTextTests {
    private static let mark: [UInt8] = [0xEF, 0xBB, 0xBF]

    private func read(
        _ bytes: [UInt8], _ shape: SecretText.Shape = .line, isExact: Bool = false
    ) -> Result<SecretText, RequestError> {
        do throws(RequestError) {
            return .success(try SecretText(bytes, shape: shape, isExact: isExact))
        } catch { return .failure(error) }
    }

    @Test(
        "a byte order mark and white space at both ends are no part of a secret",
        arguments: [
            Array("cs".utf8), Array("cs\n".utf8), Array("cs\r\n".utf8), Array("cs \n".utf8),
            Array("cs\t".utf8), Array("\n\t cs\n\r\n\n".utf8), mark + Array("cs".utf8),
            mark + Array("cs\r\n".utf8), Array(" ".utf8) + mark + Array("cs".utf8) + mark,
        ])
    func trimmed(bytes: [UInt8]) throws {
        #expect(try read(bytes).get().secret == Secret("cs"))
        #expect(try read(bytes, .lines).get().secret == Secret("cs"))
        #expect(
            try read(bytes, isExact: true).get().secret
                == Secret(String(decoding: bytes, as: UTF8.self)))
    }

    @Test("what stands inside a secret stays: blanks, and letters that are not ASCII")
    func inside() throws {
        for text in ["p w", "pä$%&=+\"'", "a\u{301}", "\u{1F511}"] {
            #expect(try read(Array("\(text)\n".utf8)).get().secret == Secret(text))
        }
    }

    @Test("what was dropped is told, but for the newline that every editor writes")
    func told() throws {
        let told = { (text: String) in try read(Array(text.utf8)).get().trimming }
        #expect(try told("cs") == nil)
        #expect(try told("cs\n") == nil)
        #expect(try told("cs\r\n") == "carriage returns, line feeds after it")
        #expect(try told("cs \n") == "blanks, line feeds after it")
        #expect(try told("cs\n\n") == "line feeds after it")
        #expect(try told("\u{FEFF}cs\n") == "a byte order mark before it")
        #expect(try told("\u{FEFF}cs\t") == "a byte order mark before it and tabs after it")
        #expect(try read(Array("cs \r\n".utf8), isExact: true).get().trimming == nil)
    }

    @Test("several lines are for keys and certificates alone")
    func lines() throws {
        for text in ["one\ntwo", "one\r\ntwo", "one\ttwo", "one\rtwo"] {
            #expect(throws: RequestError.self) { try read(Array(text.utf8)).get() }
            #expect(try read(Array(text.utf8), .lines).get().secret == Secret(text))
        }
    }

    @Test(
        "a control character is refused by name, whatever the secret is for",
        arguments: [
            ("\u{0}", "U+0000"), ("\u{7}", "U+0007"), ("\u{B}", "U+000B"), ("\u{1A}", "U+001A"),
            ("\u{1B}", "U+001B"), ("\u{7F}", "U+007F"), ("\u{85}", "U+0085"),
        ])
    func control(character: String, name: String) {
        for text in ["s3\(character)cret", "s3cret\(character)", "\(character)s3cret\n"] {
            for shape in [SecretText.Shape.line, .lines] {
                guard case .failure(let mistake) = read(Array(text.utf8), shape) else {
                    Issue.record("it was taken: \(name)")
                    continue
                }
                #expect(mistake.text.contains(name), "\(mistake.text)")
                #expect(!mistake.text.contains("s3"), "it tells the secret")
            }
        }
    }

    @Test("UTF-16 is told as such, with its byte order mark and without")
    func utf16() {
        let wide: [UInt8] = [0x63, 0x00, 0x73, 0x00]
        let swapped: [UInt8] = [0x00, 0x63, 0x00, 0x73]
        for bytes in [[0xFF, 0xFE] + wide, [0xFE, 0xFF] + swapped, wide, swapped] {
            guard case .failure(let mistake) = read(bytes) else {
                Issue.record("it was taken")
                continue
            }
            #expect(mistake.text.contains("UTF-16") && mistake.text.contains("UTF-8"))
        }
    }

    @Test("nothing, or nothing but white space, is no secret")
    func empty() {
        for text in ["", "\n", " \r\n", "\u{FEFF}", "\u{FEFF}\r\n\t"] {
            guard case .failure(let mistake) = read(Array(text.utf8)) else {
                Issue.record("it was taken")
                continue
            }
            #expect(mistake.text.contains("empty"), "\(mistake.text)")
        }
        #expect(throws: RequestError.self) { try read([], isExact: true).get() }
        #expect(throws: RequestError.self) { try read([0x63, 0xC3]).get() }
    }

    @Test("the former reading dropped one newline, and is there only where it differs")
    func former() throws {
        let former = { (text: String) in try read(Array(text.utf8)).get().former }
        #expect(try former("RT1") == nil)
        #expect(try former("RT1\n") == nil)
        #expect(try former("RT1\r\n") == Secret("RT1\r"))
        #expect(try former("RT1 \n") == Secret("RT1 "))
        #expect(try former("RT1 ") == Secret("RT1 "))
        #expect(try former("RT1\n\n") == Secret("RT1\n"))
        #expect(try former("\u{FEFF}RT1") == Secret("\u{FEFF}RT1"))
        #expect(try read(Array("RT1\n".utf8), isExact: true).get().former == Secret("RT1"))
    }
}

@Suite("An initial refresh token that a former version read otherwise")
struct InitialTokenTests {
    private let profile: ProviderProfile

    init() throws { profile = try Examples.credential().profile }

    private static let files = ["RT1\r\n", "RT1 \n", "RT1\t", "RT1\n\n", "\u{FEFF}RT1\r\n"]

    /// The state that version 0.1 stored after reading an initial token from this file.
    private func state(
        of file: String, _ change: (inout CredentialRecord, Secret) -> Void
    ) throws -> (SlotPair, InitialToken) {
        let seed = InitialToken(try SecretText(Array(file.utf8), shape: .line))
        let former = try #require(seed.former)
        var grant = CredentialRecord()
        grant.initialTokenFingerprints = [CredentialRecord.fingerprint(of: former)]
        grant.refreshTokenSince = Examples.noon
        change(&grant, former)
        let record = SlotRecord(
            sequence: 4, state: .settled, attemptID: "a", kind: .refresh, sentAt: Examples.noon,
            grant: grant)
        return (SlotPair(a: .valid(SlotContents(record: record)), b: .empty), seed)
    }

    private func plan(_ slots: SlotPair, _ seed: InitialToken) -> AttemptPlan {
        AttemptPlan.make(
            order: .renew(isManual: false), slots: slots, initialToken: seed, profile: profile,
            attemptID: "id", now: Examples.noon.advanced(by: .seconds(60)))
    }

    @Test("it is the same one: what it became goes on, and nothing spent is sent", arguments: files)
    func known(file: String) throws {
        let (slots, seed) = try state(of: file) { grant, _ in grant.refreshToken = Secret("RT2") }
        guard case .send(let record) = plan(slots, seed) else {
            Issue.record("nothing is sent")
            return
        }
        #expect(record.grant.refreshToken == Secret("RT2"))
        // Later the file may lose the white space around the token.
        #expect(!record.grant.isNew(InitialToken(Secret("RT1"))))
    }

    @Test("so it is where its file was tidied up before this version read it", arguments: files)
    func tidied(file: String) throws {
        let (slots, _) = try state(of: file) { grant, _ in grant.refreshToken = Secret("RT2") }
        guard case .send(let record) = plan(slots, InitialToken(Secret("RT1"))) else {
            Issue.record("nothing is sent")
            return
        }
        #expect(record.refreshTokenToSend == Secret("RT2") && record.grant.candidate == nil)
        #expect(record.grant.isNew(InitialToken(Secret("RT11"))))
    }

    @Test(
        "what still is the seed itself is sent as it was meant, its history kept", arguments: files)
    func unspent(file: String) throws {
        let (slots, seed) = try state(of: file) { grant, former in
            grant.refreshToken = former
            grant.attempts.ambiguousAttempts = 1
        }
        guard case .send(let record) = plan(slots, seed) else {
            Issue.record("nothing is sent")
            return
        }
        #expect(record.grant.refreshToken == Secret("RT1"))
        #expect(record.grant.attempts.ambiguousAttempts == 1)
    }

    @Test("one that was refused for how it was read is tried as it was meant", arguments: files)
    func refused(file: String) throws {
        let (slots, seed) = try state(of: file) { grant, former in
            grant.refreshToken = former
            grant.isRefreshTokenRefused = true
            grant.attempts.isLoginRequired = true
        }
        guard case .send(let record) = plan(slots, seed) else {
            Issue.record("nothing is sent")
            return
        }
        #expect(record.grant.refreshToken == Secret("RT1"))
        #expect(!record.grant.attempts.isLoginRequired && !record.grant.isRefreshTokenRefused)
    }

    @Test("another one is new, whatever stands around it", arguments: files)
    func new(file: String) throws {
        let (slots, _) = try state(of: file) { grant, _ in grant.refreshToken = Secret("RT2") }
        let other = InitialToken(
            try SecretText(Array(file.replacing("RT1", with: "RT9").utf8), shape: .line))
        guard case .send(let record) = plan(slots, other) else {
            Issue.record("nothing is sent")
            return
        }
        #expect(record.refreshTokenToSend == Secret("RT9"))
    }
}
