/// What `status` shows, from the daemon's side (contract section 5, `status --json`).
public struct StatusReport: Sendable {
    public enum DaemonState: String, Sendable { case ready, starting, degraded, stopping }

    public var state: DaemonState
    public var startedAt: WallTime
    public var credentials: [CredentialStatus]
    /// Why the last reload was refused; empty when it was not.
    public var configurationMistakes: [String]
    /// Keys of the configuration in force that wait for the service to start again.
    public var needingRestart: [String] = []
    /// What of that configuration could not be put in force.
    public var reloadProblems: [String] = []

    public init(
        state: DaemonState, startedAt: WallTime, credentials: [CredentialStatus],
        configurationMistakes: [String] = []
    ) {
        (self.state, self.startedAt, self.credentials) = (state, startedAt, credentials)
        self.configurationMistakes = configurationMistakes
    }

    public var json: JSONNode {
        .object([
            ("version", 1), ("state", .string(state.rawValue)),
            ("started_at", .integer(startedAt.epochSeconds)),
            (
                "configuration_mistakes",
                configurationMistakes.isEmpty
                    ? nil : .array(configurationMistakes.map { .string($0) })
            ),
            (
                "needs_restart",
                needingRestart.isEmpty ? nil : .array(needingRestart.map { .string($0) })
            ),
            (
                "reload_problems",
                reloadProblems.isEmpty ? nil : .array(reloadProblems.map { .string($0) })
            ),
            ("credentials", .array(credentials.map(\.json))),
        ])
    }
}

extension StoredError {
    func statusJSON(credential: String, state: CredentialState) -> JSONNode {
        .object([
            ("class", .string(failureClass.rawValue)),
            ("http_status", httpStatus.map { .integer(Int64($0)) } ?? JSONNode(.null)),
            ("problem", .string(problem)),
            ("remedy", .string(remedy(credential: credential, state: state))),
            ("at", .integer(at.epochSeconds)),
        ])
    }

    /// What a person should do next, as an imperative sentence without its full stop.
    public func remedy(credential: String, state: CredentialState) -> String {
        if state == .loginRequired {
            return "Sign in again: put a new refresh token in place, or run: evertoken login "
                + "\(credential), or: evertoken import \(credential)"
        }
        if state == .quarantined, problem == CredentialLifecycle.unreadable {
            return "Nothing is sent. Set the slots aside: evertoken accept \(credential); then "
                + "sign in: evertoken login \(credential). Or bring tokens: evertoken import "
                + credential
        }
        if state == .quarantined {
            return "Nothing is sent. If no other host uses this state and it is not an old copy, "
                + "run: evertoken accept \(credential); otherwise sign in again: evertoken login "
                + "\(credential), or: evertoken import \(credential)"
        }
        switch failureClass {
        case .reauth, .reacquire:
            return "Wait: it is tried again before anybody has to sign in"
        case .config where httpStatus == nil:
            return "Correct what it says, then run: evertoken reload (or refresh \(credential))"
        case .config:
            return "Check client_id, client_secret and the provider's settings, then run: "
                + "evertoken refresh \(credential)"
        case .tooEarly: return "Wait: the provider renews this token only near its end"
        case .rateLimited: return "Wait: the next try comes when the provider allows it"
        case .transient where httpStatus.map { 200...299 ~= $0 } ?? false:
            return "See what the provider answers: the profile's \"response\" takes it for no "
                + "success, and no rule of its \"errors\" knows it; it is tried again"
        case .transient: return "Wait: it is tried again; if it lasts, see the provider's status"
        case .ambiguous where httpStatus != nil:
            return "See what the provider answers, and the profile's \"response\"; the same "
                + "refresh token is tried again"
        case .ambiguous:
            return "Wait: the answer was lost, and the same refresh token is tried again"
        case .storage:
            return "Make room or repair the file system of the state directory; nothing is sent "
                + "until it can be written"
        case .output: return "Check the output's directory, owner and free space"
        }
    }
}

/// The little that the status line says of one credential.
struct Glance: Sendable, Equatable {
    var name: String
    var state: CredentialState
    var nextAttemptAt: Uptime?

    init(_ lifecycle: CredentialLifecycle) {
        (name, state) = (lifecycle.name, lifecycle.state)
        nextAttemptAt = lifecycle.nextAttemptAt
    }
}

extension Fleet {
    /// `ready` once everything is settled, `degraded` while anything needs a person or is expired.
    public func statusReport(
        isReady: Bool, startedAt: WallTime, now: Moment, mistakes: [String]
    ) -> StatusReport {
        let credentials = all.map { CredentialStatus($0, now: now) }
        let state: StatusReport.DaemonState
        if isStopping {
            state = .stopping
        } else if !isReady {
            state = .starting
        } else {
            state = credentials.allSatisfy(\.state.isHealthy) ? .ready : .degraded
        }
        return StatusReport(
            state: state, startedAt: startedAt, credentials: credentials,
            configurationMistakes: mistakes)
    }

    /// `3 of 4 fresh; next: crm in 12 min; 1 needs login: drive` (sd_notify(3), `STATUS=`).
    public func statusLine(now: Moment) -> String {
        let all = glances.compactMap { $0 }
        if all.isEmpty { return "no credentials configured" }
        let fresh = all.count { $0.state == .fresh || $0.state == .refreshing }
        var parts = ["\(fresh) of \(all.count) fresh"]
        var next: (name: String, at: Uptime)?
        for glance in all {
            guard let at = glance.nextAttemptAt, next.map({ at < $0.at }) ?? true else { continue }
            next = (glance.name, at)
        }
        if let next {
            parts.append("next: \(next.name) in \(describe(now.uptime.duration(to: next.at)))")
        }
        if fresh == all.count { return parts.joined(separator: "; ") }
        let kinds: [(CredentialState, String)] = [
            (.loginRequired, "needs login"), (.expired, "expired"),
            (.misconfigured, "misconfigured"), (.quarantined, "quarantined"),
            (.retrying, "retrying"), (.pending, "pending"),
        ]
        for (state, words) in kinds {
            let names = all.filter { $0.state == state }.map(\.name).sorted()
            if !names.isEmpty {
                parts.append("\(names.count) \(words): \(names.prefix(5).joined(separator: ", "))")
            }
        }
        return parts.joined(separator: "; ")
    }

    public var isSettled: Bool { glances.allSatisfy { $0?.state.isSettled ?? true } }
}
