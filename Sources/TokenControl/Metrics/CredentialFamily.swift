internal import TokenFormats
internal import TokenProviders

/// A metric family with samples of each credential.
struct CredentialFamily: Sendable {
    let begin: @Sendable (inout MetricsText) -> Void
    /// The samples of one credential, if it has any in this family.
    let sample: @Sendable (inout MetricsText, borrowing CredentialMetrics) -> Void

    /// In the order of the text.
    static let all =
        [provider] + times + [lateness, states, failures, outputs, storage, hooks]
        + [refreshes, attempts]

    private static func gauge(
        _ name: String, unit: String? = nil, _ help: String,
        _ sample: @escaping @Sendable (inout MetricsText, borrowing CredentialMetrics) -> Void
    ) -> CredentialFamily {
        CredentialFamily(begin: { $0.family(name, .gauge, unit: unit, help) }, sample: sample)
    }

    private static let provider = CredentialFamily(
        begin: {
            $0.family("evertoken_credential", .info, "The provider of each credential.")
        },
        sample: {
            let provider = "," + MetricsText.label("provider", $1.provider)
            $0.sample("_info", of: $1.name, more: provider, 1)
        })

    private static let times = [
        time(
            "evertoken_access_token_expiry_timestamp_seconds",
            "When the newest access token ends; absent when it never does."
        ) { $0.expiresAt },
        time(
            "evertoken_refresh_token_expiry_timestamp_seconds",
            "When the refresh token ends, where that is known."
        ) { $0.refreshTokenExpiresAt },
        time(
            "evertoken_sign_in_due_timestamp_seconds",
            "When a person must sign in: the end of a refresh token that no refresh postpones, "
                + "where that is known."
        ) { $0.signInDueAt },
        time(
            "evertoken_last_refresh_timestamp_seconds",
            "When the last successful refresh was sent."
        ) { $0.lastRefreshAt },
        time(
            "evertoken_next_refresh_timestamp_seconds",
            "When the next attempt is planned; absent while one is under way, and while a person "
                + "is needed."
        ) { $0.nextRefreshAt },
    ]

    private static func time(
        _ name: String, _ help: String,
        _ time: @escaping @Sendable (borrowing CredentialMetrics) -> WallTime?
    ) -> CredentialFamily {
        gauge(name, unit: "seconds", help) {
            if let time = time($1) { $0.sample(of: $1.name, time.epochSeconds) }
        }
    }

    private static let lateness = gauge(
        "evertoken_refresh_lateness_seconds", unit: "seconds",
        "How long the renewal that is due now is overdue; if none is, how late the last one "
            + "was started."
    ) { $0.sample(of: $1.name, $1.lateness) }

    private static let stateLabels = CredentialState.allCases.map {
        ($0, "," + MetricsText.label("evertoken_credential_state", $0.rawValue))
    }

    private static let states = CredentialFamily(
        begin: {
            $0.family("evertoken_credential_state", .stateset, "The state of each credential.")
        },
        sample: {
            for (state, label) in stateLabels {
                $0.sample(of: $1.name, more: label, $1.state == state ? 1 : 0)
            }
        })

    private static let failures = gauge(
        "evertoken_consecutive_failures", "Failed attempts since the last success."
    ) { $0.sample(of: $1.name, Int64($1.failures)) }

    private static let outputs = gauge(
        "evertoken_output_problem", "Whether the newest token is not in every file."
    ) { $0.sample(of: $1.name, $1.hasOutputProblem ? 1 : 0) }

    private static let storage = gauge(
        "evertoken_storage_problem",
        "Whether the file system of the state does not take what must be saved."
    ) { $0.sample(of: $1.name, $1.hasStorageProblem ? 1 : 0) }

    private static let hooks = gauge(
        "evertoken_hook_failures",
        "Failures in a row of a program of on_change; 0 when all have worked for the newest token."
    ) { $0.sample(of: $1.name, Int64($1.hookFailures)) }

    private static let refreshes = CredentialFamily(
        begin: {
            $0.family(
                "evertoken_refreshes", .counter,
                "Successful refreshes of all time; a restart does not end the count.")
        }, sample: { $0.sample("_total", of: $1.name, $1.refreshes) })

    private static let attempts = CredentialFamily(
        begin: {
            $0.family(
                "evertoken_refresh_attempts", .counter,
                "Ended attempts to refresh since the start; \"class\" is that of last_error in "
                    + "status.")
        },
        sample: {
            let (name, attempts) = ($1.name, $1.attempts)
            let provider = "," + MetricsText.label("provider", attempts.provider)
            let success = provider + ",result=\"success\",class=\"none\""
            $0.sample("_total", of: name, more: success, attempts.successes)
            guard !attempts.failures.isEmpty else { return }
            for failure in FailureClass.allCases {
                guard let count = attempts.failures[failure] else { continue }
                let label = MetricsText.label("class", failure.rawValue)
                let more = "\(provider),result=\"failure\",\(label)"
                $0.sample("_total", of: name, more: more, count)
            }
        })
}
