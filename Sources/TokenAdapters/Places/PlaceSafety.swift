internal import Glibc
package import TokenFormats
internal import TokenSlots

/// Checks whether other users could place their files in the daemon's directories: the creator of a
/// slot file could read the refresh token in it.
///
/// Directories must belong to the daemon's user or to root, files to the daemon's user, and no
/// other user may be able to write to either.
package struct PlaceSafety {
    /// The daemon's user; `nil` when it is unknown, such as in a check by another user: then it is
    /// the owner of the state.
    private var user: uid_t?

    /// For the user of this process.
    package init() { user = geteuid() }

    /// For `evertoken check`, which checks on behalf of a service with another user.
    package static var forCheck: PlaceSafety { PlaceSafety(user: nil) }

    private init(user: uid_t?) { self.user = user }

    /// The mistakes of existing directories and files.
    ///
    /// - Parameters:
    ///   - places: The directories and sockets of the configuration.
    ///   - credentials: The names of the credentials.
    ///   - file: The configuration file, named as the place of the mistake.
    package func mistakes(
        _ places: Directories, credentials: [String], file: String
    ) -> [ConfigurationMistake] {
        var (about, safety) = (stat(), self)
        if user == nil, stat(places.state, &about) == 0 { safety.user = about.st_uid }
        return safety.found(places, credentials).map {
            ConfigurationMistake(file: file, path: $0.key, problem: $0.problem, remedy: $0.remedy)
        }
    }

    private typealias Problem = (key: String, problem: String, remedy: String)

    private func found(_ places: Directories, _ credentials: [String]) -> [Problem] {
        var found = [
            problem(ofDirectory: places.state, key: "state_dir"),
            problem(ofDirectory: places.token, key: "token_dir"),
        ]
        for name in credentials {
            let folder = "\(places.state)/\(name)"
            found.append(problem(ofDirectory: folder, key: "state_dir"))
            found += SlotPair.Index.allCases.map { problem(ofFile: "\(folder)/\($0.fileName)") }
        }
        return found.compactMap { $0 }
    }

    private func problem(ofDirectory path: String, key: String) -> Problem? {
        var about = stat()
        guard lstat(path, &about) == 0, about.st_mode & S_IFMT == S_IFDIR else { return nil }
        if let user, about.st_uid != user, about.st_uid != 0 {
            return (
                key, "\(path) belongs to user \(about.st_uid), who could exchange what is in it",
                "run: chown \(user) \(path)"
            )
        }
        // Also in a sticky directory another user could create a name first.
        guard about.st_mode & 0o022 != 0 else { return nil }
        return (
            key, "others may write to \(path) and exchange what is in it",
            "run: chmod go-w \(path)"
        )
    }

    private func problem(ofFile path: String) -> Problem? {
        var about = stat()
        guard lstat(path, &about) == 0 else { return nil }
        if let user, about.st_uid != user {
            return (
                "state_dir", "\(path) belongs to user \(about.st_uid), who could read it",
                "look how it came there, then move it away"
            )
        }
        guard about.st_mode & 0o022 != 0 else { return nil }
        return ("state_dir", "others may write to \(path)", "run: chmod 0600 \(path)")
    }
}
