// How an attempt ends without a response.
extension AttemptMachine {
    /// A step cannot be done.
    mutating func fail(_ refusal: Refusal, now: () -> Moment) -> Step {
        switch phase {
        case .settling(let end):
            // The response is safe, and says the same.
            storageCause = refusal.cause
            guard let record else { return unexpected() }
            return follow(end, record, now: now)
        case .idle, .ended, .forgettingSteps: return unexpected()
        default: return refuse(refusal, now: now)
        }
    }

    /// Nothing was sent, and no record says why.
    mutating func refuse(_ refusal: Refusal, now: () -> Moment) -> Step {
        // What an earlier request gave may be what is wrong: it is asked for again.
        if refusal.failureClass == .config, grant?.steps.isEmpty == false {
            return next(.forgettingSteps(refusal), .forgetSteps)
        }
        return stop(for: refusal, now: now)
    }

    mutating func stop(for refusal: Refusal, now: () -> Moment) -> Step {
        // The tokens of a failed sign-in stand as they were.
        if refusal.failureClass == .config, !order.isOperatorInitiated {
            var failed = grant ?? StoredGrant()
            failed.fail(
                refusal, spends: profile.usesRefreshToken, at: now(), profile: profile)
            grant = failed
        }
        return end(order.refused(refusal))
    }

    /// An event that does not belong to the step. What the storage holds decides what is next.
    mutating func unexpected() -> Step {
        let refusal = Refusal(mayBeSent ? .ambiguous : .transient, Cause(.attemptInterrupted))
        return end(order.refused(refusal))
    }

    /// Whether a request of this attempt may have reached the provider without a read response.
    private var mayBeSent: Bool {
        switch phase {
        case .sending, .saving, .reading: true
        default: false
        }
    }
}

extension AttemptOrder {
    /// Whether it replaces the refresh token that is stored.
    public var replacesRefreshToken: Bool {
        if case .adopt(let tokens) = self { tokens.refreshToken != nil } else { false }
    }

    /// Whether it exchanges a code of a sign-in.
    public var isLogin: Bool {
        switch self {
        case .login, .device: true
        case .renew, .adopt, .settle: false
        }
    }

    public var isRenewal: Bool {
        if case .renew = self { true } else { false }
    }

    /// A sign-in or an import: if it fails, the tokens there are stand as they were.
    public var isOperatorInitiated: Bool {
        if case .adopt = self { true } else { isLogin }
    }

    /// How an attempt for it ends that was refused.
    public func refused(_ refusal: Refusal) -> AttemptReport.End {
        isOperatorInitiated ? .signInFailed(refusal) : .refused(refusal)
    }
}

extension SlotRecord {
    /// How an attempt ends whose request of this record failed.
    public func end(for refusal: Refusal) -> AttemptReport.End {
        switch kind {
        case .refresh, .acquire: .refused(refusal)
        case .authorizationCode: .signInFailed(refusal)
        case .deviceCode: refusal.endOfPoll
        }
    }

    /// What was understood, for the other record: a profile that is changed later must not have to
    /// understand a response to the old one.
    ///
    /// - Returns: `nil` where nothing new was granted: the response stays the last word then, for a
    ///   corrected profile may find more in it.
    func outcome(_ found: StoredGrant, profile: ProviderProfile) -> SlotRecord? {
        guard profile.isLast(step, of: kind),
            found.generation != grant.generation || found.refreshToken != grant.refreshToken
        else { return nil }
        return settled(found)
    }
}

extension Refusal {
    /// What it means for a device code (RFC 8628 section 3.5).
    fileprivate var endOfPoll: AttemptReport.End {
        switch errorCode {
        case "authorization_pending": return .signInPending(slowDown: false, problem: nil)
        case "slow_down": return .signInPending(slowDown: true, problem: nil)
        default: break
        }
        switch failureClass {
        case .transient, .rateLimited, .ambiguous:
            return .signInPending(slowDown: true, problem: problem)
        default: return .signInFailed(self)
        }
    }
}
