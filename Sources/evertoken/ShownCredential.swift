import TokenCore

/// A credential of the daemon's status. Values that an older daemon does not send are `nil` or
/// empty; unknown values of a newer one are ignored.
struct ShownCredential: Equatable {
    var name: String
    var provider: String
    /// A word of ``CredentialState``.
    var state: String
    /// The more precise word: the state itself if there is none.
    var condition: String
    var issuedAt: WallTime?
    var expiresAt: WallTime?
    var nextRefreshAt: WallTime?
    var refreshTokenExpiresAt: WallTime?
    var lastRefreshAt: WallTime?
    var trouble: ShownTrouble?
    var warnings: [String]
    var hooks: [ShownHook]
    /// Keys that systemd read when the service started.
    var fixedAtStart: [String]

    init(_ json: JSONNode) {
        let time = { (key: String) in json[key]?.integer.map(WallTime.init(epochSeconds:)) }
        let texts = { (key: String) in (json[key]?.elements ?? []).compactMap(\.text) }
        name = json["name"]?.text ?? ""
        provider = json["provider"]?.text ?? ""
        state = json["state"]?.text ?? ""
        condition = json["condition"]?.text ?? state
        (issuedAt, expiresAt) = (time("issued_at"), time("expires_at"))
        (nextRefreshAt, lastRefreshAt) = (time("next_refresh_at"), time("last_refresh_at"))
        refreshTokenExpiresAt = time("refresh_token_expires_at")
        trouble = json["last_error"].flatMap(ShownTrouble.init)
        if json["before_reload"]?.flag == true { trouble?.isOfBefore = true }
        warnings = texts("warnings")
        hooks = (json["failing_hooks"]?.elements ?? []).map(ShownHook.init)
        fixedAtStart = texts("sources_fixed_at_start")
    }

    /// Whether it has a token that is valid now.
    func isServed(now: WallTime) -> Bool { issuedAt != nil && expiresAt.map { $0 > now } ?? true }

    /// Severity, the worst first.
    enum Severity: Int, Comparable {
        case needsPerson, misconfigured, expired, failing, undelivered, pending, retrying
        case warned, fine

        static func < (left: Severity, right: Severity) -> Bool { left.rawValue < right.rawValue }
    }

    var severity: Severity {
        switch condition {
        case "undelivered": return .undelivered
        case "failing": return .failing
        default: break
        }
        switch CredentialState(rawValue: state) {
        case .loginRequired, .quarantined: return .needsPerson
        case .misconfigured: return .misconfigured
        case .expired: return .expired
        case .pending: return .pending
        case .retrying: return .retrying
        case .fresh, .refreshing: return warnings.isEmpty && hooks.isEmpty ? .fine : .warned
        // A newer daemon's word.
        case nil: return .expired
        }
    }
}

/// The problem of a credential.
struct ShownTrouble: Equatable {
    var problem: String
    var remedy: String?
    /// A word of the table of causes.
    var cause: String?
    /// The first of the consecutive equal failures.
    var since: WallTime?
    var tries: Int64?
    /// When the failure becomes final: until then the daemon retries without an operator.
    var until: WallTime?
    /// It occurred before the last reload and has not been retried since.
    var isOfBefore: Bool

    init?(_ json: JSONNode) {
        guard let problem = json["problem"]?.text else { return nil }
        (self.problem, remedy, cause) = (problem, json["remedy"]?.text, json["cause"]?.text)
        since = json["since"]?.integer.map(WallTime.init(epochSeconds:))
        tries = json["tries"]?.integer
        until = json["until"]?.integer.map(WallTime.init(epochSeconds:))
        isOfBefore = json["before_reload"]?.flag == true
    }
}

/// A program of `on_change` that is retried.
struct ShownHook: Equatable {
    var program: String
    var problem: String
    var failures: Int64
    var nextTryAt: WallTime?

    init(_ json: JSONNode) {
        program = json["program"]?.text ?? ""
        problem = json["problem"]?.text ?? ""
        failures = json["failures"]?.integer ?? 1
        nextTryAt = json["next_try_at"]?.integer.map(WallTime.init(epochSeconds:))
    }
}

extension [ShownCredential] {
    /// The most severe first; at equal severity those whose token has expired, then by name.
    func worstFirst(now: WallTime) -> [ShownCredential] {
        sorted { left, right in
            if left.severity != right.severity { return left.severity < right.severity }
            let (isLeft, isRight) = (left.isServed(now: now), right.isServed(now: now))
            return isLeft == isRight ? left.name < right.name : isRight
        }
    }
}
