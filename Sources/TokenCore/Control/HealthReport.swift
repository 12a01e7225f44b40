/// Whether everything that the daemon is for is done at this moment (`GET /healthz`).
public struct HealthReport: Sendable, Equatable {
    /// Why it is not. Each holds the names of the credentials concerned.
    public enum Reason: String, Sendable, CaseIterable {
        /// The published token has ended; it keeps trying.
        case expired
        /// No valid token, and a person must sign in.
        case loginRequired = "login_required"
        /// No valid token, and the provider refuses the request itself.
        case misconfigured
        /// No valid token, and the stored state cannot be trusted.
        case quarantined
        /// There has been no token yet.
        case pending
        /// The state cannot be written.
        case storage
        /// The newest token is not in every file.
        case output
    }

    /// Whether every credential has been settled once since the start.
    public var isReady: Bool
    /// Whether a stop has begun.
    public var isStopping: Bool
    /// Names of credentials by what is wrong; a reason without any has no entry.
    public var unhealthy: [Reason: [String]] = [:]
    /// Still served by a token that lives, but a person will be needed; or a program of `on_change`
    /// has not worked for the newest token.
    public var attention: [String] = []

    /// Whether `/healthz` is 200.
    public var isHealthy: Bool { isReady && !isStopping && unhealthy.isEmpty }

    /// `ok`, or the one word that explains most.
    public var status: String {
        if isStopping { return "stopping" }
        if !isReady { return "starting" }
        return Reason.allCases.first { unhealthy[$0] != nil }?.rawValue ?? "ok"
    }

    /// Every key is always there: a script need not ask first.
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
            // The last four only for the moment until the loop notices the token's end.
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
