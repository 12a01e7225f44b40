internal import TokenFormats

// Decides the plan from the storage and the configuration. Writes and sends nothing.
extension AttemptMachine {
    mutating func gather(_ event: Event, now: () -> Moment) -> Step {
        switch (phase, event) {
        case (.recovering, .recovered(let evidence, let grant)):
            (self.evidence, self.grant) = (evidence, grant)
            // With a token in the state the configured one is no longer needed.
            let mayMiss = grant?.refreshToken != nil || !order.isRenewal
            return next(.readingInitialToken, .readInitialToken(mayMiss: mayMiss))
        case (.readingInitialToken, .initialToken(let token, let withheld)):
            (initialToken, self.withheld) = (token, withheld)
            guard order.isRenewal, let grant else { return plan(now: now) }
            return next(.checkingOrigin, .checkOrigin(grant))
        case (.checkingOrigin, .origin(let cause)):
            distrust = cause
            // With an untrusted state no token is set aside.
            guard cause == nil, grant?.asksForPlace(initialToken) == true else {
                return plan(now: now)
            }
            return next(.findingPlace, .findPlace)
        case (.findingPlace, .place(let place)):
            self.place = place
            return plan(now: now)
        default: return unexpected()
        }
    }

    private mutating func plan(now: () -> Moment) -> Step {
        let moment = now()
        let plan = AttemptPlan.make(
            order: order, evidence: evidence, stored: grant, initialToken: initialToken,
            withheld: withheld?.token,
            place: place, profile: profile, attemptID: attemptID, now: moment)
        // With an untrusted state a new initial token may be tried, and nothing else.
        if let distrust, !plan.sendsCandidate { return end(.foreign(distrust)) }
        switch plan {
        case .unreadable: return end(.unreadable)
        case .needsLogin(var found):
            if let withheld, found.refreshToken == nil {
                found.noteWithheldInitialToken(isKnown: withheld.isKnown, at: moment)
            }
            grant = found
            return end(.needsLogin)
        case .write(let record):
            self.record = record
            return begin()
        case .send(let record):
            (self.record, isOfCandidate) = (record, record.sendsCandidate)
            return begin()
        }
    }

    private mutating func begin() -> Step {
        // Tokens in the output files are older than those of a sign-in or import.
        guard order.replacesRefreshToken || order.isLogin else { return proceed() }
        return next(.readingPublishedTokens, .readPublishedTokens)
    }

    mutating func proceed() -> Step {
        guard let record else { return unexpected() }
        if record.state == .intent {
            guard isOfCandidate, let token = record.grant.candidate?.token else { return prepare() }
            return next(.claimingCandidate, .claim(token))
        }
        if order.replacesRefreshToken, let token = record.grant.refreshToken {
            return next(.claimingAdopted, .claim(token))
        }
        return next(.adopting, .settle(record, as: .adoption))
    }

    mutating func prepare() -> Step {
        guard let record else { return unexpected() }
        return next(.preparing, .prepare(record, place: place))
    }
}

extension AttemptPlan {
    fileprivate var sendsCandidate: Bool {
        if case .send(let record) = self { record.sendsCandidate } else { false }
    }
}
