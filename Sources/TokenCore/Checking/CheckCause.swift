/// What a finding is about: a closed list, each with its words.
public enum CheckCause: Sendable, Hashable {
    // What was found where something should be.
    case missing(PlaceKind, CheckedUser)
    /// A directory on the way to it may not be entered.
    case closed(directory: String, CheckedUser)
    case unreadable(CheckedUser)
    case noRegularFile
    case notExecutable(CheckedUser)
    /// The program that the first line of a script names is not there.
    case interpreterMissing(String)
    /// A program without a directory: no search path is used.
    case programWithoutDirectory
    case silent(mount: String)
    /// Another failure of the system, in its words.
    case failed(String)
    /// A text that can be no secret.
    case unusable(String)
    /// What is dropped around a secret.
    case trimmed(String)
    case notPEM(PEMText.Kind, PEMText.Fault)
    /// An output that is mounted over: a new file cannot take its place.
    case mounted
    case unsetVariable(String)

    // Settings that have no effect, or not the one that was meant.
    /// The provider's requests have no place for it.
    case neverSent(provider: String)
    case unread(provider: String)
    /// A request names what is not known at a refresh.
    case neverKnown(String)
    /// `${access_token}`, which an initial refresh token comes without.
    case unknownAtFirst(login: String)
    /// Two credentials write the same variable of the environment.
    case sharedVariable(String, with: String)
    /// Two credentials begin with one refresh token.
    case sharedRefreshToken(place: String, with: String)
    /// A provider that no credential uses, and none could.
    case unusedProvider(problem: String, remedy: String)
    /// A provider's text stands in a file as it is.
    case unquoted(output: String, variable: String)

    // Errors: nothing starts with them.
    case socketPathTooLong(bytes: Int)
    case sameDirectory(as: String)

    public var severity: CheckFinding.Severity {
        switch self {
        case .socketPathTooLong, .sameDirectory: .error
        default: .warning
        }
    }
}

extension CheckCause {
    /// Begins where the name of the file ends, if there is one.
    var problem: String {
        switch self {
        case .missing: "does not exist"
        case .closed(let directory, let user):
            "cannot be reached by the user \(user.name), who may not enter \(directory)"
        case .unreadable(let user): "cannot be read by the user \(user.name)"
        case .noRegularFile: "is no regular file"
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
