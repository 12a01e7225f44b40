internal import TokenConfiguration
internal import TokenFormats
internal import TokenProviders
internal import TokenSlots

/// Performs the steps of one ``AttemptMachine``, and tells it how each ended. It decides nothing of
/// the order.
struct AttemptDriver {
    let runner: AttemptRunner
    let order: AttemptOrder
    let credential: CredentialConfiguration
    let memory: LastKnown
    let onUnsaved: AttemptRunner.Unsaved
    private var storage: (any OpenAttempt)?
    private var prepared: AttemptRunner.PreparedRequest?

    init(
        _ runner: AttemptRunner, _ order: AttemptOrder, _ credential: CredentialConfiguration,
        memory: LastKnown, onUnsaved: @escaping AttemptRunner.Unsaved
    ) {
        (self.runner, self.order, self.credential) = (runner, order, credential)
        (self.memory, self.onUnsaved) = (memory, onUnsaved)
    }

    private var world: AttemptPorts { runner.world }

    mutating func run(attemptID: String) async -> AttemptReport {
        var machine = AttemptMachine(
            order: order, profile: credential.profile, attemptID: attemptID)
        var step = machine.start()
        while true {
            if case .end(let report) = step {
                storage?.release()
                return report
            }
            let event: AttemptMachine.Event
            do throws(Refusal) { event = try await perform(step) } catch {
                event = .failed(error)
            }
            step = machine.handle(event) { world.clock.now() }
        }
    }

    private mutating func perform(
        _ step: AttemptMachine.Step
    ) async throws(Refusal) -> AttemptMachine.Event {
        switch step {
        case .recover: return try await recover()
        case .readInitialToken(let mayMiss):
            return try await readInitialToken(mayMiss: mayMiss)
        case .checkOrigin(let grant):
            return .origin(try await runner.distrust(of: grant, credential, memory))
        case .findPlace: return .place(try await runner.place(of: credential))
        case .readPublishedTokens:
            return .publishedTokens(
                await world.outputs.published(in: credential.outputs, of: credential.name))
        case .claim(let token):
            return .claimed(
                objection: runner.owners.objection(
                    to: token, at: credential.profile, by: credential.name))
        case .prepare(let record, let place):
            return .prepared(try await prepare(record, place))
        case .beginIntent(let record):
            try await store { (open) async throws(StorageFailure) in
                try await open.beginIntent(record)
            }
            return .written
        case .settle(let record, let purpose):
            try await store { (open) async throws(StorageFailure) in
                try await open.settle(record, as: purpose)
            }
            return .written
        case .send: return try await send()
        case .saveResponse(let raw, let record, let roundTrip):
            await save(raw, to: record, roundTrip: roundTrip)
            return .responseSaved
        case .read(let raw, let record, let roundTrip):
            let (grant, end) = await runner.read(
                raw, to: record, of: credential, roundTrip: roundTrip,
                filter: prepared?.filter ?? .closed, path: prepared.map(\.path))
            return .read(grant, end)
        case .accept:
            try await storing { () throws(StorageFailure) in
                try await world.store.accept(credential.name)
            }
            return .accepted
        case .forgetSteps:
            await forgetSteps()
            return .stepsForgotten
        case .end: return .failed(Refusal(.transient, Cause(.attemptInterrupted)))
        }
    }

    // MARK: Steps

    private mutating func recover() async throws(Refusal) -> AttemptMachine.Event {
        var opened = try await storing { () throws(StorageFailure) in
            try await world.store.begin(credential.name)
        }
        // Closed at the end, also when it cannot be read.
        defer { storage = opened }
        let stored = try await storing { () throws(StorageFailure) in
            try await opened.recover()
        }
        let evidence = memory.completing(stored) { world.clock.now() }
        return .recovered(evidence, grant: await world.grant(in: evidence, of: credential))
    }

    private mutating func readInitialToken(
        mayMiss: Bool
    ) async throws(Refusal) -> AttemptMachine.Event {
        guard let token = try await runner.initialToken(of: credential, mayMiss: mayMiss) else {
            return .initialToken(nil, withheld: nil)
        }
        guard runner.owners.withholds(token, at: credential.profile, by: credential.name) else {
            return .initialToken(token, withheld: nil)
        }
        let isKnown = !runner.owners.traces(of: credential.name).isUnreadable
        return .initialToken(nil, withheld: WithheldToken(token, isKnown: isKnown))
    }

    private mutating func prepare(
        _ record: SlotRecord, _ place: GrantBinding?
    ) async throws(Refusal) -> AttemptMachine.PreparedPlace {
        let request = try await runner.wireRequest(
            record, of: credential, for: order, planned: place)
        prepared = request
        let url = request.wire.request.url
        return AttemptMachine.PreparedPlace(
            place: request.place, host: EndpointURL.host(of: url),
            origin: EndpointURL.spelledOrigin(of: url))
    }

    private mutating func store(
        _ body: (inout any OpenAttempt) async throws(StorageFailure) -> Void
    ) async throws(Refusal) {
        guard var storage else { throw Refusal(.storage, Cause(.stateFails)) }
        defer { self.storage = storage }
        try await storing { () throws(StorageFailure) in try await body(&storage) }
    }

    private func send() async throws(Refusal) -> AttemptMachine.Event {
        guard let prepared else { throw Refusal(.transient, Cause(.attemptInterrupted)) }
        let start = world.clock.now()
        let result = await world.endpoint.send(prepared.wire)
        let roundTrip = start.uptime.duration(to: world.clock.now().uptime)
        switch result {
        case .notSent(let fault): return .notSent(fault.cause(prepared.filter))
        case .unanswered(let fault): return .unanswered(fault.cause(prepared.filter))
        case .answered(let raw):
            return .answered(raw.storable(prepared.headersOfInterest), roundTrip: roundTrip)
        }
    }

    /// Pause between two tries to save a response: short enough to use a disk that is free again,
    /// long enough to limit journal entries.
    private static let savePause: Duration = .seconds(1)

    /// A response that cannot be saved is held and tried again until the disk takes it: asking the
    /// server again could only lose it (I6).
    private mutating func save(
        _ raw: RawResponse, to record: SlotRecord, roundTrip: Duration
    ) async {
        var isPublished = false
        while true {
            do throws(StorageFailure) {
                try await storage?.saveResponse(raw, to: record, roundTrip: roundTrip)
                return
            } catch {
                let token =
                    isPublished ? nil : await urgentToken(raw, to: record, roundTrip: roundTrip)
                if token != nil { isPublished = true }
                onUnsaved(error.cause, token)
                await world.pause(Self.savePause)
            }
        }
    }

    /// The minimum remaining life of the published token. With less, a response that could not be
    /// saved is published nevertheless, so that other programs have time to see the new file.
    private static let shortestUrgency: Duration = .milliseconds(1200)
    private static let longestUrgency: Duration = .seconds(3)

    /// The token of an unsaved response, if the published one expires within seconds: publishing it
    /// then serves the readers better.
    private func urgentToken(
        _ raw: RawResponse, to record: SlotRecord, roundTrip: Duration
    ) async -> GrantedAccess? {
        guard credential.profile.isLast(record.step, of: record.kind) else { return nil }
        if let old = record.grant.access {
            guard let lifetime = old.lifetime,
                let age = world.clock.now().elapsed(since: old.sentAt)
            else { return nil }
            let limit = min(Self.longestUrgency, max(lifetime / 4, Self.shortestUrgency))
            guard lifetime - age < limit else { return nil }
        }
        let (grant, end) = await runner.read(raw, to: record, of: credential, roundTrip: roundTrip)
        guard case .granted = end else { return nil }
        return grant.access
    }

    private mutating func forgetSteps() async {
        guard var storage, let stored = try? await storage.recover(), let latest = stored.latest,
            var grant = await world.grant(in: stored, of: credential)
        else { return }
        grant.steps = []
        try? await storage.settle(latest.settled(grant), as: .adoption)
        self.storage = storage
    }
}
