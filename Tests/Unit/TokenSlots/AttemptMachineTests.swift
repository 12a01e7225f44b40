import Testing

@testable import TokenConfiguration
@testable import TokenFormats
@testable import TokenProviders
@testable import TokenSlots

/// Providers, as the configuration describes them.
private enum Described {
    static let rotating = Examples.rfc(lifecycle: #"{"refresh_token": "rotating"}"#)
    static let twoRequests = """
        "as": {"steps": [
          {"id": "oauth", "extends": "refresh_token",
           "request": {"url": "https://id.example/token"},
           "response": {"keep": {"site": "/site"}}},
          {"id": "login", "extends": "none",
           "request": {"url": "https://api.example/login", "encoding": "query",
                       "params": {"access_token": "${steps.oauth.access_token}"}},
           "response": {"access_token": "/session"}}]}
        """
}

@Suite("The order of the rotation protocol") struct AttemptMachineTests {
    private static let start = ["recover", "initial token"]
    private static let request = [
        "prepare", "claim", "begin intent", "send", "save response", "read",
    ]

    private func model(_ providers: String = Described.rotating) throws -> AttemptModel {
        AttemptModel(try Examples.credential(providers: providers).profile)
    }

    /// One refresh made, and a minute gone.
    private func held(_ providers: String = Described.rotating) throws -> AttemptModel {
        var model = try model(providers)
        let report = try model.finish(.renew(isManual: false))
        guard case .granted = report.end else { throw Unexpected(end: report.end) }
        model.now = model.now.advanced(by: .seconds(60))
        return model
    }
    private struct Unexpected: Error { var end: AttemptReport.End }

    @Test("the first refresh: the intent before the request, the response before it is read")
    func first() throws {
        var model = try model()
        let report = try model.finish(.renew(isManual: false))
        #expect(model.steps == Self.start + Self.request + ["settle outcome", "end"])
        #expect(report.grant?.refreshToken == Secret("RT-1"))
        #expect(model.sent == ["RT-0"])
    }

    @Test("a later refresh asks first whether the state is this daemon's")
    func later() throws {
        var model = try held()
        _ = model.run(.renew(isManual: false))
        #expect(
            model.steps == Self.start + ["origin"] + Self.request + ["settle outcome", "end"])
        #expect(model.sent == ["RT-0", "RT-1"])
    }

    @Test("the second request of an exchange begins when the first one's result is durable")
    func twoRequests() throws {
        var model = try model(Described.twoRequests)
        let report = try model.finish(.renew(isManual: false))
        #expect(
            model.steps == Self.start + Self.request
                + ["prepare", "begin intent", "send", "save response", "read", "settle outcome"]
                + ["end"])
        #expect(report.grant?.access?.token == Secret("S"))
        #expect(report.grant?.refreshToken == Secret("RT-1"))
    }

    @Test("a new configured token: both records know it before it is sent, then it is accepted")
    func candidate() throws {
        var model = try held()
        model.configured = "RT-9"
        model.provider.live = "RT-9"
        let report = try model.finish(.renew(isManual: false))
        #expect(
            model.steps == Self.start + ["origin", "place", "claim", "settle notice"]
                + Self.request + ["settle outcome", "accept", "end"])
        #expect(report.isOfCandidate)
        #expect(model.sent.last == "RT-9")
    }

    @Test("a candidate that another credential holds is refused without a request")
    func heldCandidate() throws {
        var model = try held()
        (model.configured, model.held) = ("RT-9", ["RT-9"])
        let report = try model.finish(.renew(isManual: false))
        #expect(
            model.steps == Self.start + ["origin", "place", "claim", "settle adoption", "end"])
        guard case .refused(let refusal) = report.end else { throw Unexpected(end: report.end) }
        #expect(refusal.cause.kind == .tokenHeldByOther)
        #expect(model.sent == ["RT-0"])
    }

    @Test("an import is claimed, durable, then accepted; nothing is sent")
    func adoption() throws {
        var model = try held()
        let tokens = ImportedTokens(refreshToken: Secret("RT-9"))
        let report = try model.finish(.adopt(tokens))
        #expect(
            model.steps == Self.start + ["published tokens", "claim", "settle adoption", "accept"]
                + ["end"])
        #expect(report.grant?.refreshToken == Secret("RT-9"))
        #expect(model.sent == ["RT-0"])
    }

    @Test("a state that is not trusted sends nothing")
    func distrusted() throws {
        var model = try held()
        model.distrust = Cause(.stateCopied)
        let report = try model.finish(.renew(isManual: true))
        #expect(model.steps == Self.start + ["origin", "end"])
        #expect(report.end == .foreign(Cause(.stateCopied)))
    }

    @Test("a request that did not leave takes its intent back; one without a response keeps it")
    func wireFailures() throws {
        var refused = try held()
        refused.wire = .notSent(Cause(.connectionRefused))
        _ = refused.run(.renew(isManual: false))
        #expect(
            refused.steps.suffix(5)
                == ["claim", "begin intent", "send", "settle withdrawal", "end"])
        #expect(refused.slots.winner?.contents.record.state == .settled)
        var lost = try held()
        lost.wire = .unanswered(Cause(.answerLost))
        let report = try lost.finish(.renew(isManual: false))
        #expect(lost.steps.suffix(2) == ["send", "end"])
        #expect(lost.slots.winner?.contents.record.state == .intent)
        #expect(report.grant?.attempts.ambiguousAttempts == 1)
    }

    @Test("without a durable intent nothing is sent; without a durable outcome the token counts")
    func failingWrites() throws {
        var intent = try held()
        intent.failingWrite = "begin intent"
        let report = try intent.finish(.renew(isManual: false))
        #expect(report.end == .refused(Refusal(.storage, Cause(.stateFails))))
        #expect(intent.sent == ["RT-0"])
        var outcome = try held()
        outcome.failingWrite = "settle outcome"
        let granted = try outcome.finish(.renew(isManual: false))
        #expect(granted.end == .granted([]))
        #expect(granted.storageCause?.kind == .stateFails)
        outcome.failingWrite = nil
        let next = try outcome.finish(.renew(isManual: false))
        #expect(next.end == .granted([]))
        #expect(outcome.sent == ["RT-0", "RT-1", "RT-2"])
    }

    @Test(
        "killed after any step, the next attempts send no spent token but the one in doubt",
        arguments: [Described.rotating, Described.twoRequests], [true, false])
    func killedAnywhere(providers: String, isFirst: Bool) throws {
        var whole = try isFirst ? model(providers) : held(providers)
        _ = whole.run(.renew(isManual: false))
        for limit in 0...whole.steps.count {
            var model = try isFirst ? model(providers) : held(providers)
            _ = model.run(.renew(isManual: false), limit: limit)
            let (sentBefore, spentBefore) = (model.sent.count, model.provider.spent)
            // Between the send and the durable response the new token can be lost.
            let isInDoubt = model.steps.last == "send"
            model.now = model.now.advanced(by: .seconds(60))
            let report = try model.finish(.renew(isManual: false))
            let resent = model.sent.dropFirst(sentBefore).filter(spentBefore.contains)
            if case .refused = report.end {
                #expect(isInDoubt && resent.count == 1, "killed after \(limit) steps: \(resent)")
                let told = report.grant?.attempts.lastError?.cause.kind
                #expect(told == .refreshTokenProbablySpent)
            } else {
                #expect(resent.isEmpty, "killed after \(limit) steps: \(resent)")
                guard case .granted = report.end else { throw Unexpected(end: report.end) }
                #expect(report.grant?.refreshToken?.reveal() == model.provider.live)
            }
        }
    }

    @Test("an event that does not belong to a step ends the attempt, whatever the step")
    func unexpectedEvents() throws {
        var tried = 0
        let base = try held(Described.twoRequests)
        for order in Self.orders {
            for limit in 0..<20 {
                for event in Self.events {
                    var model = base
                    model.configured = "RT-9"
                    var machine = AttemptMachine(
                        order: order, profile: model.profile, attemptID: "id")
                    var step = machine.start()
                    for _ in 0..<limit {
                        step = machine.handle(model.perform(step)) { model.now }
                    }
                    if case .end = step { continue }
                    guard !step.isAnswered(by: event) else { continue }
                    tried += 1
                    guard case .end(let report) = machine.handle(event, now: { model.now }) else {
                        Issue.record("\(order): \(event.name) after \(step.name) goes on")
                        continue
                    }
                    #expect(report.end.failureClass != nil)
                    guard case .end = machine.handle(event, now: { model.now }) else {
                        Issue.record("an attempt that has ended goes on")
                        continue
                    }
                }
            }
        }
        #expect(tried > 500)
    }

    private static let orders: [AttemptOrder] = [
        .renew(isManual: false), .renew(isManual: true), .resave, .device(code: Secret("d")),
        .login(AuthorizationCode(code: Secret("c"))),
        .adopt(ImportedTokens(refreshToken: Secret("RT-9"))),
        .adopt(ImportedTokens(accessToken: Secret("AT-9"))),
    ]

    static let events: [AttemptMachine.Event] = [
        .recovered(AttemptEvidence(), grant: nil),
        .initialToken(nil, withheld: nil), .origin(nil), .place(nil), .publishedTokens([]),
        .claimed(objection: nil),
        .prepared(.init(place: nil, host: "h", origin: "https://h")), .written,
        .notSent(Cause(.connectionRefused)), .unanswered(Cause(.answerLost)),
        .answered(RawResponse(status: 200, body: []), roundTrip: .zero), .responseSaved,
        .read(CredentialRecord(), .granted([])), .accepted, .stepsForgotten,
    ]
}

extension AttemptMachine.Step {
    /// Whether the event tells how such a step ended.
    fileprivate func isAnswered(by event: AttemptMachine.Event) -> Bool {
        switch (self, event) {
        case (.recover, .recovered), (.readInitialToken, .initialToken),
            (.checkOrigin, .origin), (.findPlace, .place),
            (.readPublishedTokens, .publishedTokens), (.claim, .claimed),
            (.prepare, .prepared), (.beginIntent, .written), (.settle, .written), (.send, .notSent),
            (.send, .unanswered),
            (.send, .answered), (.saveResponse, .responseSaved), (.read, .read),
            (.accept, .accepted), (.forgetSteps, .stepsForgotten):
            true
        default: false
        }
    }
}

extension AttemptMachine.Event {
    fileprivate var name: String { String("\(self)".prefix { $0.isLetter }) }
}
