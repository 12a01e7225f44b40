internal import CLinux
internal import Glibc
package import TokenConfiguration

/// Checks the files and directories that a configuration names, as the present user of the process.
/// Blocks for as long as their file systems take.
package struct PlaceLook: Sendable {
    private let user: CheckedUser

    /// - Parameter user: The present user, for the texts of findings.
    package init(user: CheckedUser) { self.user = user }

    /// - Returns: `nil` if there is nothing to report.
    package func finding(at place: CheckedPlace) -> CheckFinding? {
        cause(at: place).map { place.finding($0) }
    }

    private func cause(at place: CheckedPlace) -> CheckCause? {
        switch place.kind {
        case .variable(let name): getenv(name) == nil ? .unsetVariable(name) : nil
        case .output: isMountRoot(place.path) ? .mounted : nil
        case .program: programCause(place)
        case .secret, .secretPEM, .authorities, .certificate, .privateKey, .configuration:
            fileCause(place)
        }
    }

    private func isMountRoot(_ path: String) -> Bool {
        var mount: UInt64 = 0
        return clinux_mount_of(path, &mount) == 1
    }

    private func fileCause(_ place: CheckedPlace) -> CheckCause? {
        // O_NONBLOCK: a FIFO must not block the thread.
        let file = open(place.path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard file >= 0 else { return cause(of: errno, at: place) }
        defer { close(file) }
        var about = stat()
        guard fstat(file, &about) == 0 else { return cause(of: errno, at: place) }
        guard about.st_mode & S_IFMT == S_IFREG else { return .noRegularFile }
        let longest = place.kind.longest
        guard let bytes = try? readAll(file, limit: longest + 1, what: place.path) else {
            return .failed(SystemError.message(of: errno))
        }
        guard bytes.count <= longest else {
            return .unusable("is larger than \(longest / 1024) KiB")
        }
        return place.kind.fault(of: bytes)
    }

    private func programCause(_ place: CheckedPlace) -> CheckCause? {
        var about = stat()
        guard stat(place.path, &about) == 0 else { return cause(of: errno, at: place) }
        guard about.st_mode & S_IFMT == S_IFREG else { return .noRegularFile }
        // With the effective user, as execve(2) does.
        guard faccessat(AT_FDCWD, place.path, X_OK, AT_EACCESS) == 0 else {
            return errno == EACCES ? .notExecutable(user) : cause(of: errno, at: place)
        }
        guard let interpreter = interpreter(of: place.path) else { return nil }
        return access(interpreter, F_OK) == 0 ? nil : .interpreterMissing(interpreter)
    }

    /// The interpreter in the first line of a script (execve(2)).
    private func interpreter(of path: String) -> String? {
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard file >= 0 else { return nil }
        defer { close(file) }
        guard let bytes = try? readAll(file, limit: 256, what: path),
            bytes.starts(with: "#!".utf8)
        else { return nil }
        let line = String(decoding: bytes.dropFirst(2).prefix { $0 != 0x0A }, as: UTF8.self)
        return line.split(whereSeparator: { $0 == " " || $0 == "\t" }).first.map(String.init)
    }

    private func cause(of code: Int32, at place: CheckedPlace) -> CheckCause {
        switch code {
        case ENOENT, ENOTDIR: return .missing(place.kind, user)
        case EACCES:
            if let directory = closedDirectory(above: place.path) {
                return .closed(directory: directory, user)
            }
            return .unreadable(user)
        default: return .failed(SystemError.message(of: code))
        }
    }

    /// The first directory of the path that cannot be entered.
    private func closedDirectory(above path: String) -> String? {
        var walked = ""
        for part in path.split(separator: "/").dropLast() {
            walked += "/" + part
            if faccessat(AT_FDCWD, walked, X_OK, AT_EACCESS) != 0, errno == EACCES { return walked }
        }
        return nil
    }
}
