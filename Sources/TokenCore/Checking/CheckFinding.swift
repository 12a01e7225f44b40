/// One thing of a configuration that cannot work, or that has no effect. `evertoken check` and the
/// daemon at a reload find the same ones.
public struct CheckFinding: Sendable, Hashable {
    public enum Severity: Sendable, Hashable {
        /// The configuration is accepted; what is named here waits until it is mended.
        case warning
        /// Nothing starts with it.
        case error
    }

    /// Whose setting it is; `nil` for one of the whole configuration, or of a provider.
    public var credential: String?
    /// As the configuration spells it below the credential, such as `client_secret` or
    /// `on_change[0]`; from the top where there is no credential.
    public var key: String
    /// What was looked at; `nil` where the configuration alone tells.
    public var file: String?
    public var cause: CheckCause

    public init(credential: String? = nil, key: String, file: String? = nil, cause: CheckCause) {
        (self.credential, self.key, self.file, self.cause) = (credential, key, file, cause)
    }

    public var severity: Severity { cause.severity }

    /// What is wrong, beginning with the file if there is one. Never holds a secret.
    public var problem: String {
        guard let file else { return cause.problem }
        return "\(file) \(cause.problem)"
    }

    /// What to do, as an imperative sentence without its full stop; empty where nothing needs to be
    /// done.
    public var remedy: String { cause.remedy(file: file ?? "") }

    /// `crm.client_secret: /etc/… does not exist; create it: install …`
    public var text: String {
        let place = [credential, key].compactMap { $0 }.joined(separator: ".")
        return "\(place): \(advice)"
    }

    /// The same for where the credential is named already.
    public var advice: String { remedy.isEmpty ? problem : "\(problem); \(remedy)" }

    /// Whether it says nothing once there are tokens: an initial refresh token may go when it has
    /// done its work.
    public var isMootWithTokens: Bool {
        guard key == "refresh_token", case .missing = cause else { return false }
        return true
    }
}

/// On whose behalf files are looked at, for the words of a finding.
public struct CheckedUser: Sendable, Hashable {
    public var name: String
    /// Its main group; `nil` for one who looks at what is theirs.
    public var group: String?

    public init(name: String, group: String?) { (self.name, self.group) = (name, group) }

    /// The command that makes a secret's file which this user can read.
    func creating(_ file: String) -> String {
        let access = group.map { "-o root -g \($0) -m 0640" } ?? "-m 0600"
        return "install \(access) /dev/stdin \(shellWord(file))"
    }

    /// The command that lets this user at something.
    func opening(_ path: String, _ right: String) -> String {
        let word = shellWord(path)
        guard let group else { return "chown \(name) \(word)" }
        return "chgrp \(group) \(word) && chmod g+\(right) \(word)"
    }
}

/// A path as a shell takes it.
func shellWord(_ text: String) -> String { TextQuoting.shell.quote(text) ?? text }
