internal import Glibc
package import TokenConfiguration
package import TokenFormats

extension PlaceSafety {
    /// Socket paths where another kind of file exists. The daemon replaces a left-over socket, but
    /// never another file.
    ///
    /// - Parameters:
    ///   - places: The directories and sockets of the configuration.
    ///   - configuration: The configuration to check.
    ///   - file: The configuration file, named as the place of the mistake.
    ///   - bound: Paths where sockets exist already: they are not checked.
    package static func takenSocketPaths(
        _ places: Directories, _ configuration: Configuration, file: String,
        bound: Directories? = nil
    ) -> [ConfigurationMistake] {
        var sockets = [("control_socket", places.controlSocket)]
        if configuration.credentials.contains(where: { !$0.units.isEmpty }) {
            sockets.append(("credential_socket", places.credentialSocket))
        }
        return sockets.compactMap { key, path in
            var about = stat()
            guard path != bound?.controlSocket, path != bound?.credentialSocket,
                lstat(path, &about) == 0,
                about.st_mode & S_IFMT != S_IFSOCK
            else { return nil }
            return ConfigurationMistake(
                file: file, path: key, problem: "\(path) is not a socket and is left as it is",
                remedy: "move it away, or name another path")
        }
    }

    /// Outputs whose path contains a symbolic link. Links are neither followed nor replaced.
    package static func linkedOutputs(
        _ places: Directories, _ configuration: Configuration, file: String
    ) -> [ConfigurationMistake] {
        configuration.credentials.flatMap { credential in
            credential.outputs.compactMap { output in
                // Links above the token directory belong to the operator.
                let root = output.isAbsolute ? "" : places.token + "/"
                guard let link = OutputPlace.link(in: root + output.path, below: root) else {
                    return nil
                }
                return ConfigurationMistake(
                    file: file, path: "credentials.\(credential.name).outputs",
                    problem:
                        "\(link.path) is a symbolic link, and \"\(output.path)\" leads through it",
                    remedy: link.remedy)
            }
        }
    }
}

extension Directories {
    /// Paths that prevent a start, whatever files exist.
    ///
    /// - Parameters:
    ///   - configuration: The configuration to check.
    ///   - file: The configuration file, named as the place of the mistake.
    package func mistakes(_ configuration: Configuration, file: String) -> [ConfigurationMistake] {
        var sockets = [(key: "control_socket", path: controlSocket)]
        if configuration.credentials.contains(where: { !$0.units.isEmpty }) {
            sockets.append(("credential_socket", credentialSocket))
        }
        return CheckedDirectories(token: token, state: state, sockets: sockets).findings.map {
            ConfigurationMistake(file: file, path: $0.key, problem: $0.problem, remedy: $0.remedy)
        }
    }
}
