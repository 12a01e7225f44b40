import TokenCore

extension ShownCredential {
    /// The present problem and its remedy, then the warnings.
    func remarks(now: WallTime) -> [StatusRemark] {
        let warned = warnings.map {
            StatusRemark(names: [name], title: unended($0), colour: .yellow)
        }
        return (troubleRemark.map { [$0] } ?? []) + warned + hooks.map { remark($0, now: now) }
    }

    private var troubleRemark: StatusRemark? {
        guard let trouble else { return nil }
        let before = trouble.isOfBefore ? " (before the reload)" : ""
        var remark = StatusRemark(
            names: [name], title: unended(trouble.problem) + before,
            colour: TextStyle.colour(of: self))
        remark.times = RemarkTimes(
            since: trouble.since, tries: trouble.tries, until: trouble.until)
        remark.details = [trouble.remedy.map(ended), fixedSources].compactMap { $0 }
        return remark
    }

    private func remark(_ hook: ShownHook, now: WallTime) -> StatusRemark {
        let often = hook.failures > 1 ? ", \(hook.failures) times in a row" : ""
        let pause = hook.nextTryAt.flatMap(TimeWords(now: now).left).map { " in " + $0 } ?? ""
        return StatusRemark(
            names: [name],
            title: "the program \(hook.program) of on_change failed: \(hook.problem)\(often)",
            details: [
                "It runs again by itself\(pause). Once mended, at once: evertoken reload"
            ], colour: .yellow)
    }

    /// A hint that the mistake may be in a source that only a restart reads again.
    private var fixedSources: String? {
        let isStuck = ["misconfigured", "login_required"].contains(state)
        guard isStuck, !fixedAtStart.isEmpty else { return nil }
        return "systemd read \(fixedAtStart.joined(separator: ", ")) (LoadCredential=) when the "
            + "service started: after a change, systemctl restart evertoken."
    }
}

/// Adds a full stop to a sentence. A command at its end gets none: it is there to be copied, and a
/// name may end with a full stop.
func ended(_ sentence: String) -> String {
    let bare = unended(sentence)
    let clause = bare.split(separator: ": ").last ?? ""
    let word = clause.split(separator: " ").first.map { String($0) } ?? ""
    return bare + (bare.contains(": ") && commandWords.contains(word) ? "" : ".")
}

private let commandWords: Set<String> = [
    "evertoken", "sudo", "systemctl", "journalctl", "resolvectl", "timedatectl", "curl", "openssl",
    "update-ca-certificates", "df", "ls", "install", "chmod", "chown",
]

private func unended(_ sentence: String) -> String {
    sentence.hasSuffix(".") ? String(sentence.dropLast()) : sentence
}

extension TextStyle {
    /// Green: no problem; yellow: a warning; red: needs an operator, or has no valid token.
    static func colour(of credential: ShownCredential) -> Colour {
        switch credential.severity {
        case .fine: .green
        case .warned: credential.state == "fresh" ? .green : .yellow
        case .pending, .retrying, .undelivered, .failing: .yellow
        case .expired, .needsPerson, .misconfigured: .red
        }
    }
}
