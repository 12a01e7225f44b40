/// One credential as `status` shows it (Contract 5.3).
public struct CredentialStatus: Sendable, Equatable {
    /// The key under `credentials` of the configuration.
    public var name: String
    /// The profile's name.
    public var provider: String
    /// Its state in one word; JSON: `state`.
    public var state: CredentialState
    /// A more precise word for the state.
    public var condition: CredentialCondition
    /// When the request that granted the newest access token was sent.
    public var issuedAt: WallTime?
    /// When the newest access token ends; `nil` without one, and where it never ends.
    public var expiresAt: WallTime?
    /// When the next attempt is due; `nil` during an attempt, or while an operator is needed.
    public var nextRefreshAt: WallTime?
    /// Where the provider says, or documents, how long a refresh token lives.
    public var refreshTokenExpiresAt: WallTime?
    /// When the last successful request was sent.
    public var lastRefreshAt: WallTime?
    /// The unresolved problem; `nil` without one.
    public var lastError: StoredError?
    /// The error is older than the last reload, and its retry is pending.
    public var isErrorBeforeReload: Bool
    /// When the operator is notified of it if the failure continues.
    public var lastErrorUntil: WallTime?
    /// The facts for its remedy.
    private var place: RemedyPlace
    /// Failed attempts since the last success.
    public var consecutiveFailures: Int
    /// Successful refreshes over all restarts.
    public var refreshes: Int64
    /// The paths of its token files, as they are configured.
    public var outputs: [String]
    /// What will need an operator, although there is no failure now.
    public var warnings: [String]
    /// The configured refresh token, while it differs from the stored one that works.
    public var candidate: CandidateToken?
    /// Programs of `on_change` that failed for the newest token, in configured order.
    public var failingHooks: [FailingHook]
    /// Keys with a `LoadCredential=` source, which systemd reads when the service starts: a change
    /// needs a restart.
    public var sourcesFixedAtStart: [String]

    /// What `status` shows of this lifecycle now.
    public init(_ lifecycle: CredentialLifecycle, now: Moment) {
        name = lifecycle.name
        provider = lifecycle.configuration.profile.name
        state = lifecycle.state
        condition = CredentialCondition(lifecycle)
        // The times that outputs show, so that both agree after a clock step.
        let access = lifecycle.grant.access?.told(by: now)
        issuedAt = access?.sentAt.wall
        expiresAt = access?.expiresAt
        nextRefreshAt = lifecycle.nextAttemptAt.map { now.wall(at: $0) }
        refreshTokenExpiresAt = lifecycle.grant.refreshTokenExpiresAt
        lastRefreshAt = lifecycle.grant.attempts.lastSuccessAt?.wall
        lastError = lifecycle.standingError
        isErrorBeforeReload = lifecycle.isErrorBeforeReload
        lastErrorUntil = lifecycle.personDueAt
        place = RemedyPlace(lifecycle.configuration, state: lifecycle.state)
        consecutiveFailures = lifecycle.failures
        refreshes = lifecycle.grant.attempts.successes
        outputs = lifecycle.configuration.outputs.map(\.path)
        candidate = lifecycle.grant.candidate
        warnings = Self.warnings(lifecycle, now: now)
        failingHooks = lifecycle.failingHooks.map { FailingHook($0, now: now) }
        sourcesFixedAtStart = lifecycle.configuration.sourcesFixedAtStart
    }

    private static func warnings(_ lifecycle: CredentialLifecycle, now: Moment) -> [String] {
        let grant = lifecycle.grant
        return ending(lifecycle, now: now)
            + [grant.candidate?.warning, grant.elsewhere?.warning].compactMap { $0 }
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
    /// known.
    public var json: JSONNode {
        .object([
            ("name", .string(name)), ("provider", .string(provider)),
            ("state", .string(state.rawValue)), ("condition", .string(condition.rawValue)),
            ("issued_at", time(issuedAt)),
            ("expires_at", time(expiresAt)), ("next_refresh_at", time(nextRefreshAt)),
            ("refresh_token_expires_at", time(refreshTokenExpiresAt)),
            ("last_refresh_at", time(lastRefreshAt)),
            (
                "last_error",
                lastErrorJSON
            ),
            ("consecutive_failures", .integer(Int64(consecutiveFailures))),
            ("refreshes", .integer(refreshes)),
            ("outputs", .array(outputs.map { .string($0) })),
            ("warnings", .array(warnings.map { .string($0) })),
            ("candidate", candidate.map(\.statusJSON) ?? JSONNode(.null)),
            ("failing_hooks", .array(failingHooks.map(\.json))),
            ("sources_fixed_at_start", .array(sourcesFixedAtStart.map { .string($0) })),
        ])
    }

    private var lastErrorJSON: JSONNode {
        guard let lastError else { return JSONNode(.null) }
        let node = lastError.statusJSON(for: place, until: lastErrorUntil)
        guard isErrorBeforeReload else { return node }
        return JSONNode(
            .object((node.members ?? []) + [JSONMember("before_reload", .bool(true))]))
    }

    /// With the last attempts, newest first: for the status of a single credential.
    public func json(recent: [PastAttempt]) -> JSONNode {
        var members = json.members ?? []
        members.append(JSONMember("recent", .array(recent.reversed().map(\.json))))
        return JSONNode(.object(members))
    }
}

/// Every key is always present, so a script need not test for it.
private func time(_ time: WallTime?) -> JSONNode {
    time.map { .integer($0.epochSeconds) } ?? JSONNode(.null)
}

extension CredentialConfiguration {
    /// Keys that read from systemd's credentials.
    var sourcesFixedAtStart: [String] {
        secrets.compactMap { secret in
            if case .credential = secret.source.place { secret.key } else { nil }
        }
    }
}
