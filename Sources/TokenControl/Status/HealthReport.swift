package import TokenFormats
internal import TokenScheduling

/// Whether the daemon fulfils its purpose at this moment (`GET /healthz`).
package struct HealthReport: Sendable, Equatable {
    /// Why it does not. Each reason lists the credentials concerned.
    package enum Reason: String, Sendable, CaseIterable {
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

    /// Where the daemon is between its start and its stop.
    package enum Phase: Sendable, Equatable {
        /// Not every credential has been settled once since the start.
        case starting
        case running
        /// A stop has begun.
        case stopping
        /// What a newer daemon reports: not healthy, with its word for it.
        case unknown(String)
    }

    /// How many credentials one slice of a report covers.
    static let slice = 1024

    /// Where the daemon is between its start and its stop.
    package var phase: Phase
    /// Names of credentials by what is wrong; a reason without any has no entry.
    package var unhealthy: [Reason: [String]] = [:]
    /// The published token is valid, but an operator will be needed, or a program of `on_change`
    /// failed for the newest token.
    package var attention: [String] = []
    /// The name after which the next slice of the report begins; `nil` in the last one, and in a
    /// whole report.
    package var next: String?

    /// A report without unhealthy credentials.
    package init(_ phase: Phase) { self.phase = phase }

    /// Whether `/healthz` is 200.
    package var isHealthy: Bool { phase == .running && unhealthy.isEmpty }

    /// `ok`, or the most important reason.
    package var status: String {
        switch phase {
        case .stopping: "stopping"
        case .starting: "starting"
        case .unknown(let word): word
        case .running: Reason.allCases.first { unhealthy[$0] != nil }?.rawValue ?? "ok"
        }
    }

    /// Every key is always present, so a script need not test for it. Names are sorted.
    package var json: JSONNode {
        .object(
            [("status", .string(status))]
                + Reason.allCases.map { ($0.rawValue, .texts((unhealthy[$0] ?? []).sorted())) }
                + [("attention", .texts(attention.sorted()))])
    }

    /// Takes what it can use: reasons that this version does not know are left out.
    package init(json: JSONNode) {
        let word = json["status"]?.text ?? ""
        switch word {
        case "stopping": phase = .stopping
        case "starting": phase = .starting
        case "ok": phase = .running
        default: phase = Reason(spelled: word) == nil ? .unknown(word) : .running
        }
        for reason in Reason.allCases {
            let names = json.texts(reason.rawValue)
            if !names.isEmpty { unhealthy[reason] = names }
        }
        attention = json.texts("attention")
    }

    /// Adds the credentials of the slice that follows this one.
    package mutating func append(_ slice: HealthReport) {
        unhealthy.merge(slice.unhealthy) { $0 + $1 }
        attention += slice.attention
        (phase, next) = (slice.phase, slice.next)
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

extension CredentialSet {
    /// Looks at the credentials of one slice.
    ///
    /// - Parameter name: Where the last slice ended; `nil` for the first one.
    package func healthReport(
        isReady: Bool, now: Moment, after name: String? = nil
    ) -> HealthReport {
        var report = HealthReport(isStopping ? .stopping : isReady ? .running : .starting)
        report.next = visit(after: name, limit: HealthReport.slice) {
            report.note($0, now: now.uptime)
        }
        return report
    }
}
