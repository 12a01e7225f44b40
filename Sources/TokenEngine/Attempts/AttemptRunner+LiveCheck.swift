internal import TokenConfiguration
internal import TokenControl
internal import TokenFormats
internal import TokenProviders
internal import TokenScheduling
internal import TokenSlots

// `evertoken check --live`: what a refresh would meet, without spending anything. Writes no slot.
extension AttemptRunner {
    /// Short, because the daemon cannot stop before it ends.
    private static let longest: Duration = .seconds(10)

    /// - Parameter hasRoom: The rate limit had a place for one request, which is now used.
    func liveCheck(_ credential: CredentialConfiguration, hasRoom: Bool) async -> LiveCheck {
        var check = LiveCheck(credential: credential.name)
        let exchange = credential.profile.refresh[0]
        let obstacle = credential.profile.clientProbeObstacle
        let now = world.clock.now()
        var grant = CredentialRecord()
        grant.refreshToken = madeUpRefreshToken(world.random.bytes(16))
        let record = SlotRecord(
            sequence: 0, state: .settled, attemptID: "", kind: .refresh, sentAt: now, grant: grant)
        var rendered: RenderedRequest?
        do throws(Refusal) {
            rendered = try await render(exchange, credential, record)
            check.note(LiveCheck.Line(.settings, .fine, "every secret can be read"))
        } catch {
            check.note(.settings, .wrongHere, error.cause)
        }
        guard let target = await target(exchange, credential, record, rendered) else {
            return check
        }
        let outcome = await world.endpoint.connect(wire(target, exchange, credential))
        check.note(outcome, to: EndpointURL.host(of: target.url))
        guard outcome == .stands else { return check }
        if let rendered, obstacle == nil, hasRoom {
            await tryClient(rendered, exchange, credential, &check)
        } else {
            if credential.profile.lifecycle.probe != nil {
                await askOrigin(target, exchange, credential, &check)
            } else {
                check.note(
                    LiveCheck.Line(
                        .clock, .notTried,
                        "its profile does not say how to ask for it (lifecycle.probe)"))
            }
            let why =
                obstacle
                ?? (hasRoom ? "there is no request" : "the rate limit has no room for it now")
            check.note(LiveCheck.Line(.client, .notTried, why))
        }
        return check
    }

    private func render(
        _ exchange: TokenExchange, _ credential: CredentialConfiguration, _ record: SlotRecord
    ) async throws(Refusal) -> RenderedRequest {
        let context = TemplateContext(
            try await values(of: credential), profile: credential.profile, record: record,
            nonce: RequestNonce(random: world.random.bytes, now: record.sentAt.wall))
        let result = await world.responses.run(
            provider: credential.profile.name, credential: credential.name
        ) { () -> Result<RenderedRequest, RequestError> in
            do throws(RequestError) {
                return .success(try exchange.request.render(in: context))
            } catch { return .failure(error) }
        }
        do throws(RequestError) { return try result.get() } catch {
            throw Refusal(.config, error.cause)
        }
    }

    /// The connection's target; if the request cannot be made, the variables of its URL suffice.
    private func target(
        _ exchange: TokenExchange, _ credential: CredentialConfiguration, _ record: SlotRecord,
        _ rendered: RenderedRequest?
    ) async -> RenderedRequest? {
        if let rendered {
            var target = rendered
            (target.method, target.headers, target.body) = ("GET", [], nil)
            return target
        }
        let names = exchange.request.url.variables
        guard let values = try? await values(of: credential, only: names) else { return nil }
        let context = TemplateContext(
            values, profile: credential.profile, record: record,
            nonce: RequestNonce(random: world.random.bytes, now: record.sentAt.wall))
        return try? exchange.request.target(in: context)
    }

    private func wire(
        _ request: RenderedRequest, _ exchange: TokenExchange, _ credential: CredentialConfiguration
    ) -> WireRequest {
        WireRequest(
            request: request, timeout: min(credential.refresh.timeout, Self.longest),
            connectTimeout: credential.refresh.connectTimeout,
            caFile: exchange.request.caFile ?? credential.caFile,
            proxy: credential.proxy.proxy(to: request.url, provider: exchange.request.proxy))
    }

    private func tryClient(
        _ request: RenderedRequest, _ exchange: TokenExchange,
        _ credential: CredentialConfiguration, _ check: inout LiveCheck
    ) async {
        let sent = world.clock.now().wall
        switch await world.endpoint.send(wire(request, exchange, credential)) {
        case .answered(let raw):
            let received = world.clock.now().wall
            let profile = credential.profile
            let (date, result) = await world.responses.run(
                provider: profile.name, credential: credential.name
            ) {
                let reader = ResponseReader(profile: profile, kind: .refresh, step: exchange.id)
                return (raw.date, reader.read(raw, sentAt: sent).result)
            }
            check.noteClock(date: date, sent: sent, received: received)
            check.noteClient(result, isTruncated: raw.isTruncated)
        case .notSent(let fault), .unanswered(let fault):
            check.note(.client, .wrongThere, fault.cause)
        }
    }

    private func askOrigin(
        _ target: RenderedRequest, _ exchange: TokenExchange,
        _ credential: CredentialConfiguration, _ check: inout LiveCheck
    ) async {
        let sent = world.clock.now().wall
        switch await world.endpoint.send(wire(target.ofOrigin, exchange, credential)) {
        case .answered(let raw):
            check.noteClock(date: raw.date, sent: sent, received: world.clock.now().wall)
        case .notSent(let fault), .unanswered(let fault):
            check.note(.clock, .wrongThere, fault.cause)
        }
    }
}

extension EngineLoop {
    mutating func checkLive(
        _ credential: CredentialConfiguration, _ reply: @escaping @Sendable (ControlReply) -> Void,
        _ group: inout DiscardingTaskGroup
    ) {
        guard !credentials.isStopping else { return reply(.stopping) }
        let asks = credential.profile.clientProbeObstacle == nil
        let hasRoom = asks && credentials.takePlace(of: credential.name, now: now.uptime)
        group.addTask { [runner, liveChecks] in
            await liveChecks.enter()
            let check = await runner.liveCheck(credential, hasRoom: hasRoom)
            await liveChecks.leave()
            reply(ControlReply(200, .checked(LiveCheckReport(check))))
        }
    }
}
