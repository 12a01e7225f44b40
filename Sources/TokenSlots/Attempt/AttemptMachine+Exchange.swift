internal import TokenFormats
internal import TokenProviders

// Adoption, and the requests of an exchange in order.
extension AttemptMachine {
    /// Before the first request: imported tokens, or a candidate to try.
    mutating func begin(_ event: Event, now: () -> Moment) -> Step {
        guard var record else { return unexpected() }
        switch (phase, event) {
        case (.readingPublishedTokens, .publishedTokens(let tokens)):
            for token in tokens { record.grant.noteFormer(token) }
            self.record = record
            return proceed()
        case (.claimingAdopted, .claimed(let objection)):
            if let objection { return refuse(Refusal(.config, objection), now: now) }
            return next(.adopting, .settle(record, as: .adoption))
        case (.adopting, .written):
            grant = record.grant
            guard order.replacesRefreshToken else { return end(.granted([])) }
            return next(.accepting(.granted([])), .accept)
        case (.claimingCandidate, .claimed(let objection)):
            guard let objection else { return announceCandidate(record) }
            record.state = .settled
            record.grant.refuseCandidate(objection, of: record)
            self.record = record
            return next(.refusingCandidate(objection), .settle(record, as: .adoption))
        case (.refusingCandidate(let objection), .written):
            grant = record.grant
            return end(.refused(Refusal(.config, objection)))
        case (.announcing, .written):
            self.record?.sequence += 1
            return prepare()
        default: return unexpected()
        }
    }

    /// Both records contain the candidate before it is sent for the first time.
    private mutating func announceCandidate(_ record: SlotRecord) -> Step {
        let known = evidence.latest?.grant.candidate
        guard known?.token != record.grant.candidate?.token || known?.state != .untried else {
            return prepare()
        }
        var notice = record
        (notice.state, notice.sendsCandidate) = (.settled, false)
        return next(.announcing, .settle(notice, as: .notice))
    }

    /// From the prepared request to its result.
    mutating func exchange(_ event: Event, now: () -> Moment) -> Step {
        guard var record else { return unexpected() }
        switch (phase, event) {
        case (.preparing, .prepared(let prepared)):
            record.goes(to: prepared.place)
            (record.host, record.origin) = (prepared.host, prepared.origin)
            self.record = record
            guard record.kind == .refresh,
                profile.exchange(record.kind, step: record.step).spendsGrant,
                let token = record.refreshTokenToSend
            else { return next(.beginning, .beginIntent(record)) }
            return next(.claimingSent, .claim(token))
        case (.claimingSent, .claimed(let objection)):
            if let objection { return refuse(Refusal(.config, objection), now: now) }
            return next(.beginning, .beginIntent(record))
        case (.beginning, .written): return next(.sending, .send)
        case (.sending, .notSent(let cause)):
            let refusal = Refusal(.transient, cause)
            // The intent is withdrawn: nothing left this host.
            record.state = .settled
            record.grant.fail(refusal, of: record, profile: profile)
            self.record = record
            return next(
                .withdrawing(record.end(for: refusal)), .settle(record, as: .withdrawal))
        case (.withdrawing(let end), .written):
            grant = record.grant
            return finish(end)
        case (.sending, .unanswered(let cause)):
            let refusal = Refusal(.ambiguous, cause)
            // The intent stays: the request may have been processed.
            var failed = record.grant
            failed.fail(refusal, of: record, profile: profile)
            grant = failed
            return finish(record.end(for: refusal))
        case (.sending, .answered(let raw, let roundTrip)):
            return next(
                .saving(raw, roundTrip: roundTrip),
                .saveResponse(raw, to: record, roundTrip: roundTrip))
        default: return unexpected()
        }
    }

    /// After a response: its result, and the next step.
    mutating func conclude(_ event: Event, now: () -> Moment) -> Step {
        guard let record else { return unexpected() }
        switch (phase, event) {
        case (.saving(let raw, let roundTrip), .responseSaved):
            return next(.reading, .read(raw, to: record, roundTrip: roundTrip))
        case (.reading, .read(let found, let end)):
            grant = found
            guard let outcome = record.outcome(found, profile: profile) else {
                return follow(end, record, now: now)
            }
            return next(.settling(end), .settle(outcome, as: .outcome))
        case (.settling(let end), .written): return follow(end, record, now: now)
        case (.accepting(let end), .accepted): return self.end(end)
        default: return unexpected()
        }
    }

    /// The next request of the exchange, or the end of it.
    mutating func follow(
        _ end: AttemptReport.End, _ record: SlotRecord, now: () -> Moment
    ) -> Step {
        if case .granted = end, let grant, !profile.isLast(record.step, of: record.kind),
            let following = record.next(grant: grant, profile: profile, now: now())
        {
            self.record = following
            return prepare()
        }
        return finish(end)
    }

    private mutating func finish(_ end: AttemptReport.End) -> Step {
        let isProved = isOfCandidate && grant?.candidate == nil
        if isProved || order.isLogin, case .granted = end { return next(.accepting(end), .accept) }
        if let distrust { return self.end(.foreign(distrust)) }
        return self.end(end)
    }
}
