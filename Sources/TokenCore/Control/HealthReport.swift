/// Whether the daemon fulfils its purpose at this moment (`GET /healthz`).
public struct HealthReport: Sendable, Equatable {
    /// Why it does not. Each reason lists the credentials concerned.
    public enum Reason: String, Sendable, CaseIterable {
        /// The published token has expired; the daemon retries.
        case expired
        /// No valid token, and a user must sign in.
        case loginRequired = "login_required"
        /// No valid token, and the provider refuses the request.
        case misconfigured
        /// No valid token, and the stored state cannot be trusted.
        case quarantined
        /// No token was published yet.
        case pending
        /// The state cannot be written.
        case storage
        /// Some file does not have the newest token.
        case output
    }

    /// Whether every credential has been settled once since the start.
    public var isReady: Bool
    /// Whether a stop has begun.
    public var isStopping: Bool
    /// Names of credentials by what is wrong; a reason without any has no entry.
    public var unhealthy: [Reason: [String]] = [:]
    /// The published token is valid, but an operator will be needed, or a program of `on_change`
    /// failed for the newest token.
    public var attention: [String] = []

    /// Whether `/healthz` is 200.
    public var isHealthy: Bool { isReady && !isStopping && unhealthy.isEmpty }

    /// `ok`, or the most important reason.
    public var status: String {
        if isStopping { return "stopping" }
        if !isReady { return "starting" }
        return Reason.allCases.first { unhealthy[$0] != nil }?.rawValue ?? "ok"
    }

    /// Every key is always present, so a script need not test for it.
    public var json: JSONNode {
        let names = { (names: [String]) in JSONNode.array(names.sorted().map { .string($0) }) }
        return .object(
            [("status", .string(status))]
                + Reason.allCases.map { ($0.rawValue, names(unhealthy[$0] ?? [])) }
                + [("attention", names(attention))])
    }

    fileprivate mutating func note(_ lifecycle: borrowing CredentialLifecycle, now: Uptime) {
        let name = lifecycle.name
        if lifecycle.hasStorageProblem { unhealthy[.storage, default: []].append(name) }
        if lifecycle.hasOutputProblem { unhealthy[.output, default: []].append(name) }
        let (state, isServed) = (lifecycle.state, lifecycle.isServed(now: now))
        let hasFailingHook = !lifecycle.failingHooks.isEmpty
        if hasFailingHook || (isServed && !state.isHealthy) { attention.append(name) }
        guard !isServed else { return }
        let reason: Reason =
            switch state {
            case .pending: .pending
            case .loginRequired: .loginRequired
            case .misconfigured: .misconfigured
            case .quarantined: .quarantined
            // The last four occur only until the loop handles the token's expiry.
            case .expired, .fresh, .refreshing, .retrying: .expired
            }
        unhealthy[reason, default: []].append(name)
    }
}

extension Fleet {
    /// Looks at every credential once.
    public func healthReport(isReady: Bool, now: Moment) -> HealthReport {
        var report = HealthReport(isReady: isReady, isStopping: isStopping)
        forEach { report.note($0, now: now.uptime) }
        return report
    }
}
