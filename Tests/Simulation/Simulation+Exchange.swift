internal import TokenConfiguration
internal import TokenControl
internal import TokenEngine
internal import TokenFormats
internal import TokenProviders
internal import TokenScheduling
internal import TokenSlots

// Requests and answers, and the faults that they meet.
extension Simulation {
    /// The fault of a credential's next request.
    enum WireFault: CaseIterable {
        /// The request never reached the provider, or its answer never arrived.
        case requestLost, answerLost
        case truncated, serverError, rateLimited, page, spuriousRefusal, slow
    }

    func exchange(_ request: ProviderRequest, _ life: Life) async -> WireResult {
        guard let name = request.credential, let account = accounts[name] else {
            problem("a request of no known credential")
            return .notSent(TokenEngine.WireFault(Cause(.connectionRefused)))
        }
        if Neighbour(name) == .mute {
            await life.wait(.seconds(30))
            return .unanswered(TokenEngine.WireFault(Cause(.answerLost)))
        }
        if outageUntil > now {
            await life.wait(.seconds(5))
            return .notSent(TokenEngine.WireFault(Cause(.connectionRefused)))
        }
        let token = request.fields["refresh_token"] ?? ""
        noteSent(account, token)
        defer { if !life.hasExpired { accounts[name]?.inFlight.remove(token) } }
        var fault = faults.wire.removeValue(forKey: name)
        // After a lost answer a refusal counts at once, so the provider must not make a mistake
        // then.
        if fault == .spuriousRefusal, account.isInDoubt || account.kind == .machine { fault = nil }
        accounts[name]?.isInDoubt = true
        if fault != nil { accounts[name]?.troubleUntil = now + .seconds(31) }
        await life.wait(.milliseconds(20) + upTo(.milliseconds(400)))
        if life.hasExpired {
            // Bytes in the socket of a killed process may still arrive.
            if chance(0.5) { _ = answer(request, name) }
            return .notSent(TokenEngine.WireFault(Cause(.connectionRefused)))
        }
        if fault == .requestLost {
            await life.wait(.seconds(30))
            return .unanswered(TokenEngine.WireFault(Cause(.answerLost)))
        }
        if let early = earlyAnswer(fault, name) { return .answered(early) }
        let raw = answer(request, name)
        await life.wait(fault == .slow ? .seconds(25) : .milliseconds(10) + upTo(.seconds(1)))
        guard !life.hasExpired else {
            return .notSent(TokenEngine.WireFault(Cause(.connectionRefused)))
        }
        if [.answerLost, .truncated].contains(fault), let issued = accounts[name]?.accessCounter {
            accounts[name]?.answersLost += 1
            accounts[name]?.accessLost = issued
        }
        switch fault {
        case .answerLost: return .unanswered(TokenEngine.WireFault(Cause(.answerLost)))
        case .truncated: return .answered(cut(raw))
        default:
            accounts[name]?.isInDoubt = false
            if raw.status == 400, accounts[name]?.isRevoked == true {
                accounts[name]?.refusedAt = now
            }
            return .answered(raw)
        }
    }

    private func noteSent(_ account: Account, _ token: String) {
        let name = account.name
        report.requests += 1
        report.digest(now, name)
        report.trace(now, name, "sends \(token), wall off by \(machine.wallOffset)")
        if !account.inFlight.isEmpty { problem("\(name): two requests in flight") }
        // Where another configured token is tried, the stored one may follow its refusal at once.
        if let last = account.sentTimes.last, now - last < .milliseconds(40),
            account.kind != .steps, account.configured == nil
        {
            problem("\(name): two requests within \(now - last)")
        }
        accounts[name]?.inFlight.insert(token)
        accounts[name]?.sentAt = (machine.boot, machine.wallOffset)
        var times = account.sentTimes.filter { $0 > now - .seconds(60) }
        times.append(now)
        accounts[name]?.sentTimes = times
        accounts[name]?.requests += 1
        if times.count > 30 { problem("\(name): \(times.count) requests in a minute") }
        if account.kind == .limited { noteLimited() }
    }

    /// At most three in any ten seconds; after a crash only each credential's last one is known.
    private func noteLimited() {
        // An attempt takes its place when it begins; the writes before its request take a moment.
        report.limitedTimes = report.limitedTimes.filter { $0 > now - .milliseconds(9900) }
        report.limitedTimes.append(now)
        let isRestarted = troubleUntil > now - .seconds(20)
        if report.limitedTimes.count > 3, !isRestarted {
            problem("\(report.limitedTimes.count) requests in 10 s in a group that allows 3")
        }
    }

    /// The provider processes the request. Its answer may still be lost.
    private func answer(_ request: ProviderRequest, _ name: String) -> RawResponse {
        guard var account = accounts[name] else { return RawResponse(status: 500, body: []) }
        let before = account.live
        let raw = account.answer(request, at: now) { self.problem($0) }
        if account.live != before {
            report.rotations += 1
            // Until it is durable, or for ever if it never is.
            account.excuse = account.excuse ?? "lost"
        }
        accounts[name] = account
        return raw
    }

    /// Answers that the provider gives before it checks the grant.
    private func earlyAnswer(_ fault: WireFault?, _ name: String) -> RawResponse? {
        func trouble(_ seconds: Int64) {
            accounts[name]?.troubleUntil = now + .seconds(seconds)
        }
        switch fault {
        case .serverError:
            return RawResponse(status: 503, body: Array("busy".utf8))
        case .rateLimited:
            let seconds = Int64.random(in: 1...300, using: &random)
            trouble(seconds)
            return RawResponse(
                status: 429, headers: [HeaderField("retry-after", String(seconds))], body: [])
        case .page:
            return RawResponse(
                status: 200, headers: [HeaderField("content-type", "text/html")],
                body: Array("<html>Sign in to the guest network</html>".utf8))
        case .spuriousRefusal:
            return RawResponse(status: 400, body: Array(#"{"error":"invalid_grant"}"#.utf8))
        case .requestLost, .answerLost, .truncated, .slow, nil: return nil
        }
    }

    private func cut(_ raw: RawResponse) -> RawResponse {
        var raw = raw
        raw.body = Array(raw.body.prefix(Int.random(in: 0..<raw.body.count, using: &random)))
        raw.isTruncated = true
        return raw
    }

    // MARK: Publication

    func published(_ token: PublishedToken) {
        let (name, text) = (token.credential, token.access.token.reveal())
        report.digest(now, text)
        report.trace(now, name, "publishes \(text)")
        let number = { (text: String) in Int(text.split(separator: "~").last ?? "") ?? 0 }
        if let old = machine.outputs[name]?.reveal(), number(text) < number(old),
            accounts[name]?.excuse != "restored", report.restored[name] == nil
        {
            problem("\(name): publishes \(text) over \(old)")
        }
        if let newest = report.restored[name], number(text) > newest {
            report.restored[name] = nil
            report.unseen.remove(name)
        }
        // Between two steps the newest token is not the one that is published.
        if let account = accounts[name], account.kind.rotates, account.kind != .steps,
            account.excuse == nil, report.restored[name] == nil,
            account.accessCounter > account.accessLost,
            number(text) != account.accessCounter
        {
            problem("\(name): publishes \(text), not the newest")
        }
        // Only for an answer that the disk refuses, when the old token is about to expire (I6).
        let isDiskWell = machine.brokenUntil < now && lastWriteFailure < now - .seconds(60)
        if isDiskWell, !machine.holdsAccess(text, name) {
            problem("\(name): publishes \(text), which no slot holds")
        }
        machine.outputs[name] = token.access.token
        guard let issued = accounts[name]?.access[text], !issued.isWatched else { return }
        accounts[name]?.access[text]?.isWatched = true
        schedule(at: issued.expiresAt) { [self] in checkEnd(of: text, name, issued) }
    }

    /// A token has expired: checks that there was a newer one, or a reason why not (I25).
    private func checkEnd(of text: String, _ name: String, _ issued: Issued) {
        accounts[name]?.access[text]?.isWatched = false
        guard machine.outputs[name]?.reveal() == text, let account = accounts[name]
        else { return }
        report.missed += 1
        // After a reboot only the wall clock shows how old a token is; a slow clock misleads.
        let isMisled =
            machine.boot != issued.boot && machine.wallOffset < issued.wallOffset
        var well = min(now - max(troubleUntil, outageUntil), now - account.troubleUntil)
        if machine.boot != issued.boot { well = min(well, now - lastClockStep) }
        var patience: Duration = account.kind == .limited ? .seconds(150) : .seconds(75)
        // A restored state that was accepted does not know a newer token in the file, so it has no
        // token by its own account: its waits grow to `retry.max`.
        if !machine.holdsAccess(text, name) { patience += RefreshPolicy().retryMaximum }
        let isWaiting =
            account.excuse != nil || account.isRevoked || report.unseen.contains(name)
        if well > patience, !isMisled, !isWaiting, life != nil, frozenUntil <= now,
            configuration.credentials.contains(where: { $0.name == name })
        {
            problem("\(name): \(text) ended while all had been well for \(well)")
        }
    }
}
