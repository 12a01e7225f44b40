/// The cause of a finding: a closed list, each with its texts.
package enum CheckCause: Sendable, Hashable {
    // The state of a file or directory that the configuration names.
    case missing(PlaceKind, CheckedUser)
    /// A directory of its path cannot be entered.
    case closed(directory: String, CheckedUser)
    case unreadable(CheckedUser)
    case noRegularFile
    case notExecutable(CheckedUser)
    /// The interpreter in the first line of a script does not exist.
    case interpreterMissing(String)
    /// A program without a directory: the daemon uses no search path.
    case programWithoutDirectory
    case silent(mount: String)
    /// Another system error, in its words.
    case failed(String)
    /// Text that cannot be a secret.
    case unusable(String)
    /// White space that is removed around a secret.
    case trimmed(String)
    case notPEM(PEMText.Kind, PEMText.Fault)
    /// An output that is a mount point: a new file cannot replace it.
    case mounted
    case unsetVariable(String)

    // Settings without an effect, or with an unintended one.
    /// The provider's requests do not use the setting.
    case neverSent(provider: String)
    case unread(provider: String)
    /// A request names a variable that is unknown at a refresh.
    case neverKnown(String)
    /// `${access_token}`, which does not exist beside an initial refresh token.
    case unknownAtFirst(login: String)
    /// Two credentials write the same environment variable.
    case sharedVariable(String, with: String)
    /// Two credentials start with the same refresh token.
    case sharedRefreshToken(place: String, with: String)
    /// A provider that no credential uses, and that none could use.
    case unusedProvider(problem: String, remedy: String)
    /// A provider's text is inserted into a file unquoted.
    case unquoted(output: String, variable: String)

    // Errors: the daemon does not start with them.
    case socketPathTooLong(bytes: Int)
    case sameDirectory(as: String)

    package var severity: CheckFinding.Severity {
        switch self {
        case .socketPathTooLong, .sameDirectory: .error
        default: .warning
        }
    }
}

extension CheckCause {
    /// Follows the name of the file, if there is one.
    var problem: String {
        switch self {
        case .missing: "does not exist"
        case .closed(let directory, let user):
            "cannot be reached by the user \(user.name), who may not enter \(directory)"
        case .unreadable(let user): "cannot be read by the user \(user.name)"
        case .noRegularFile: "is not a regular file"
        case .notExecutable(let user): "cannot be run by the user \(user.name)"
        case .interpreterMissing(let path):
            "cannot be run: its first line names \(path), which does not exist"
        case .programWithoutDirectory: "names a program without its directory"
        case .silent(let mount): "does not answer: its file system (\(mount)) hangs"
        case .failed(let text): "cannot be used: \(text)"
        case .unusable(let problem): problem
        case .trimmed(let what): "holds more than the secret: \(what) is dropped"
        case .notPEM(let kind, let fault): fault.problem(kind)
        case .mounted: "is a mount point: a new file cannot take its place"
        case .unsetVariable(let name): "the environment variable \(name) is not set"
        case .neverSent(let provider):
            "has no effect: provider \"\(provider)\" never sends it"
        case .unread(let provider):
            "has no effect: nothing in provider \"\(provider)\" names it"
        case .neverKnown(let name):
            "a request names ${\(name)}, which is not known at a refresh: its part is left out"
        case .unknownAtFirst:
            "the first refresh names ${access_token}, and a refresh token alone comes without one: "
                + "its part is left out"
        case .sharedVariable(let name, let other):
            "writes the variable \(name), and so does \"\(other)\""
        case .sharedRefreshToken(let place, let other):
            "reads its refresh token from \(place), and so does \"\(other)\": one is refused"
        case .unusedProvider(let problem, _): problem
        case .unquoted(let output, let variable):
            "output \"\(output)\": ${\(variable)} is the provider's text and stands there unquoted"
        case .socketPathTooLong(let bytes):
            "has \(bytes) bytes, and a socket's path may have 107 (unix(7))"
        case .sameDirectory(let other): "is \(other) too"
        }
    }

    func remedy(file: String) -> String {
        let word = shellWord(file)
        switch self {
        case .missing(let kind, let user): return kind.creation(of: file, for: user)
        case .closed(let directory, let user):
            return "run: " + user.opening(directory, "x")
        case .unreadable(let user): return "run: " + user.opening(file, "r")
        case .noRegularFile: return "name a file"
        case .notExecutable: return "run: chmod a+rx \(word)"
        case .interpreterMissing: return "install it, or correct the line"
        case .programWithoutDirectory:
            let name = file.split(separator: "/").last ?? ""
            return "write its whole path, such as \"/usr/bin/\(name)\""
        case .silent: return "mend the mount"
        case .failed: return "mend that"
        case .unusable, .trimmed: return ""
        case .notPEM(let kind, let fault): return fault.remedy(kind, word)
        case .mounted:
            return "mount its directory instead, or add \"write\": \"in-place\" to the output"
        case .unsetVariable(let name):
            return "set it for the service (systemctl edit evertoken: Environment=\(name)=…)"
        case .neverSent: return "remove it, or name it in the provider's request"
        case .unread: return "remove it, or correct its name"
        case .neverKnown: return "name it under \"authorization\" only"
        case .unknownAtFirst(let login):
            return "sign in (evertoken login \(login)), or import both tokens"
        case .sharedVariable: return "rename one, if one program reads both"
        case .sharedRefreshToken: return "sign in once for each"
        case .unusedProvider(_, let remedy): return remedy
        case .unquoted(_, let variable):
            return "write ${shell(\(variable))}, or json, ini, netrc, curl for such a file"
        case .socketPathTooLong: return "choose a shorter path"
        case .sameDirectory: return "give each a directory of its own"
        }
    }
}
