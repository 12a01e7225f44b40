import TokenCore

/// The daemon's status as a table for people: 80 columns, one line a credential, problems below.
struct StatusTable {
    let status: JSONNode
    let now: WallTime
    var style = TextStyle.plain
    /// A bar of what is left of each token's life.
    var showsLife = false

    var lines: [String] {
        let credentials = status["credentials"]?.elements ?? []
        let names = credentials.map { $0["name"]?.text ?? "" }
        let width = min(showsLife ? 24 : 28, max(10, names.map(\.count).max() ?? 0))
        var header =
            style.fitted("CREDENTIAL", width) + "  " + style.fitted("STATE", 14) + "  "
            + style.fitted("EXPIRES IN", 11) + "  "
        header += showsLife ? style.fitted("NEXT REFRESH", 12) + "  LIFE" : "NEXT REFRESH"
        var lines = [style.bold(header)]
        for credential in credentials { lines.append(line(credential, width: width)) }
        for credential in credentials {
            lines += CredentialTrouble(credential, now: now, style).lines
        }
        return lines + general
    }

    /// What concerns no single credential.
    private var general: [String] {
        let mistakes = (status["configuration_mistakes"]?.elements ?? []).flatMap { mistake in
            wrapped("the last reload was refused: \(mistake.text ?? "")", indent: "")
        }
        let problems = (status["reload_problems"]?.elements ?? []).flatMap { problem in
            wrapped("not in force since the last reload: \(problem.text ?? "")", indent: "")
        }
        let keys = (status["needs_restart"]?.elements ?? []).compactMap(\.text)
        guard !keys.isEmpty else { return mistakes + problems }
        return mistakes + problems
            + wrapped(
                "\(keys.joined(separator: ", ")): the new value waits for a restart: "
                    + "systemctl restart evertoken", indent: "")
    }

    private func line(_ credential: JSONNode, width: Int) -> String {
        let state = credential["state"]?.text ?? ""
        let next = time(credential["next_refresh_at"], past: "now")
        return style.fitted(credential["name"]?.text ?? "", width) + "  "
            + style.coloured(style.fitted(state, 14), style.colour(ofState: state)) + "  "
            + style.fitted(time(credential["expires_at"], past: "expired"), 11) + "  "
            + (showsLife ? style.fitted(next, 12) + "  " + life(credential) : next)
    }

    private func life(_ credential: JSONNode) -> String {
        guard let issued = credential["issued_at"]?.integer else { return "" }
        // One that never ends is always whole.
        let end = credential["expires_at"]?.integer
        let left = end.map { Double($0 - now.epochSeconds) / Double(max(1, $0 - issued)) } ?? 1
        let colour: TextStyle.Colour = left <= 0 ? .red : left < 0.2 ? .yellow : .green
        return style.coloured(style.bar(left, width: 8), colour)
    }

    private func time(_ node: JSONNode?, past: String) -> String {
        guard let seconds = node?.integer else { return "-" }
        let left = now.duration(to: WallTime(epochSeconds: seconds))
        return left <= .zero ? past : describe(left)
    }
}

extension TextStyle {
    func colour(ofState name: String) -> Colour? {
        switch CredentialState(rawValue: name) {
        case .fresh, .refreshing: .green
        case .retrying, .pending: .yellow
        case .expired, .loginRequired, .misconfigured, .quarantined: .red
        case nil: nil
        }
    }
}

/// What is wrong with a credential and what to do, then what will be.
struct CredentialTrouble {
    let credential: JSONNode
    let now: WallTime
    let style: TextStyle

    init(_ credential: JSONNode, now: WallTime, _ style: TextStyle) {
        (self.credential, self.now, self.style) = (credential, now, style)
    }

    var lines: [String] {
        let name = credential["name"]?.text ?? ""
        let warnings = (credential["warnings"]?.elements ?? []).flatMap { warning in
            wrapped("\(name): \(warning.text ?? "").", indent: "").map {
                style.coloured($0, .yellow)
            }
        }
        guard let error = credential["last_error"], let problem = error["problem"]?.text else {
            return warnings + hooks
        }
        let state = credential["state"]?.text ?? ""
        let title = wrapped("\(name): \(problem) (\(error["class"]?.text ?? "")).", indent: "")
        return title.map { style.coloured($0, style.colour(ofState: state)) }
            + wrapped((error["remedy"]?.text ?? "") + ".", indent: "  ") + fixedSources(state)
            + warnings + hooks
    }

    /// Programs of `on_change` that are tried again.
    private var hooks: [String] {
        (credential["failing_hooks"]?.elements ?? []).flatMap { hook -> [String] in
            let name = credential["name"]?.text ?? ""
            let failures = hook["failures"]?.integer ?? 1
            let often = failures > 1 ? ", \(failures) times in a row" : ""
            let title =
                "\(name): the program \(hook["program"]?.text ?? "") of on_change failed: "
                + "\(hook["problem"]?.text ?? "")\(often)."
            return wrapped(title, indent: "").map { style.coloured($0, .yellow) }
                + wrapped(
                    "It runs again by itself\(pause(hook["next_try_at"])). Once mended, at once: "
                        + "evertoken reload.", indent: "  ")
        }
    }

    private func pause(_ node: JSONNode?) -> String {
        guard let seconds = node?.integer else { return "" }
        let left = now.duration(to: WallTime(epochSeconds: seconds))
        return left > .zero ? " in \(describe(left))" : ""
    }

    /// Where the mistake may lie in what only a restart reads again.
    private func fixedSources(_ state: String) -> [String] {
        let keys = (credential["sources_fixed_at_start"]?.elements ?? []).compactMap(\.text)
        let isStuck = ["misconfigured", "login_required"].contains(state)
        guard isStuck, !keys.isEmpty else { return [] }
        return wrapped(
            "systemd read \(keys.joined(separator: ", ")) (LoadCredential=) when the service "
                + "started: after a change, systemctl restart evertoken.", indent: "  ")
    }
}
