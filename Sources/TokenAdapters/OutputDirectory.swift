internal import CLinux
internal import Glibc
internal import Synchronization
public import TokenCore
public import TokenEngine

/// Writes token files. Relative ones lie under the token directory and nothing, neither `..` nor a
/// symbolic link, leads out of it.
public final class OutputDirectory: OutputPublisher, Sendable {
    private let path: String
    private let current: Mutex<Int32>
    private let work = BlockingWork(label: "outputs")

    /// Opens the token directory, creating it (0755) where it is not there.
    public init(path: String) throws(StorageFailure) {
        self.path = path
        current = Mutex(try Self.open(path))
    }

    /// Only to look at what is published there; `nil` where there is no such directory.
    init?(reading path: String) {
        let directory = Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard directory >= 0 else { return nil }
        self.path = path
        current = Mutex(directory)
    }

    deinit { _ = current.withLock { close($0) } }

    /// Opens and locks it: two daemons would overwrite each other's files.
    private static func open(_ path: String) throws(StorageFailure) -> Int32 {
        try makeDirectories(path, mode: 0o755)
        let directory = Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard directory >= 0 else {
            throw StorageFailure(SystemError("open the token directory \(path)").text)
        }
        guard flock(directory, LOCK_EX | LOCK_NB) == 0 else {
            close(directory)
            throw StorageFailure(
                "another evertokend writes to \(path); give this one its own token_dir")
        }
        return directory
    }

    /// The open directory; the one that stands at its path now, if somebody made it anew.
    private var directory: Int32 {
        current.withLock { held in
            var (there, ours) = (stat(), stat())
            let isSame =
                stat(path, &there) == 0 && fstat(held, &ours) == 0
                && there.st_ino == ours.st_ino && there.st_dev == ours.st_dev
            if !isSame, let new = try? Self.open(path) {
                close(held)
                held = new
            }
            return held
        }
    }

    public func publish(
        _ token: PublishedToken, to outputs: [OutputSpecification]
    ) async -> PublicationReport {
        await work.run(key: token.credential) {
            var problems: [String] = []
            for output in outputs {
                guard let bytes = token.bytes(as: output.format) else {
                    problems.append(
                        "\(output.path): its template names a value that this token has not")
                    continue
                }
                do throws(SystemError) { try self.write(bytes, to: output) } catch {
                    problems.append(Self.withRemedy(error, output))
                }
            }
            return PublicationReport(
                problem: problems.isEmpty ? nil : problems.joined(separator: "; "),
                isAnyWritten: problems.count < outputs.count)
        }
    }

    /// In order with the publications of the same credential.
    public func remove(_ outputs: [OutputSpecification], of credential: String) async {
        await work.run(key: credential) {
            for output in outputs {
                let place = Place(output.path)
                guard let folder = try? self.openFolder(place, output, create: false) else {
                    continue
                }
                unlinkat(folder, place.name, 0)
                unlinkat(folder, ".evertoken-\(place.name).new", 0)
                fsync(folder)
                close(folder)
                // The credential's own folder goes with its last file.
                if !place.isAbsolute, let parent = place.folders.first, place.folders.count == 1 {
                    unlinkat(self.directory, parent, AT_REMOVEDIR)
                }
            }
        }
    }

    public func published(
        in outputs: [OutputSpecification], of credential: String
    ) async -> PublishedMark? {
        await work.run(key: credential) {
            outputs.filter { $0.format == .json }.compactMap { self.mark($0, credential) }
                .max { $0.issuedAt < $1.issuedAt }
        }
    }

    private func mark(_ output: OutputSpecification, _ credential: String) -> PublishedMark? {
        let place = Place(output.path)
        guard let folder = try? openFolder(place, output, create: false) else { return nil }
        defer { close(folder) }
        let file = clinux_openat(folder, place.name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0)
        guard file >= 0 else { return nil }
        defer { close(file) }
        guard let bytes = try? readAll(file, limit: 1 << 20, what: output.path),
            let json = try? JSONReader.read(bytes), json["credential"]?.text == credential,
            let token = json["access_token"]?.text, let issued = json["issued_at"]?.integer
        else { return nil }
        return PublishedMark(accessToken: Secret(token), issuedAt: issued)
    }

    private struct Place {
        var isAbsolute: Bool
        var folders: [String]
        var name: String

        init(_ path: String) {
            isAbsolute = path.hasPrefix("/")
            var parts = path.split(separator: "/").map(String.init)
            name = parts.popLast() ?? ""
            folders = parts
        }
    }

    private func write(_ bytes: [UInt8], to output: OutputSpecification) throws(SystemError) {
        let place = Place(output.path)
        let file = AtomicFile(
            owner: try account(output.owner, Accounts.user, "user"),
            group: try account(output.group, Accounts.group, "group"), mode: output.mode)
        let folder = try openFolder(place, output, create: true)
        defer { close(folder) }
        try file.write(bytes, name: place.name, in: folder, place: output.path)
    }

    private func account<ID>(
        _ name: String?, _ lookUp: (String) -> ID?, _ kind: String
    ) throws(SystemError) -> ID? {
        guard let name else { return nil }
        guard let id = lookUp(name) else {
            throw SystemError("find the \(kind) \(name)", code: ENOENT)
        }
        return id
    }

    /// The open folder of a file. Missing folders below the token directory are made 0750 with the
    /// output's group; an absolute path's folder must be there.
    private func openFolder(
        _ place: Place, _ output: OutputSpecification, create: Bool
    ) throws(SystemError) -> Int32 {
        if place.isAbsolute {
            let parent = "/" + place.folders.joined(separator: "/")
            let folder = clinux_open_directory_strictly(-1, parent)
            guard folder >= 0 else { throw SystemError("open the directory \(parent)") }
            return folder
        }
        var relative = ""
        for part in create ? place.folders : [] {
            relative += relative.isEmpty ? part : "/" + part
            try makeFolder(relative, output)
        }
        let name = place.folders.isEmpty ? "." : place.folders.joined(separator: "/")
        let folder = clinux_open_directory_strictly(directory, name)
        guard folder >= 0 else { throw SystemError("open the directory \(path)/\(name)") }
        return folder
    }

    private func makeFolder(
        _ name: String, _ output: OutputSpecification
    ) throws(SystemError) {
        guard mkdirat(directory, name, 0o750) == 0 else {
            if errno == EEXIST { return }
            throw SystemError("make the directory \(path)/\(name)")
        }
        let folder = clinux_open_directory_strictly(directory, name)
        guard folder >= 0 else { throw SystemError("open the directory \(path)/\(name)") }
        defer { close(folder) }
        if let group = try account(output.group, Accounts.group, "group") {
            guard fchown(folder, uid_t.max, group) == 0 else {
                throw SystemError("give \(path)/\(name) to the group \(group)")
            }
        }
        guard fchmod(folder, 0o750) == 0, fsync(directory) == 0 else {
            throw SystemError("save the directory \(path)/\(name)")
        }
    }

    private static func withRemedy(_ error: SystemError, _ output: OutputSpecification) -> String {
        switch error.code {
        case EPERM where output.group != nil || output.owner != nil:
            error.text + " (under systemd add SupplementaryGroups= and SystemCallFilter=@chown)"
        case EROFS:
            error.text + " (under systemd add ReadWritePaths= for its directory)"
        case ELOOP:
            error.text + " (a symbolic link leads there; name the real path)"
        default: error.text
        }
    }
}
