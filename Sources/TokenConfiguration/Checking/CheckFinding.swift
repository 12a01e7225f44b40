internal import TokenFormats

/// One setting that cannot work or has no effect. `evertoken check` and the daemon at a reload
/// report the same findings.
package struct CheckFinding: Sendable, Hashable {
    package enum Severity: Sendable, Hashable {
        /// The configuration is accepted; what the finding names fails until it is corrected.
        case warning
        /// The daemon does not start with it.
        case error
    }

    /// The credential of the setting; `nil` for a setting of the whole configuration or of a
    /// provider.
    package var credential: String?
    /// The key as the configuration spells it below the credential, such as `client_secret` or
    /// `on_change[0]`; from the top without a credential.
    package var key: String
    /// The inspected file; `nil` when the configuration alone shows it.
    package var file: String?
    package var cause: CheckCause

    package init(credential: String? = nil, key: String, file: String? = nil, cause: CheckCause) {
        (self.credential, self.key, self.file, self.cause) = (credential, key, file, cause)
    }

    package var severity: Severity { cause.severity }

    /// What is wrong, beginning with the file if there is one. Never contains a secret.
    package var problem: String {
        guard let file else { return cause.problem }
        return "\(file) \(cause.problem)"
    }

    /// The action, as an imperative sentence without its full stop; empty if none is needed.
    package var remedy: String { cause.remedy(file: file ?? "") }

    /// `crm.client_secret: /etc/… does not exist; create it: install …`
    package var text: String {
        let place = [credential, key].compactMap { $0 }.joined(separator: ".")
        return "\(place): \(advice)"
    }

    /// Problem and remedy without the credential's name.
    package var advice: String { remedy.isEmpty ? problem : "\(problem); \(remedy)" }

    /// Whether the finding is irrelevant once tokens exist: the file of an initial refresh token
    /// may be deleted after its adoption.
    package var isMootWithTokens: Bool {
        guard key == "refresh_token", case .missing = cause else { return false }
        return true
    }
}

/// The user whose access to files is checked, for the text of a finding.
package struct CheckedUser: Sendable, Hashable {
    package var name: String
    /// The main group; `nil` when the user checks its own access.
    package var group: String?

    package init(name: String, group: String?) { (self.name, self.group) = (name, group) }

    /// The command that creates a secret's file that this user can read.
    func creating(_ file: String) -> String {
        let access = group.map { "-o root -g \($0) -m 0640" } ?? "-m 0600"
        return "install \(access) /dev/stdin \(shellWord(file))"
    }

    /// The command that gives this user access to a path.
    func opening(_ path: String, _ right: String) -> String {
        let word = shellWord(path)
        guard let group else { return "chown \(name) \(word)" }
        return "chgrp \(group) \(word) && chmod g+\(right) \(word)"
    }
}

/// A path quoted for a shell.
func shellWord(_ text: String) -> String { TextQuoting.shell.quote(text) ?? text }
