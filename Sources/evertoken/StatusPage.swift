import TokenCore

/// All about one credential: how it stands, what is wrong, and how it came to this.
struct StatusPage {
    let credential: JSONNode
    let now: WallTime
    let style: TextStyle

    var lines: [String] {
        let state = credential["state"]?.text ?? ""
        let name = credential["name"]?.text ?? ""
        let head = style.bold(name) + "  " + style.coloured(state, style.colour(ofState: state))
        return [head] + facts.map { "  " + style.fitted($0.0, 16) + $0.1 }
            + CredentialTrouble(credential, now: now, style).lines + history
    }

    private var facts: [(String, String)] {
        var facts: [(String, String?)] = [
            ("provider", credential["provider"]?.text),
            ("access token", ending(credential["expires_at"]) ?? endless),
            ("next refresh", time(credential["next_refresh_at"]).map { "in " + $0 } ?? soon),
            ("refresh token", ending(credential["refresh_token_expires_at"])),
            ("last refresh", ago(credential["last_refresh_at"])),
            ("refreshes", credential["refreshes"]?.integer.map { String($0) }),
        ]
        let failures = credential["consecutive_failures"]?.integer ?? 0
        if failures > 0 { facts.append(("failures", "\(failures) in a row")) }
        let outputs = (credential["outputs"]?.elements ?? []).compactMap(\.text)
        facts.append(("files", outputs.joined(separator: ", ")))
        let fixed = (credential["sources_fixed_at_start"]?.elements ?? []).compactMap(\.text)
        if !fixed.isEmpty {
            let keys = fixed.joined(separator: ", ")
            facts.append(("read at start", "\(keys) (LoadCredential=; a change takes a restart)"))
        }
        return facts.compactMap { name, value in value.map { (name, $0) } }
    }

    /// A token without an end, as against no token.
    private var endless: String? {
        credential["issued_at"]?.integer == nil ? "none yet" : "never ends"
    }

    private var soon: String? {
        credential["next_refresh_at"]?.integer == nil ? nil : "now"
    }

    private func ending(_ node: JSONNode?) -> String? {
        guard let seconds = node?.integer else { return nil }
        let end = WallTime(epochSeconds: seconds)
        let words = time(node).map { "ends in " + $0 } ?? "ended " + past(end)
        return "\(words) (\(dated(seconds)))"
    }

    private func ago(_ node: JSONNode?) -> String? {
        guard let seconds = node?.integer else { return nil }
        return past(WallTime(epochSeconds: seconds)) + " (\(dated(seconds)))"
    }

    /// What is left until then; `nil` when it is past.
    private func time(_ node: JSONNode?) -> String? {
        guard let seconds = node?.integer else { return nil }
        let left = now.duration(to: WallTime(epochSeconds: seconds))
        return left > .zero ? describe(left) : nil
    }

    private func past(_ then: WallTime) -> String {
        let gone = then.duration(to: now)
        return gone < .seconds(1) ? "just now" : describe(gone) + " ago"
    }

    private func dated(_ seconds: Int64) -> String {
        CivilTime(epochSeconds: seconds).text + " UTC"
    }

    private var history: [String] {
        let attempts = (credential["recent"]?.elements ?? []).compactMap(PastAttempt.init(json:))
        guard !attempts.isEmpty else { return ["", "  no attempt yet"] }
        let header =
            "  " + style.fitted("WHEN", 15) + "  " + style.fitted("WHAT", 8) + "  "
            + style.fitted("RESULT", 18) + "  TOOK"
        return ["", style.bold(header)] + attempts.flatMap(lines)
    }

    private func lines(_ attempt: PastAttempt) -> [String] {
        let isGood = attempt.failureClass == nil
        let status = attempt.httpStatus.map { " \($0)" } ?? ""
        let result = (attempt.failureClass?.rawValue ?? "success") + status
        let took = attempt.took.map { "\($0.nanoseconds / 1_000_000) ms" } ?? "-"
        let line =
            "  " + style.fitted(past(attempt.at), 15) + "  "
            + style.fitted(attempt.kind.rawValue, 8) + "  "
            + style.coloured(style.fitted(result, 18), isGood ? .green : .yellow) + "  " + took
        guard let problem = attempt.problem else { return [line] }
        return [line] + wrapped(problem, indent: "    ")
    }
}
