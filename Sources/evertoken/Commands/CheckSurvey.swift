internal import Glibc
internal import TokenAdapters
internal import TokenConfiguration

/// The findings of `evertoken check` besides mistakes, with the rights of the daemon's user.
struct CheckSurvey {
    var findings: [CheckFinding] = []
    /// The user for which files were checked, if it may differ from the expected one.
    var note: String?

    /// - Parameter user: Replaces the daemon's own user.
    /// - Returns: `nil` if there is no such user.
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
        // The file of an initial refresh token may be deleted after its adoption.
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
