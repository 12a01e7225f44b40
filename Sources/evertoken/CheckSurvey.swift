import Glibc
import TokenAdapters
import TokenCore

/// What `evertoken check` finds besides mistakes, seen with the rights of the daemon's user.
struct CheckSurvey {
    var findings: [CheckFinding] = []
    /// On whose behalf files were looked at, where that may be another user than the one expected.
    var note: String?

    /// - Parameter user: Instead of the daemon's own.
    /// - Returns: `nil` where there is no such user.
    init?(
        _ configuration: Configuration, _ loader: ConfigurationLoader, _ places: Directories,
        user name: String?
    ) {
        let groups = configuration.credentials.flatMap(\.outputs).compactMap(\.group)
        let known = DaemonUser(
            named: name, state: places.state, isService: loader.path == defaultConfigurationPath,
            groups: groups + [configuration.control.group].compactMap { $0 })
        if name != nil, known == nil { return nil }
        let isRoot = geteuid() == 0
        if let known, isRoot || known.isSelf {
            if !known.isSelf { note = "files were looked at with the rights of \(known.name)" }
            guard
                let found = known.withRights({
                    Self.look(configuration, loader, places, as: known.described)
                })
            else {
                note = "files were not looked at: the rights of \(known.name) cannot be taken"
                return
            }
            findings = found
        } else {
            let user = DaemonUser.current
            if let known {
                note =
                    "files were looked at with the rights of \(user.name); the daemon has those of "
                    + "\(known.name): sudo evertoken check"
            }
            findings = Self.look(configuration, loader, places, as: user)
        }
        // An initial refresh token may be gone once it has done its work.
        findings.removeAll { finding in
            guard finding.isMootWithTokens, let name = finding.credential else { return false }
            return access("\(places.state)/\(name)", F_OK) == 0
        }
    }

    private static func look(
        _ configuration: Configuration, _ loader: ConfigurationLoader, _ places: Directories,
        as user: CheckedUser
    ) -> [CheckFinding] {
        PlaceSurvey(
            base: loader.directory, tokenDirectory: places.token, user: user, isInService: false
        ).findingsNow(in: configuration, files: loader.files)
    }
}
