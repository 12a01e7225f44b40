/// Where a daemon keeps its things, as far as it can be judged by the paths alone.
public struct CheckedDirectories: Sendable {
    public var token: String
    public var state: String
    /// Sockets by the key that names them, those that are used.
    public var sockets: [(key: String, path: String)]

    public init(token: String, state: String, sockets: [(key: String, path: String)]) {
        (self.token, self.state, self.sockets) = (token, state, sockets)
    }

    /// Bytes of a socket's path without the zero behind it (unix(7)).
    public static let longestSocketPath = 107

    /// What nothing can start with.
    public var findings: [CheckFinding] {
        var findings: [CheckFinding] = []
        if Self.plain(token) == Self.plain(state) {
            findings.append(
                CheckFinding(key: "token_dir", file: token, cause: .sameDirectory(as: "state_dir")))
        }
        for (key, path) in sockets where path.utf8.count > Self.longestSocketPath {
            let cause = CheckCause.socketPathTooLong(bytes: path.utf8.count)
            findings.append(CheckFinding(key: key, file: path, cause: cause))
        }
        return findings
    }

    /// Without doubled or trailing slashes and dots that lead nowhere.
    private static func plain(_ path: String) -> [Substring] {
        path.split(separator: "/").filter { $0 != "." }
    }
}
