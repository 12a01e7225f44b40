@testable import TokenFormats
@testable import TokenProviders
@testable import TokenSlots

/// A provider that rotates: a refresh token that was spent and comes again ends everything.
struct RotatingProvider {
    var live = "RT-0"
    private(set) var spent: [String] = []
    private(set) var isRevoked = false
    private var issued = 0

    /// - Returns: The response; the token is spent when it was asked, not when the response leaves.
    mutating func answer(_ token: String?) -> RawResponse {
        guard !isRevoked, token == live else {
            if let token, spent.contains(token) { isRevoked = true }
            return Examples.answer(400, #"{"error": "invalid_grant"}"#)
        }
        spent.append(live)
        issued += 1
        live = "RT-\(issued)"
        return Examples.answer(
            200,
            #"{"access_token": "AT-\#(issued)", "refresh_token": "\#(live)", "expires_in": 60, "#
                + #""site": "s"}"#)
    }
}

/// Performs the steps of an attempt on two records in memory, as the daemon does on two files.
struct AttemptModel {
    var slots = SlotPair(a: .empty, b: .empty)
    var provider = RotatingProvider()
    var profile: ProviderProfile
    var now = Examples.noon
    /// The refresh token that the configuration names.
    var configured: String? = "RT-0"
    /// Why the state is no more trusted.
    var distrust: Cause?
    /// Tokens that another credential holds.
    var held: Set<String> = []
    /// What the next request meets in place of the provider.
    var wire: AttemptMachine.Event?
    /// A write of this name fails.
    var failingWrite: String?
    private(set) var steps: [String] = []
    private(set) var sent: [String] = []
    private var newest: SlotPair.Index?
    private var prepared: SlotRecord?

    init(_ profile: ProviderProfile) { self.profile = profile }

    /// - Parameter limit: The process is killed after so many steps.
    /// - Returns: `nil` where it was killed.
    mutating func run(_ order: AttemptOrder, limit: Int = .max) -> AttemptReport? {
        var machine = AttemptMachine(order: order, profile: profile, attemptID: "a\(steps.count)")
        steps = []
        var step = machine.start()
        while steps.count < limit {
            steps.append(step.name)
            if case .end(let report) = step { return report }
            let event = perform(step)
            step = machine.handle(event) { now }
        }
        return nil
    }

    /// An attempt that nothing kills.
    mutating func finish(_ order: AttemptOrder) throws -> AttemptReport {
        guard let report = run(order) else { throw Killed() }
        return report
    }
    private struct Killed: Error {}

    mutating func perform(_ step: AttemptMachine.Step) -> AttemptMachine.Event {
        switch step {
        case .recover:
            newest = slots.winner?.index
            let evidence = slots.evidence
            return .recovered(evidence, grant: evidence.grant(profile: profile))
        case .readInitialToken:
            return .initialToken(configured.map { InitialToken(Secret($0)) }, withheld: nil)
        case .checkOrigin: return .origin(distrust)
        case .findPlace: return .place(GrantBinding(fingerprint: "here"))
        case .readPublishedTokens: return .publishedTokens([])
        case .claim(let token):
            let isHeld = held.contains(token.reveal())
            return .claimed(objection: isHeld ? Cause(.tokenHeldByOther) : nil)
        case .prepare(let record, _):
            prepared = record
            return .prepared(
                AttemptMachine.PreparedPlace(
                    place: GrantBinding(fingerprint: "here"), host: "id.example",
                    origin: "https://id.example"))
        case .beginIntent(let record): return write(step, record, to: newest?.other ?? .a)
        case .settle(let record, let purpose):
            let index = purpose == .withdrawal ? newest : newest?.other
            return write(step, record, to: index ?? .a)
        case .send: return send()
        case .saveResponse(let raw, let record, let roundTrip):
            save(raw, to: record, roundTrip: roundTrip)
            return .responseSaved
        case .read(let raw, let record, let roundTrip):
            return read(raw, to: record, roundTrip: roundTrip)
        case .accept:
            distrust = nil
            return .accepted
        case .forgetSteps: return .stepsForgotten
        case .end: return .stepsForgotten
        }
    }

    private mutating func write(
        _ step: AttemptMachine.Step, _ record: SlotRecord, to index: SlotPair.Index
    ) -> AttemptMachine.Event {
        if step.name == failingWrite { return .failed(Refusal(.storage, Cause(.stateFails))) }
        set(index, SlotContents(record: record))
        newest = index
        return .written
    }

    private mutating func save(_ raw: RawResponse, to record: SlotRecord, roundTrip: Duration) {
        set(
            newest ?? .a,
            SlotContents(
                record: record, response: StoredResponse(raw: raw, roundTrip: roundTrip)))
    }

    private mutating func set(_ index: SlotPair.Index, _ contents: SlotContents) {
        if index == .a { slots.a = .valid(contents) } else { slots.b = .valid(contents) }
    }

    private mutating func send() -> AttemptMachine.Event {
        guard let prepared else { return .stepsForgotten }
        let spends = profile.exchange(prepared.kind, step: prepared.step).spendsGrant
        let token = spends ? prepared.refreshTokenToSend?.reveal() : nil
        if let token { sent.append(token) }
        if let wire {
            self.wire = nil
            if case .unanswered = wire { _ = provider.answer(token) }
            return wire
        }
        guard spends else {
            return .answered(
                Examples.answer(200, #"{"session": "S", "expires_in": 60}"#), roundTrip: .zero)
        }
        return .answered(provider.answer(token), roundTrip: .zero)
    }

    private func read(
        _ raw: RawResponse, to record: SlotRecord, roundTrip: Duration
    ) -> AttemptMachine.Event {
        let reading = record.reading(of: raw, profile: profile)
        var grant = record.grant
        grant.apply(reading, to: record, roundTrip: roundTrip, profile: profile)
        switch reading.result {
        case .success: return .read(grant, .granted(reading.notes))
        case .failure(let refusal): return .read(grant, record.end(for: refusal))
        }
    }
}

extension AttemptMachine.Step {
    /// Its kind; of a settled record also its purpose.
    var name: String {
        switch self {
        case .recover: "recover"
        case .readInitialToken: "initial token"
        case .checkOrigin: "origin"
        case .findPlace: "place"
        case .readPublishedTokens: "published tokens"
        case .claim: "claim"
        case .prepare: "prepare"
        case .beginIntent: "begin intent"
        case .settle(_, let purpose): "settle \(purpose)"
        case .send: "send"
        case .saveResponse: "save response"
        case .read: "read"
        case .accept: "accept"
        case .forgetSteps: "forget steps"
        case .end: "end"
        }
    }
}
