internal import TokenFormats
package import TokenProviders

// How an attempt ends without a response.
extension AttemptMachine {
    /// Ends the attempt when a step fails.
    mutating func fail(_ refusal: Refusal, now: () -> Moment) -> Step {
        switch phase {
        case .settling(let end):
            // The response is saved and contains the same.
            storageCause = refusal.cause
            guard let record else { return unexpected() }
            return follow(end, record, now: now)
        case .idle, .ended, .forgettingSteps: return unexpected()
        default: return refuse(refusal, now: now)
        }
    }

    /// Nothing was sent, and no record contains the reason.
    mutating func refuse(_ refusal: Refusal, now: () -> Moment) -> Step {
        // The result of an earlier request may be wrong: that request is repeated next time.
        if refusal.failureClass == .config, grant?.steps.isEmpty == false {
            return next(.forgettingSteps(refusal), .forgetSteps)
        }
        return stop(for: refusal, now: now)
    }

    mutating func stop(for refusal: Refusal, now: () -> Moment) -> Step {
        // A failed sign-in leaves the stored tokens unchanged.
        if refusal.failureClass == .config, !order.isOperatorInitiated {
            var failed = grant ?? CredentialRecord()
            failed.fail(
                refusal, spends: profile.usesRefreshToken, at: now(), profile: profile)
            grant = failed
        }
        return end(order.refused(refusal))
    }

    /// Handles an event that does not belong to the step: the storage decides the next attempt.
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
    package var replacesRefreshToken: Bool {
        if case .adopt(let tokens) = self { tokens.refreshToken != nil } else { false }
    }

    /// Whether it exchanges a code of a sign-in.
    package var isLogin: Bool {
        switch self {
        case .login, .device: true
        case .renew, .adopt, .resave: false
        }
    }

    package var isRenewal: Bool {
        if case .renew = self { true } else { false }
    }

    /// A sign-in or an import: if it fails, the stored tokens are unchanged.
    package var isOperatorInitiated: Bool {
        if case .adopt = self { true } else { isLogin }
    }

    /// The end of a refused attempt for it.
    package func refused(_ refusal: Refusal) -> AttemptReport.End {
        isOperatorInitiated ? .signInFailed(refusal) : .refused(refusal)
    }
}

extension SlotRecord {
    /// The end of an attempt when the request of this record failed.
    package func end(for refusal: Refusal) -> AttemptReport.End {
        switch kind {
        case .refresh, .acquire: .refused(refusal)
        case .authorizationCode: .signInFailed(refusal)
        case .deviceCode: refusal.endOfPoll
        }
    }

    /// The result for the other record, so that a profile that is changed later need not read a
    /// response to the old one.
    ///
    /// - Returns: `nil` without a new grant: the response then stays the last word, because a
    ///   corrected profile may find more in it.
    func outcome(_ found: CredentialRecord, profile: ProviderProfile) -> SlotRecord? {
        guard profile.isLast(step, of: kind),
            found.generation != grant.generation || found.refreshToken != grant.refreshToken
        else { return nil }
        return settled(found)
    }
}

extension Refusal {
    /// The meaning of an error for a device code (RFC 8628 section 3.5).
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
