extension StatusReport {
    /// OpenMetrics 1.0 text: what an alert can be made of.
    public var openMetrics: String {
        var text = MetricsText()
        text.family(
            "evertoken_build", "info", "The version that is running.",
            [("_info{version=\"\(evertokenVersion)\"}", 1)])
        text.perCredential(
            credentials, "evertoken_access_token_expiry_timestamp_seconds", "gauge",
            "When the newest access token ends; absent when it never does.",
            { $0.expiresAt.map { Double($0.epochSeconds) } })
        text.perCredential(
            credentials, "evertoken_refresh_token_expiry_timestamp_seconds", "gauge",
            "When the refresh token ends, where that is known.",
            { $0.refreshTokenExpiresAt.map { Double($0.epochSeconds) } })
        text.perCredential(
            credentials, "evertoken_last_refresh_timestamp_seconds", "gauge",
            "When the last successful refresh was sent.",
            { $0.lastRefreshAt.map { Double($0.epochSeconds) } })
        text.perCredential(
            credentials, "evertoken_refreshes", "counter", "Successful refreshes.",
            suffix: "_total", { Double($0.refreshes) })
        text.perCredential(
            credentials, "evertoken_consecutive_failures", "gauge",
            "Failed attempts since the last success.", { Double($0.consecutiveFailures) })
        text.family(
            "evertoken_credential_state", "stateset", "The state of each credential.",
            credentials.flatMap { credential in
                CredentialState.allCases.map { state in
                    (
                        "{credential=\"\(credential.name)\","
                            + "evertoken_credential_state=\"\(state.rawValue)\"}",
                        credential.state == state ? 1 : 0
                    )
                }
            })
        return text.text + "# EOF\n"
    }
}

/// Families of samples. Names of credentials need no escaping: they are `[a-z0-9_.-]`.
private struct MetricsText {
    var text = ""

    mutating func perCredential(
        _ credentials: [CredentialStatus], _ name: String, _ type: String, _ help: String,
        suffix: String = "", _ value: (CredentialStatus) -> Double?
    ) {
        family(
            name, type, help,
            credentials.compactMap { credential in
                value(credential).map { ("\(suffix){credential=\"\(credential.name)\"}", $0) }
            })
    }

    mutating func family(
        _ name: String, _ type: String, _ help: String, _ samples: [(String, Double)]
    ) {
        text += "# TYPE \(name) \(type)\n# HELP \(name) \(help)\n"
        for (labels, value) in samples {
            let whole = value == value.rounded() ? String(Int64(value)) : String(value)
            text += "\(name)\(labels) \(whole)\n"
        }
    }
}
