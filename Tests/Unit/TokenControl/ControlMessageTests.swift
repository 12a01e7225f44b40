import Testing

@testable import TokenConfiguration
@testable import TokenControl
@testable import TokenFormats
@testable import TokenProviders
@testable import TokenScheduling
@testable import TokenSlots

@Suite("Messages of the control socket, both ways") struct ControlMessageTests {
    private static let seeds = Array(1...200) as [UInt64]

    private func read(
        _ node: JSONNode, _ status: Int, to request: ControlRequest
    ) throws -> ControlReply {
        ControlReply(status, try JSONReader.read(node.serialized()), to: request)
    }

    @Test("a reply that is rendered and read is the same reply", arguments: seeds)
    func replies(seed: UInt64) throws {
        var samples = ControlSamples(seed: seed)
        for (request, reply) in samples.replies() {
            #expect(try read(reply.body, reply.status, to: request) == reply)
        }
    }

    @Test("a request that is rendered and read is the same request", arguments: seeds)
    func requests(seed: UInt64) throws {
        var samples = ControlSamples(seed: seed)
        let now = Examples.noon.wall
        for request in samples.requests() {
            #expect(try ControlRequest(request.call(now: now), now: now) == request)
        }
    }

    @Test("members that only a newer daemon knows change nothing", arguments: seeds)
    func unknown(seed: UInt64) throws {
        var samples = ControlSamples(seed: seed)
        for (request, reply) in samples.replies() {
            var expected = reply
            // Of a token all further members are the provider's.
            if case .token(var token) = reply.content {
                token.kept.append(JSONMember("later", Self.addition))
                expected.content = .token(token)
            }
            let node = reply.content.isToken ? Self.shallow(reply.body) : Self.deep(reply.body)
            #expect(try read(node, reply.status, to: request) == expected)
        }
    }

    private static let addition: JSONNode = ["deeper": [1, nil]]

    private static func shallow(_ node: JSONNode) -> JSONNode {
        JSONNode(.object((node.members ?? []) + [JSONMember("later", addition)]))
    }

    /// With one more member in every object.
    private static func deep(_ node: JSONNode) -> JSONNode {
        switch node.kind {
        case .object(let members):
            let deeper = members.map { JSONMember($0.key, deep($0.value)) }
            return shallow(JSONNode(.object(deeper)))
        case .array(let elements): return .array(elements.map(deep))
        case .null, .bool, .number, .string: return node
        }
    }

    @Test("a member that an older daemon does not send takes no other with it", arguments: seeds)
    func missing(seed: UInt64) throws {
        var samples = ControlSamples(seed: seed)
        // Of these the others say nothing without them.
        var dependent = ["pending": ["slow_down", "problem"], "changed": ["changed_keys"]]
        for reason in HealthReport.Reason.allCases {
            dependent[reason.rawValue, default: []].append("status")
        }
        for (request, reply) in samples.replies() {
            let members = reply.body.members ?? []
            for left in members {
                let rest = JSONNode(.object(members.filter { $0.key != left.key }))
                let told = try read(rest, reply.status, to: request)
                guard left.key != "title", left.key != "access_token" else {
                    #expect(told.content == .unreadable)
                    continue
                }
                let without = [left.key] + (dependent[left.key] ?? [])
                let expected = members.filter { !without.contains($0.key) }
                let found = (told.body.members ?? []).filter { !without.contains($0.key) }
                #expect(found == expected, "without \(left.key)")
            }
        }
    }

    @Test("an error, a candidate and a program that fails are read without what was added later")
    func nested() throws {
        let error = try #require(ErrorStatus(json: ["problem": "p", "remedy": "Do"]))
        #expect(error.since == nil && error.tries == nil && error.cause == nil)
        #expect(error.remedy == "Do" && !error.isBeforeReload)
        #expect(ErrorStatus(json: ["class": "reauth"]) == nil)
        #expect(CandidateStatus(json: ["state": "refused"])?.state == .known(.refused))
        let hook = FailingHook(json: ["program": "/bin/x", "problem": "p"])
        #expect(hook.failures == 1 && hook.at == nil)
    }

    @Test("the status of an older daemon: the state is the condition, and nothing is made up")
    func older() throws {
        let text = #"{"credentials": [{"name": "a", "state": "expired"}, {"state": "fresh"}]}"#
        let report = StatusReport(json: try JSONReader.read(Array(text.utf8)))
        #expect(report.credentials.map(\.name) == ["a"])
        #expect(report.credentials[0].condition == .known(.expired))
        #expect(report.credentials[0].refreshes == nil && report.startedAt == nil)
        #expect(report.configurationMistakes == [])
    }

    @Test("what is not known is left out of a message whose members are not always there")
    func absent() {
        let status = StatusReport(
            state: .ready, startedAt: WallTime(epochSeconds: 1), credentials: [])
        let messages: [(JSONNode, [String])] = [
            (status.json, ["version", "state", "started_at", "credentials"]),
            (OrderReply(credential: "crm").json, ["credential"]),
            (AcceptReply(credential: "crm").json, ["credential"]),
            (SignInOffer(nil, credential: "crm", provider: nil).json, ["credential"]),
            (ControlProblem(404, "p").json, ["type", "title", "status"]),
            (SignInRequest().json, []),
            (
                ErrorStatus(problem: "p").json,
                [
                    "class", "http_status", "cause", "problem", "remedy", "at", "since", "tries",
                    "until",
                ]
            ),
        ]
        for (message, keys) in messages { #expect(message.members?.map(\.key) == keys) }
    }

    @Test("a word of a newer daemon is kept as it was sent")
    func words() throws {
        let status = CredentialStatus(json: ["name": "a", "state": "hovering"])
        #expect(status.state == .unknown("hovering") && status.state.known == nil)
        #expect(status.condition.text == "hovering")
        #expect(status.json["state"] == "hovering")
    }

    @Test("a status without some credentials is otherwise the text that was sent")
    func filtered() {
        let status = { (entries: String) in
            #"{"version":2,"credentials":[\#(entries)],"later":{"x":1.50}}"# + "\n"
        }
        let (one, other) = (#"{"name":"a","new":[]}"#, #"{"name":"b","state":"fresh"}"#)
        let kept = StatusReport.filtered(status(one + "," + other)) { $0.name == "a" }
        #expect(kept == status(one))
        #expect(StatusReport.filtered("no JSON") { _ in false } == "no JSON")
    }

    @Test(
        "the routes as Contract 6.1 names them",
        arguments: [
            (.status(), "GET /v1/status"), (.credential("crm"), "GET /v1/credentials/crm"),
            (
                .token("crm", minimumLife: .seconds(300)),
                "GET /v1/credentials/crm/token?min_ttl=300"
            ),
            (
                .token("crm", minimumLife: .milliseconds(250)),
                "GET /v1/credentials/crm/token?min_ttl=250ms"
            ),
            (.refresh("crm", wait: nil), "POST /v1/credentials/crm/refresh"),
            (.refresh("crm", wait: .seconds(90)), "POST /v1/credentials/crm/refresh?wait=90"),
            (.order("crm", .device(code: Secret("c"))), "POST /v1/credentials/crm/login"),
            (.order("crm", .adopt(ImportedTokens())), "POST /v1/credentials/crm/import"),
            (.signIn("crm", SignInRequest()), "POST /v1/credentials/crm/sign-in"),
            (.accept("crm", wait: .seconds(90)), "POST /v1/credentials/crm/accept?wait=90"),
            (.stored("crm"), "GET /v1/credentials/crm/stored"),
            (.forget("crm", allTraces: true), "POST /v1/credentials/crm/forget?all_traces=1"),
            (.check("crm"), "POST /v1/credentials/crm/check"), (.reload, "POST /v1/reload"),
        ] as [(ControlRequest, String)])
    func routes(request: ControlRequest, line: String) {
        let call = request.call(now: Examples.noon.wall)
        #expect("\(call.method) \(call.target)" == line)
    }

    @Test("what is no request is answered with a problem")
    func refusals() {
        let refused = { (call: ControlCall) -> Int? in
            do throws(ControlProblem) {
                _ = try ControlRequest(call, now: Examples.noon.wall)
                return nil
            } catch { return error.status }
        }
        let path = "/v1/credentials/crm"
        #expect(refused(ControlCall("GET", "/v2/status")) == 404)
        #expect(refused(ControlCall("POST", path)) == 404)
        #expect(refused(ControlCall("GET", path + "/token", query: ["min_ttl": "soon"])) == 400)
        #expect(refused(ControlCall("POST", path + "/refresh", query: ["wait": "301"])) == 400)
        for body in ["", "{}", #"{"code": ""}"#, "x"] {
            #expect(refused(ControlCall("POST", path + "/login", body: Array(body.utf8))) == 400)
        }
        for body in ["[]", #"{"method": "pigeon"}"#] {
            #expect(refused(ControlCall("POST", path + "/sign-in", body: Array(body.utf8))) == 400)
        }
        #expect(refused(ControlCall("POST", path + "/sign-in")) == nil)
    }

    @Test("a kept member never takes the place of one of the reply's own")
    func kept() throws {
        var reply = TokenReply(Secret("AT"), credential: "crm", provider: "acme")
        reply.kept = [JSONMember("min_ttl", "kept"), JSONMember("scope", "kept")]
        #expect(reply.json["min_ttl"] == "kept" && reply.json["scope"] == nil)
        reply.shortfall = LifeShortfall(asked: 9, left: 1, lifetime: nil)
        let read = try JSONReader.read(reply.json.serialized())
        #expect(read["min_ttl"]?["asked"] == 9)
    }

    @Test("tokens that wait to be imported last so much shorter, and never less than nothing")
    func aged() {
        let tokens = ImportedTokens(accessToken: Secret("AT"), lifetime: .seconds(60))
        #expect(tokens.aged(by: .seconds(10)).lifetime == .seconds(50))
        #expect(tokens.aged(by: .seconds(70)).lifetime == .zero)
        #expect(tokens.aged(by: .seconds(-10)).lifetime == .seconds(60))
    }
}

extension ControlReply.Content {
    fileprivate var isToken: Bool { if case .token = self { true } else { false } }
}
