import Testing

@testable import TokenControl
@testable import TokenFormats
@testable import TokenProviders
@testable import TokenSlots

@Suite("Causes, their problems and remedies") struct CauseTests {
    private let place = RemedyPlace(credential: "crm", state: .expired, hasSignIn: true)
    private let bare = RemedyPlace(credential: "crm", state: .expired, hasSignIn: false)

    /// Facts for every placeholder of a sentence.
    private var whole: CauseFacts {
        var facts = CauseFacts(
            host: "id.example:8443", file: "/etc/evertoken/x", systemError: "No such file",
            status: 400, errorCode: "invalid_grant", contentType: .html, key: "request.url",
            other: "car", folder: "/run/evertoken/crm", wait: .seconds(60), detail: "it broke",
            advice: "mend it")
        facts.date = WallTime(epochSeconds: 1_700_000_000)
        (facts.subject, facts.account) = ("Acme CA", "web")
        (facts.target, facts.isSamePath) = ("login.example", true)
        facts.errno = 2
        return facts
    }

    @Test(
        "every kind has a line of its own, and sentences without a gap",
        arguments: CauseKind.allCases)
    func everyKind(_ kind: CauseKind) {
        #expect(kind == .untold || CauseRow.all[kind] != nil)
        for facts in [whole, CauseFacts(detail: "it broke")] {
            let cause = Cause(kind, facts)
            let texts = [cause.problem, cause.remedy(for: place), cause.remedy(for: bare)]
            // Without its facts a sentence may be empty, but never incomplete.
            for text in texts where facts == whole || !text.isEmpty {
                #expect(!text.isEmpty)
                #expect(!text.contains("{") && !text.contains("}"))
                #expect(!text.hasSuffix(".") && !text.hasSuffix(" ") && !text.contains("  "))
            }
        }
        let remedy = Cause(kind, whole).remedy(for: place)
        #expect(remedy.first?.isUppercase == true, "\(remedy)")
    }

    @Test("no sentence leaks a word that only the program needs", arguments: CauseKind.allCases)
    func noClassWords(_ kind: CauseKind) {
        let cause = Cause(kind, whole)
        let text = cause.problem + " " + cause.remedy(for: place) + " " + cause.remedy(for: bare)
        for word in [
            "reauth", "reacquire", "transient", "ambiguous", "misconfigured", "quarantine",
        ] {
            #expect(!text.lowercased().contains(word), "\(kind): \(text)")
        }
    }

    /// Kinds that end without an action of the operator.
    private static let passing: Set<CauseKind> = [
        .answerLost, .attemptInterrupted, .answerCut, .refreshTokenReplaced, .rateLimited,
        .tooEarly, .providerFails, .signInTooOften,
    ]

    /// Kinds that may be about the client's id.
    private static let ofClient: Set<CauseKind> = [
        .clientRefused, .signInClientUnknown, .signInClientRefused, .signInCodeRefused,
    ]

    @Test("no remedy says to wait where waiting cannot help", arguments: CauseKind.allCases)
    func waiting(_ kind: CauseKind) {
        let waits = Cause(kind, whole).remedy(for: place).hasPrefix("Wait")
        #expect(waits == Self.passing.contains(kind))
    }

    @Test("the client's id is blamed for a refused client alone", arguments: CauseKind.allCases)
    func clientID(_ kind: CauseKind) {
        let blames = Cause(kind, whole).remedy(for: place).contains("client_id")
        #expect(blames == Self.ofClient.contains(kind))
    }

    @Test(
        "login is offered only where the provider's profile knows it", arguments: CauseKind.allCases
    )
    func signIn(_ kind: CauseKind) {
        // Who reads of the end of a sign-in has begun one.
        let isOfferedAnyway = kind.endOfSignIn != nil
        #expect(
            isOfferedAnyway || !Cause(kind, whole).remedy(for: bare).contains("evertoken login"))
        let error = StoredError(.reauth, Cause(kind, whole), at: Examples.noon.wall)
        let due = RemedyPlace(credential: "crm", state: .loginRequired, hasSignIn: true)
        #expect(error.remedy(for: due).contains(": evertoken login crm"))
        let without = RemedyPlace(credential: "crm", state: .loginRequired, hasSignIn: false)
        #expect(error.remedy(for: without).contains("evertoken import crm"))
        #expect(!error.remedy(for: without).contains("evertoken login"))
    }

    @Test("the words of kinds are plain, and no two are the same")
    func words() {
        let words = CauseKind.allCases.map(\.rawValue)
        #expect(Set(words).count == words.count)
        #expect(
            words.allSatisfy { $0.utf8.allSatisfy { (0x61...0x7A).contains($0) || $0 == 0x5F } })
    }

    @Test("a cause comes back from a slot as it was", arguments: CauseKind.allCases)
    func stored(_ kind: CauseKind) throws {
        let cause = Cause(kind, whole)
        guard kind != .untold else {
            #expect(cause.json() == nil)
            return
        }
        let bytes = try #require(cause.json()).serialized()
        #expect(Cause(json: try JSONReader.read(bytes)) == cause)
    }

    @Test("a record of a former version, and one of a later one, keep their sentence")
    func otherVersions() throws {
        let texts = [
            #"{"class":"reauth","http_status":400,"problem":"endpoint answered 400","at":7}"#,
            #"""
            {"class":"reauth","problem":"endpoint answered 400","at":7,
             "cause":{"kind":"not_known_yet"}}
            """#,
        ]
        for text in texts {
            let error = try #require(StoredError(json: try JSONReader.read(Array(text.utf8))))
            #expect(error.cause.kind == .untold && error.problem == "endpoint answered 400")
            #expect(error.since == error.at && error.tries == 1)
            #expect(error.remedy(for: place).contains("evertoken login crm"))
        }
    }

    @Test("the same trouble is counted from its beginning, another one anew")
    func sameTrouble() {
        let second = { (seconds: Int64, cause: Cause) in
            StoredError(.transient, cause, at: WallTime(epochSeconds: seconds))
        }
        let refused = Cause(.connectionRefused, CauseFacts(host: "id.example"))
        var error = second(10, refused).following(nil)
        #expect((error.since, error.tries) == (WallTime(epochSeconds: 10), 1))
        var moved = refused
        moved.facts.date = WallTime(epochSeconds: 5)
        error = second(20, moved).following(error)
        #expect((error.since, error.tries) == (WallTime(epochSeconds: 10), 2))
        error = second(30, Cause(.nameNotResolved)).following(error)
        #expect((error.since, error.tries) == (WallTime(epochSeconds: 30), 1))
        let codes = ["invalid_client", "invalid_scope"].map {
            Cause(.requestRefused, CauseFacts(status: 400, errorCode: $0))
        }
        #expect(!codes[0].isSameTrouble(as: codes[1]) && codes[0].isSameTrouble(as: codes[0]))
    }

    @Test("a sentence takes the first alternative whose facts are known")
    func alternatives() {
        let sentence = CauseSentence("a[ b {x}| c {y}] d[ {z}]")
        let known = { (names: [String]) in
            sentence.text { names.contains($0) ? $0.uppercased() : nil }
        }
        #expect(known(["x", "y"]) == "a b X d")
        #expect(known(["y"]) == "a c Y d")
        #expect(known([]) == "a d")
        #expect(known(["z"]) == "a d Z")
    }
}
