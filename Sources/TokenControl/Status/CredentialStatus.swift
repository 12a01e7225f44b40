internal import TokenConfiguration
package import TokenFormats
internal import TokenProviders
package import TokenScheduling
package import TokenSlots

/// One credential as `status` shows it (Contract 5.3).
package struct CredentialStatus: Sendable, Equatable {
    /// The key under `credentials` of the configuration.
    package var name: String
    /// The profile's name.
    package var provider: String
    /// Its state in one word; JSON: `state`.
    package var state: ControlWord<CredentialState>
    /// A more precise word for the state; the state itself from a daemon that sends none.
    package var condition: ControlWord<CredentialCondition>
    /// When the request that granted the newest access token was sent.
    package var issuedAt: WallTime?
    /// When the newest access token ends; `nil` without one, and where it never ends.
    package var expiresAt: WallTime?
    /// When the next attempt is due; `nil` during an attempt, or while an operator is needed.
    package var nextRefreshAt: WallTime?
    /// Where the provider says, or documents, how long a refresh token lives.
    package var refreshTokenExpiresAt: WallTime?
    /// When the last successful request was sent.
    package var lastRefreshAt: WallTime?
    /// The unresolved problem; `nil` without one.
    package var lastError: ErrorStatus?
    /// Failed attempts since the last success.
    package var consecutiveFailures = 0
    /// Successful refreshes over all restarts; `nil` from a daemon that does not count them.
    package var refreshes: Int64?
    /// The paths of its token files, as they are configured.
    package var outputs: [String] = []
    /// What will need an operator, although there is no failure now.
    package var warnings: [String] = []
    /// The configured refresh token, while it differs from the stored one that works.
    package var candidate: CandidateStatus?
    /// Programs of `on_change` that failed for the newest token, in configured order.
    package var failingHooks: [FailingHook] = []
    /// Keys with a `LoadCredential=` source, which systemd reads when the service starts: a change
    /// needs a restart.
    package var sourcesFixedAtStart: [String] = []

    /// A credential of which nothing else is known.
    package init(name: String, provider: String, state: CredentialState) {
        (self.name, self.provider, self.state) = (name, provider, ControlWord(state))
        condition = ControlWord(text: state.rawValue)
    }

    /// What `status` shows of this lifecycle now.
    package init(_ lifecycle: CredentialLifecycle, now: Moment) {
        name = lifecycle.name
        provider = lifecycle.configuration.profile.name
        let state = lifecycle.state
        self.state = ControlWord(state)
        condition = ControlWord(CredentialCondition(lifecycle))
        // The times that outputs show, so that both agree after a clock step.
        let access = lifecycle.grant.access?.told(by: now)
        issuedAt = access?.sentAt.wall
        expiresAt = access?.expiresAt
        nextRefreshAt = lifecycle.nextAttemptAt.map { now.wall(at: $0) }
        refreshTokenExpiresAt = lifecycle.grant.refreshTokenExpiresAt
        lastRefreshAt = lifecycle.grant.attempts.lastSuccessAt?.wall
        lastError = lifecycle.standingError.map {
            ErrorStatus(
                $0, for: RemedyPlace(lifecycle.configuration, state: state),
                until: lifecycle.personDueAt, isBeforeReload: lifecycle.isErrorBeforeReload)
        }
        consecutiveFailures = lifecycle.failures
        refreshes = lifecycle.grant.attempts.successes
        outputs = lifecycle.configuration.outputs.map(\.path)
        candidate = lifecycle.grant.candidate.map { CandidateStatus($0) }
        warnings = Self.warnings(lifecycle, now: now)
        failingHooks = lifecycle.failingHooks.map { FailingHook($0, now: now) }
        sourcesFixedAtStart = lifecycle.configuration.sourcesFixedAtStart
    }

    private static func warnings(_ lifecycle: CredentialLifecycle, now: Moment) -> [String] {
        let grant = lifecycle.grant
        return ending(lifecycle, now: now)
            + [grant.candidate?.warning, grant.setAsideToken?.warning].compactMap { $0 }
            + lifecycle.findings.filter { !($0.isMootWithTokens && grant.refreshToken != nil) }
            .map { "\($0.key): \($0.advice)" }
    }

    private static func ending(_ lifecycle: CredentialLifecycle, now: Moment) -> [String] {
        guard lifecycle.state != .loginRequired, let left = lifecycle.endingSignIn(now: now) else {
            return []
        }
        let words =
            left > .zero
            ? "the refresh token ends in \(describe(left)); sign in before"
            : "the refresh token has ended; sign in"
        return ["\(words): evertoken login \(lifecycle.name)"]
    }

    /// A member of `credentials` in `/v1/status`: times in epoch seconds, `null` for what is not
    /// known. Every key is always present, so a script need not test for it.
    package var json: JSONNode { .object(members) }

    var members: [(String, JSONNode?)] {
        [
            ("name", .string(name)), ("provider", .string(provider)),
            ("state", .string(state.text)), ("condition", .string(condition.text)),
            ("issued_at", .orNull(issuedAt)),
            ("expires_at", .orNull(expiresAt)), ("next_refresh_at", .orNull(nextRefreshAt)),
            ("refresh_token_expires_at", .orNull(refreshTokenExpiresAt)),
            ("last_refresh_at", .orNull(lastRefreshAt)),
            ("last_error", lastError?.json ?? JSONNode(.null)),
            ("consecutive_failures", .integer(Int64(consecutiveFailures))),
            ("refreshes", refreshes.map { .integer($0) } ?? JSONNode(.null)),
            ("outputs", .texts(outputs)), ("warnings", .texts(warnings)),
            ("candidate", candidate?.json ?? JSONNode(.null)),
            ("failing_hooks", .array(failingHooks.map(\.json))),
            ("sources_fixed_at_start", .texts(sourcesFixedAtStart)),
        ]
    }

    /// Takes what it can use: an older daemon sends fewer members.
    package init(json: JSONNode) {
        let state = json["state"]?.text ?? ""
        (name, provider) = (json["name"]?.text ?? "", json["provider"]?.text ?? "")
        self.state = ControlWord(text: state)
        condition = json.word("condition") ?? ControlWord(text: state)
        (issuedAt, expiresAt) = (json.time("issued_at"), json.time("expires_at"))
        nextRefreshAt = json.time("next_refresh_at")
        refreshTokenExpiresAt = json.time("refresh_token_expires_at")
        lastRefreshAt = json.time("last_refresh_at")
        lastError = json["last_error"].flatMap(ErrorStatus.init(json:))
        // Beside the error is another place where a daemon may say so.
        if json["before_reload"]?.flag == true { lastError?.isBeforeReload = true }
        consecutiveFailures = json.count("consecutive_failures") ?? 0
        refreshes = json["refreshes"]?.integer
        (outputs, warnings) = (json.texts("outputs"), json.texts("warnings"))
        candidate = json["candidate"].flatMap(CandidateStatus.init(json:))
        failingHooks = (json["failing_hooks"]?.elements ?? []).map(FailingHook.init(json:))
        sourcesFixedAtStart = json.texts("sources_fixed_at_start")
    }
}

/// The reply to `GET /v1/credentials/NAME`: its status, its history and whether it may refresh.
package struct CredentialReport: Sendable, Equatable {
    /// As in the status of all credentials.
    package var status: CredentialStatus
    /// The last attempts, newest first.
    package var recent: [PastAttempt]
    /// Why a requested refresh would not start now; `nil` when it would.
    package var refreshFloor: RefreshFloor?

    /// - Parameters:
    ///   - status: The status of the credential.
    ///   - recent: The last attempts, newest first.
    ///   - refreshFloor: `nil` when a refresh may start at once.
    package init(_ status: CredentialStatus, recent: [PastAttempt], refreshFloor: RefreshFloor?) {
        (self.status, self.recent, self.refreshFloor) = (status, recent, refreshFloor)
    }

    /// The members of ``CredentialStatus/json``, `recent` and `refresh_floor`.
    package var json: JSONNode {
        .object(
            status.members + [
                ("recent", .array(recent.map(\.json))),
                ("refresh_floor", refreshFloor?.json ?? JSONNode(.null)),
            ])
    }

    /// Takes what it can use. Attempts of a kind that this version does not know are left out.
    package init(json: JSONNode) {
        self.init(
            CredentialStatus(json: json),
            recent: (json["recent"]?.elements ?? []).compactMap(PastAttempt.init(json:)),
            refreshFloor: json["refresh_floor"].flatMap(RefreshFloor.init(json:)))
    }
}

extension CredentialConfiguration {
    /// Keys that read from systemd's credentials.
    var sourcesFixedAtStart: [String] {
        secrets.compactMap { secret in
            if case .credential = secret.source.place { secret.key } else { nil }
        }
    }
}
