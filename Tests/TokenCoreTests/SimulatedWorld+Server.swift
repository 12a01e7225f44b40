@testable import TokenCore

extension SimulatedWorld {
    var profile: ProviderProfile { configuration.credentials[0].profile }

    mutating func attempt(_ name: String, _ ticket: Ticket, _ order: AttemptOrder) {
        let slots = pair(of: name)
        let index = slots.oldest
        let plan = AttemptPlan.make(
            order: order, slots: slots, seed: InitialToken(Secret("\(name)-0")),
            profile: profile,
            attemptID: "a\(random.next())", now: now)
        switch plan {
        case .send(let record):
            guard let bytes = SlotLayout.encode(record, credential: name, slotSize: 65_536) else {
                return problems.append("\(name): the record does not fit")
            }
            write(bytes, at: 0, to: index, name)
            send(name, Pending(ticket: ticket, record: record, index: index, sentAt: time))
        case .needsLogin(let grant):
            end(name, ticket, grant, .needsLogin)
        case .write(let record): end(name, ticket, record.grant, .granted([]))
        case .unreadable: end(name, ticket, nil, .unreadable)
        }
    }

    private mutating func end(
        _ name: String, _ ticket: Ticket, _ grant: StoredGrant?, _ end: AttemptReport.End
    ) {
        let report = AttemptReport(grant: grant, end: end, attemptID: "a")
        perform(fleet.handle(.attemptEnded(ticket, report), for: name, now: now))
    }

    private mutating func send(_ name: String, _ pending: Pending) {
        if !inFlight.insert(name).inserted { problems.append("\(name): two requests in flight") }
        if let last = lastRequestAt[name], time - last < .milliseconds(40) {
            problems.append("\(name): hammers the server")
        }
        lastRequestAt[name] = time
        requests += 1
        schedule(
            .arrived(epoch: epoch, name: name, pending),
            after: .milliseconds(20) + upTo(.seconds(1)))
    }

    /// The server has received the request; its answer arrives unless a fault loses it.
    mutating func answer(_ name: String, _ pending: Pending) {
        inFlight.remove(name)
        if time < outageUntil {
            // The connection was refused: the intent is cleared.
            var cleared = pending.record
            cleared.state = .settled
            let refusal = Refusal(.transient, problem: "outage")
            cleared.grant.fail(refusal, of: cleared, profile: profile)
            if let bytes = SlotLayout.encode(cleared, credential: name, slotSize: 65_536) {
                write(bytes, at: 0, to: pending.index, name)
            }
            end(name, pending.ticket, cleared.grant, .refused(refusal))
            return
        }
        if chance(faults.serverErrors) {
            return take(Examples.answer(503, "busy"), name, pending)
        }
        let raw = serve(name, pending.record)
        if chance(faults.lostAnswers) {
            accounts[name]?.lostInFlight = true
            var grant = pending.record.grant
            let refusal = Refusal(.ambiguous, problem: "no answer")
            grant.fail(refusal, of: pending.record, profile: profile)
            end(name, pending.ticket, grant, .refused(refusal))
            return
        }
        take(raw, name, pending)
    }

    private mutating func take(_ raw: RawAnswer, _ name: String, _ pending: Pending) {
        let roundTrip = time - pending.sentAt
        let bytes = SlotLayout.encode(
            raw, attemptID: pending.record.attemptID, roundTrip: roundTrip, credential: name,
            slotSize: 65_536)
        write(
            bytes, at: SlotLayout.answerOffset(slotSize: 65_536), to: pending.index, name)
        let reading = AnswerReader(profile: profile, kind: .refresh)
            .read(raw, sentAt: pending.record.sentAt.wall)
        var grant = pending.record.grant
        grant.apply(reading, to: pending.record, roundTrip: roundTrip, profile: profile)
        switch reading.result {
        case .success: end(name, pending.ticket, grant, .granted(reading.notes))
        case .failure(let refusal): end(name, pending.ticket, grant, .refused(refusal))
        }
        wakeSoon()
    }

    /// Single-use refresh tokens; a second use revokes the family (RFC 9700 section 4.14.2).
    private mutating func serve(_ name: String, _ record: SlotRecord) -> RawAnswer {
        guard var account = accounts[name], let token = record.grant.refreshToken?.reveal() else {
            return Examples.answer(400, #"{"error":"invalid_request"}"#)
        }
        guard token == account.live, !account.isRevoked else {
            if !account.lostInFlight {
                problems.append("\(name): sent \(token), the live one is \(account.live)")
            }
            account.isRevoked = true
            accounts[name] = account
            return Examples.answer(400, #"{"error":"invalid_grant"}"#)
        }
        account.counter += 1
        account.live = "\(name)-\(account.counter)"
        account.accessExpiresAt = time + lifetime
        accounts[name] = account
        rotations += 1
        return Examples.answer(
            200,
            """
            {"access_token":"\(name)-at-\(account.counter)","refresh_token":"\(account.live)",
             "expires_in":\(lifetime.components.seconds)}
            """)
    }

    var lifetime: Duration {
        if case .duration(let duration)? = profile.refresh[0].response.defaultLifetime {
            return duration
        }
        return .zero
    }

    private mutating func wakeSoon() { wake(after: .zero) }

    /// True with a probability that gives roughly `perHour` occurrences for an hour of requests.
    private mutating func chance(_ perHour: Double) -> Bool {
        perHour > 0 && Double.random(in: 0..<1, using: &random) < perHour
    }

    // MARK: Faults

    mutating func scheduleFault() {
        let rate = faults.outages + faults.crashes + faults.clockSteps + faults.suspends
        guard rate > 0 else { return }
        schedule(.fault, after: upTo(.seconds(2 * 3600 / rate)))
    }

    mutating func inject() {
        faultsInjected += 1
        let kinds: [(Double, (inout SimulatedWorld) -> Void)] = [
            (faults.outages, { $0.outageUntil = $0.time + $0.upTo(.seconds(1200)) }),
            (faults.crashes, { $0.crash() }), (faults.clockSteps, { $0.stepClock() }),
            (faults.suspends, { $0.suspend() }),
        ]
        var pick = Double.random(in: 0..<kinds.reduce(0) { $0 + $1.0 }, using: &random)
        for (weight, apply) in kinds {
            if pick < weight { return apply(&self) }
            pick -= weight
        }
    }

    /// kill -9 or a power cut: memory is lost, and pending answers are dropped.
    private mutating func crash() {
        for case (_, _, .arrived(let at, let name, let pending)) in queue where at == epoch {
            // The server may or may not have received it.
            if Bool.random(using: &random), time >= outageUntil {
                _ = serve(name, pending.record)
                accounts[name]?.lostInFlight = true
            }
        }
        inFlight = []
        epoch += 1
        if Bool.random(using: &random) {
            boot += 1
            bootedAt = time
        }
        time += upTo(.seconds(120))
        let (orders, _) = restart()
        perform(orders)
        wake(after: .zero)
    }

    private mutating func restart() -> ([Fleet.Order], Int) {
        fleet = Fleet(maxInFlight: 64, seed: random.next())
        return (fleet.configure(configuration, now: now).orders, 0)
    }

    /// Up to ten years in either direction.
    private mutating func stepClock() {
        let years = Int64.random(in: -3650...3650, using: &random)
        wallOffset += .seconds(years * 86_400)
        wake(after: .zero)
    }

    /// The boot clock continues, but the process does not run.
    private mutating func suspend() {
        time += upTo(.seconds(8 * 3600))
        wake(after: .zero)
    }

    // MARK: Invariants, after every event

    mutating func check() {
        for life in fleet.all {
            let waitsForNobody = life.state != .quarantined
            if waitsForNobody, !life.isBusy, life.wakeAt == nil, life.dueAt == nil {
                problems.append("\(life.name) has neither a job nor a deadline")
            }
            if life.state == .loginRequired, accounts[life.name]?.lostInFlight == false {
                problems.append("\(life.name) needs a login though no answer was lost")
            }
        }
    }
}
