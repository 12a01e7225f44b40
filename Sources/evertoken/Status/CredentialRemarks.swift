internal import TokenControl
internal import TokenFormats

extension CredentialStatus {
    /// The present problem and its remedy, then the warnings.
    func remarks(now: WallTime) -> [StatusRemark] {
        let warned = warnings.map {
            StatusRemark(names: [name], title: unended($0), colour: .yellow)
        }
        return (errorRemark.map { [$0] } ?? []) + warned + failingHooks.map { remark($0, now: now) }
    }

    private var errorRemark: StatusRemark? {
        guard let error = lastError else { return nil }
        let before = error.isBeforeReload ? " (before the reload)" : ""
        var remark = StatusRemark(
            names: [name], title: unended(error.problem) + before,
            colour: TextStyle.colour(of: self))
        remark.times = RemarkTimes(
            since: error.since, tries: error.tries, until: error.until)
        remark.details = [error.remedy.map(ended), fixedSources].compactMap { $0 }
        return remark
    }

    private func remark(_ hook: FailingHook, now: WallTime) -> StatusRemark {
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
        let isStuck = [.misconfigured, .loginRequired].contains(state.known)
        guard isStuck, !sourcesFixedAtStart.isEmpty else { return nil }
        let sources = sourcesFixedAtStart.joined(separator: ", ")
        return "systemd read \(sources) (LoadCredential=) when the service started: after a "
            + "change, systemctl restart evertoken."
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
    static func colour(of credential: CredentialStatus) -> Colour {
        switch credential.severity {
        case .fine: .green
        case .warned: credential.state.known == .fresh ? .green : .yellow
        case .pending, .retrying, .undelivered, .failing: .yellow
        case .expired, .needsPerson, .misconfigured: .red
        }
    }
}
