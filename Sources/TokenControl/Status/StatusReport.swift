package import TokenFormats
internal import TokenProviders
internal import TokenScheduling
internal import TokenSlots

/// What `status` shows, from the daemon's side (Contract 5.3).
package struct StatusReport: Sendable, Equatable {
    /// The daemon's state in one word: `degraded` when a credential is not healthy.
    package enum DaemonState: String, Sendable, CaseIterable {
        case ready, starting, degraded, stopping
    }

    /// The state of the whole daemon.
    package var state: ControlWord<DaemonState>
    /// When the process started.
    package var startedAt: WallTime?
    /// In name order.
    package var credentials: [CredentialStatus]
    /// Mistakes of the last reload, if it was refused; otherwise empty.
    package var configurationMistakes: [String]
    /// Changed keys that take effect only at the next start.
    package var needingRestart: [String] = []
    /// Settings that could not be applied.
    package var reloadProblems: [String] = []
    /// How many credentials are in each state, by its word, on this page or not; `nil` in a whole
    /// document, which lists them all.
    package var counts: [String: Int]?
    /// The name behind which the next page begins; `nil` on the last one.
    package var next: String?

    /// A report whose configuration applies completely.
    package init(
        state: DaemonState, startedAt: WallTime, credentials: [CredentialStatus],
        configurationMistakes: [String] = []
    ) {
        self.state = ControlWord(state)
        (self.startedAt, self.credentials) = (startedAt, credentials)
        self.configurationMistakes = configurationMistakes
    }

    /// The reply to `GET /v1/status`; of the lists only `credentials` is there when it is empty.
    package var json: JSONNode {
        // Not a plain nil, which could be JSON's null.
        let list = { (texts: [String]) in texts.isEmpty ? JSONNode?.none : .texts(texts) }
        return .object([
            ("version", 1), ("state", .string(state.text)), ("started_at", .orNull(startedAt)),
            ("configuration_mistakes", list(configurationMistakes)),
            ("needs_restart", list(needingRestart)), ("reload_problems", list(reloadProblems)),
            ("counts", counts.map(Self.json)), ("next", next.map { .string($0) }),
            (Self.credentialsKey, .array(credentials.map(\.json))),
        ])
    }

    /// In the order of the states; a word of another version comes last.
    private static func json(_ counts: [String: Int]) -> JSONNode {
        let known = CredentialState.allCases.map(\.rawValue).filter { counts[$0] != nil }
        let others = counts.keys.filter { CredentialState(spelled: $0) == nil }.sorted()
        return .object((known + others).map { ($0, .integer(Int64(counts[$0] ?? 0))) })
    }

    /// Takes what it can use; a credential without a name is left out.
    package init(json: JSONNode) {
        state = json.word("state") ?? .unknown("")
        startedAt = json.time("started_at")
        credentials = (json[Self.credentialsKey]?.elements ?? []).map(CredentialStatus.init(json:))
            .filter { !$0.name.isEmpty }
        configurationMistakes = json.texts("configuration_mistakes")
        (needingRestart, reloadProblems) = (
            json.texts("needs_restart"), json.texts("reload_problems")
        )
        next = json["next"]?.text
        counts = json["counts"]?.members.map { members in
            Dictionary(
                members.map { ($0.key, Int($0.value.integer ?? 0)) }, uniquingKeysWith: { $1 })
        }
    }

    /// A reply without some of its credentials, and otherwise as it was sent: with the members that
    /// only a newer daemon knows.
    ///
    /// - Parameters:
    ///   - reply: The text of the reply; one that is not JSON stays as it is.
    ///   - isKept: Whether a credential stays.
    package static func filtered(
        _ reply: String, keeping isKept: (CredentialStatus) -> Bool
    ) -> String {
        guard let members = (try? JSONReader.read(Array(reply.utf8)))?.members else { return reply }
        let kept = members.map { member in
            guard member.key.hasSameBytes(as: credentialsKey) else { return member }
            let kept = (member.value.elements ?? []).filter { isKept(CredentialStatus(json: $0)) }
            return JSONMember(member.key, .array(kept))
        }
        return String(
            decoding: JSONNode(.object(kept)).serialized() + [0x0A], as: UTF8.self)
    }

    /// The last member of the document: a status that is sent in pieces ends with its elements.
    private static let credentialsKey = "credentials"
}

extension StoredError {
    /// The next action for the operator, as an imperative sentence without its full stop.
    package func remedy(for place: RemedyPlace) -> String {
        if place.state == .loginRequired {
            switch cause.kind {
            case .notSignedIn: break
            case .refreshTokenRefusedUnspent:
                return place.signIn + "; a host that has the same one needs a sign-in of its own"
            case .answerIsPage:
                return cause.remedy(for: place) + ". If the page is the provider's own: "
                    + place.signInCommand
            default: return place.signIn
            }
        }
        return cause.kind == .untold ? remedyOfClass(place) : cause.remedy(for: place)
    }

    /// For a record of an earlier version, which has no cause.
    private func remedyOfClass(_ place: RemedyPlace) -> String {
        let again = "evertoken refresh \(place.credential)"
        switch failureClass {
        case .reauth, .reacquire: return "\(place.signIn), or wait: it is tried again by itself"
        case .config where httpStatus != nil:
            return "Check client_id, client_secret and the provider's settings, then run: \(again)"
        case .config: return "Correct what it says, then run: \(again)"
        case .storage: return Cause(.stateFails).remedy(for: place)
        case .output: return "See what it says now: evertoken reload"
        default: return "See what it says now: \(again) --wait"
        }
    }
}

extension CredentialSet {
    /// `ready` once every credential is settled, `degraded` while one needs an operator or has
    /// expired.
    ///
    /// - Returns: A slice of the credentials that the query asks for.
    package func statusSlice(
        _ query: StatusQuery, isReady: Bool, startedAt: WallTime, now: Moment, mistakes: [String]
    ) -> StatusSlice {
        let state: StatusReport.DaemonState
        if isStopping {
            state = .stopping
        } else if !isReady {
            state = .starting
        } else {
            let isHealthy = CredentialState.allCases.allSatisfy {
                $0.isHealthy || count(of: $0) == 0
            }
            state = isHealthy ? .ready : .degraded
        }
        var report = StatusReport(
            state: state, startedAt: startedAt, credentials: [], configurationMistakes: mistakes)
        if query.isPage {
            report.counts = Dictionary(
                uniqueKeysWithValues: CredentialState.allCases.map { ($0.rawValue, count(of: $0)) })
        }
        var slice = StatusSlice(head: report, now: now)
        slice.next = visit(
            after: query.after, state: query.state,
            limit: min(query.limit ?? .max, StatusSlice.most)
        ) { slice.lifecycles.append(copy $0) }
        return slice
    }

    /// `3 of 4 fresh; next: crm in 12 min; 1 needs login: drive` (sd_notify(3), `STATUS=`).
    package func statusLine(now: Moment) -> String {
        let all = summary.count
        if all == 0 { return "no credentials configured" }
        let fresh = count(of: .fresh) + count(of: .refreshing)
        var parts = ["\(fresh) of \(all) fresh"]
        if let next = nextAttempt {
            parts.append("next: \(next.name) in \(describe(now.uptime.duration(to: next.at)))")
        }
        if fresh == all { return parts.joined(separator: "; ") }
        let kinds: [(CredentialState, String)] = [
            (.loginRequired, "needs login"), (.expired, "expired"),
            (.misconfigured, "misconfigured"), (.quarantined, "quarantined"),
            (.retrying, "retrying"), (.pending, "pending"),
        ]
        for (state, words) in kinds {
            let number = count(of: state)
            guard number > 0 else { continue }
            let names = firstNames(of: state, most: 5)
            parts.append("\(number) \(words): \(names.joined(separator: ", "))")
        }
        return parts.joined(separator: "; ")
    }
}
