/// The daemon's directories and sockets, as far as their paths alone show mistakes.
package struct CheckedDirectories: Sendable {
    package var token: String
    package var state: String
    /// The sockets in use, with the key that names each.
    package var sockets: [(key: String, path: String)]

    package init(token: String, state: String, sockets: [(key: String, path: String)]) {
        (self.token, self.state, self.sockets) = (token, state, sockets)
    }

    /// Maximum bytes of a socket's path without the terminating zero (unix(7)).
    package static let longestSocketPath = 107

    /// Findings that prevent a start.
    package var findings: [CheckFinding] {
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

    /// The components of a path, without empty ones and `.`.
    private static func plain(_ path: String) -> [Substring] {
        path.split(separator: "/").filter { $0 != "." }
    }
}
