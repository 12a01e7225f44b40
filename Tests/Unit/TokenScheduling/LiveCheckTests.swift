import Testing

@testable import TokenConfiguration
@testable import TokenFormats
@testable import TokenProviders
@testable import TokenScheduling

@Suite("What a look at a provider says") struct LiveCheckTests {
    private func lines(_ body: (inout LiveCheck) -> Void) -> [LiveCheck.Line] {
        var check = LiveCheck(credential: "crm")
        body(&check)
        return check.lines
    }

    @Test("a connection is told by the stage it came to, and whose matter the failure is")
    func stages() {
        let stands = lines { $0.note(.stands, to: "id.example") }
        #expect(stands.map(\.step) == [.name, .connection, .tls])
        #expect(stands.allSatisfy { $0.outcome == .fine })
        let expected: [(ConnectionOutcome.Stage, [LiveCheck.Step], LiveCheck.Outcome)] = [
            (.name, [.name], .wrongThere), (.connection, [.name, .connection], .wrongThere),
            (.tls, [.name, .connection, .tls], .wrongThere),
            (.files, [.name, .connection, .tls], .wrongHere),
        ]
        for (stage, steps, outcome) in expected {
            let told = lines {
                $0.note(
                    .failed(stage, Cause(.certificateExpired, CauseFacts(host: "id.example"))),
                    to: "id.example")
            }
            #expect(told.map(\.step) == steps, "\(stage)")
            #expect(told.dropLast().allSatisfy { $0.outcome == .fine })
            #expect(told.last?.outcome == outcome && told.last?.text.contains("id.example") == true)
            #expect(told.last?.remedy != nil)
        }
    }

    @Test("the clock is right within 30 s of the provider's, however long the response took")
    func clock() {
        let noon = WallTime(epochSeconds: 1_795_000_000)
        func outcome(_ date: Int64?, took: Int64 = 1) -> LiveCheck.Line? {
            lines {
                $0.noteClock(
                    date: date.map { noon.advanced(by: .seconds($0)) }, sent: noon,
                    received: noon.advanced(by: .seconds(took)))
            }.first
        }
        for date: Int64 in [0, -30, 31] { #expect(outcome(date)?.outcome == .fine, "\(date)") }
        #expect(outcome(40, took: 20)?.outcome == .fine)
        #expect(outcome(-31)?.outcome == .wrongHere)
        #expect(outcome(-31)?.text == "this host's clock is 31s ahead of the provider's")
        #expect(outcome(3601)?.text == "this host's clock is 1h behind the provider's")
        #expect(outcome(3601)?.remedy == "See: timedatectl")
        #expect(outcome(nil)?.outcome == .notTried)
    }

    @Test("the client is right if the made-up refresh token alone was refused")
    func client() {
        func told(
            _ failureClass: FailureClass, hasNoErrorBody: Bool = false
        ) -> LiveCheck.Outcome? {
            var refusal = Refusal(failureClass, httpStatus: 400, problem: "p")
            refusal.hasNoErrorBody = hasNoErrorBody
            return lines { $0.noteClient(.failure(refusal), isTruncated: false) }.first?.outcome
        }
        #expect(told(.reauth) == .fine)
        #expect(told(.reauth, hasNoErrorBody: true) == .notTried, "an empty 400 tells nothing")
        #expect(told(.config) == .wrongHere)
        for other in [FailureClass.transient, .rateLimited, .ambiguous] {
            #expect(told(other) == .wrongThere)
        }
        let refusal = Refusal(.reauth, httpStatus: 400, problem: "p")
        let cut = lines { $0.noteClient(.failure(refusal), isTruncated: true) }
        #expect(cut.first?.outcome == .notTried)
    }

    @Test("the client is tried only where the profile says that nothing is spent")
    func obstacles() throws {
        func obstacle(_ lifecycle: String, more: String = "") throws -> String? {
            let text =
                #""as": {"request": {"url": "https://id.example/token"}\#(more), "#
                + #""lifecycle": \#(lifecycle)}"#
            return try Examples.credential(providers: text).profile.clientProbeObstacle
        }
        #expect(try obstacle(#"{"probe": "made_up_refresh_token"}"#) == nil)
        for (lifecycle, words) in [
            ("{}", "lifecycle.probe"), (#"{"probe": "origin"}"#, "lifecycle.probe"),
            (#"{"probe": "made_up_refresh_token", "burned_on_failure": true}"#, "ends the real"),
            (
                #"{"probe": "made_up_refresh_token", "refresh_token": "access_token"}"#,
                "would be a real one"
            ),
        ] {
            #expect(try obstacle(lifecycle)?.contains(words) == true, "\(lifecycle)")
        }
        let machine = try obstacle(
            #"{"probe": "made_up_refresh_token"}"#, more: #", "extends": "client_credentials""#)
        #expect(machine == "a request without a refresh token would be a real one")
    }

    @Test("no shipped profile is asked for its client unless its provider's pages say so")
    func shipped() {
        for name in BuiltInProfiles.shippedNames {
            let profile = BuiltInProfiles.profile(named: name)
            #expect(profile?.clientProbeObstacle != nil, "\(name)")
        }
    }

    @Test("what is asked of the host's first page holds nothing of the request")
    func origin() {
        var request = RenderedRequest(
            method: "POST", url: "https://id.example:8443/t?client_secret=s",
            headers: [HeaderField("Authorization", "Basic eA==")], body: [1])
        request.certificate = ClientCertificate(certificate: Secret("c"), privateKey: Secret("k"))
        #expect(
            request.ofOrigin
                == RenderedRequest(
                    method: "GET", url: "https://id.example:8443/", headers: [], body: nil))
    }

    @Test("a place in a rate limit is taken once, and none that is kept for another")
    func rate() {
        var window = RateWindow(RateLimit(count: 2, period: .seconds(60)))
        let now = Uptime(.seconds(1000))
        var places = [window.hasPlace(now)]
        window.take(now)
        window.note(now, by: 1, requests: 1)
        places.append(window.hasPlace(now))
        let free = window.freeAt(now, for: 2)
        #expect(free == now.advanced(by: .seconds(60)))
        // One of the two places is reserved for the waiting credential.
        places.append(window.hasPlace(free))
        window.take(free)
        places.append(window.hasPlace(free))
        #expect(places == [true, false, true, false])
    }
}
