internal import CLinux
internal import Glibc
package import TokenConfiguration
package import TokenFormats

/// Adds a credential to a configuration in a file of its own, `conf.d/NAME.json`, and each of its
/// secrets in another file. Everything is first written and flushed under temporary names; then the
/// secrets are renamed, and last the drop-in, so that no reader sees a credential without its
/// secrets.
package final class ConfigurationAddition {
    /// The content of a main file that does not exist yet.
    private static let emptyMain =
        "{\"$schema\": \"/usr/share/evertoken/evertoken.schema.json\"}\n"
    /// Members of this group can read the configuration: the daemon's user is one.
    private static let groupName = "evertoken"

    private let loader: ConfigurationLoader
    private let name: String
    private let replaces: Bool
    private let directory: Int32

    /// Locks the directory, so that concurrent additions do not overwrite each other's files.
    ///
    /// - Parameters:
    ///   - path: The main configuration file.
    ///   - name: The credential; a valid name, which is also the name of the drop-in.
    ///   - replaces: Whether an existing drop-in of that name may be replaced.
    /// - Throws: `StorageFailure` if the directory does not exist, or another addition runs.
    package init(path: String, name: String, replaces: Bool) throws(StorageFailure) {
        (loader, self.name, self.replaces) = (ConfigurationLoader(path: path), name, replaces)
        directory = open(loader.directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard directory >= 0 else { throw StorageFailure(SystemError("open \(loader.directory)")) }
        guard flock(directory, LOCK_EX | LOCK_NB) == 0 else {
            throw StorageFailure(
                "another program holds \(loader.directory) locked; try again")
        }
    }

    deinit { close(directory) }

    private var dropIn: String { "\(name).json" }
    private var dropInPath: String { "\(loader.directory)/conf.d/\(dropIn)" }

    /// Why the drop-in of this name cannot be written; `nil` if it can.
    package var obstacle: String? {
        guard access(dropInPath, F_OK) == 0 else { return nil }
        guard replaces else {
            return "\(dropInPath) is there already; --replace writes over it"
        }
        let node = (try? loader.file(dropInPath)).flatMap { try? JSONReader.read($0.bytes) }
        let isAlone =
            node?.members?.map(\.key) == ["credentials"]
            && node?["credentials"]?.members?.map(\.key) == [name]
        return isAlone ? nil : "\(dropInPath) holds more than \(name): edit it by hand"
    }

    /// All files of the configuration, the main file first, without the one to be replaced.
    ///
    /// - Throws: `StorageFailure` for a file that cannot be read.
    package func files() throws(StorageFailure) -> [ConfigurationFile] {
        do throws(ConfigurationLoader.Unreadable) {
            var files = [try main()]
            for other in try loader.names(in: loader.directory + "/conf.d") {
                guard other != dropIn || !replaces else { continue }
                files.append(try loader.file("\(loader.directory)/conf.d/\(other)"))
            }
            return files
        } catch { throw StorageFailure(error.error) }
    }

    private func main() throws(ConfigurationLoader.Unreadable) -> ConfigurationFile {
        guard access(loader.path, F_OK) != 0, errno == ENOENT else {
            return try loader.file(loader.path)
        }
        return ConfigurationFile(path: loader.path, bytes: Array(Self.emptyMain.utf8), mode: 0o640)
    }

    /// Reads the configuration as it would be with this drop-in.
    package func checked(
        _ document: [UInt8], among files: [ConfigurationFile]
    ) throws(ConfigurationMistakes) -> Configuration {
        let added = ConfigurationFile(path: dropInPath, bytes: document, mode: 0o640)
        let dropIns = (files.dropFirst() + [added]).sorted { $0.path < $1.path }
        return try Configuration.readTolerantly(main: files[0], dropIns: dropIns).0
    }

    /// - Returns: The paths of the written files, in order.
    /// - Throws: `StorageFailure`; no new file is visible then.
    package func write(
        _ document: [UInt8], secrets: [(file: String, text: Secret)]
    ) throws(StorageFailure) -> [String] {
        do throws(SystemError) {
            let folder = try dropInFolder()
            defer { close(folder) }
            var files = secrets.map {
                NewFile(
                    in: directory, $0.file, "\(loader.directory)/\($0.file)", $0.text.bytes,
                    replaces: replaces)
            }
            if access(loader.path, F_OK) != 0, errno == ENOENT {
                let file = loader.path.split(separator: "/").last.map(String.init) ?? loader.path
                files.append(
                    NewFile(
                        in: directory, file, loader.path, Array(Self.emptyMain.utf8),
                        replaces: false))
            }
            files.append(NewFile(in: folder, dropIn, dropInPath, document, replaces: replaces))
            try put(files)
            for (descriptor, path) in [(directory, loader.directory), (folder, "conf.d")] {
                guard fsync(descriptor) == 0 else { throw SystemError("save \(path)") }
            }
            return files.map(\.path)
        } catch { throw StorageFailure(error) }
    }

    private func put(_ files: [NewFile]) throws(SystemError) {
        var shown: [NewFile] = []
        defer { for file in files { unlinkat(file.folder, file.temporary, 0) } }
        do throws(SystemError) {
            for file in files { try file.prepare(group: readers) }
            for file in files {
                try file.show()
                shown.append(file)
            }
        } catch {
            // Replaced files cannot be restored; new files are removed.
            for file in shown where !file.replaces { unlinkat(file.folder, file.name, 0) }
            throw error
        }
    }

    private func dropInFolder() throws(SystemError) -> Int32 {
        if mkdirat(directory, "conf.d", 0o750) == 0 {
            _ = readers.map { fchownat(directory, "conf.d", 0, $0, AT_SYMLINK_NOFOLLOW) }
        } else if errno != EEXIST {
            throw SystemError("make \(loader.directory)/conf.d")
        }
        let folder = clinux_openat(
            directory, "conf.d", O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0)
        guard folder >= 0 else { throw SystemError("open \(loader.directory)/conf.d") }
        return folder
    }

    /// `nil` for a user other than root: only that user can read the files.
    private var readers: gid_t? {
        geteuid() == 0 ? Accounts.group(Self.groupName) ?? getegid() : nil
    }
}

/// A file that gets its name when it is complete.
private struct NewFile {
    let folder: Int32
    let name: String
    let path: String
    let bytes: [UInt8]
    /// Hidden, so that a daemon does not read it as a drop-in.
    let temporary: String
    /// Whether an existing file of this name may be replaced.
    let replaces: Bool

    init(
        in folder: Int32, _ name: String, _ path: String, _ bytes: [UInt8], replaces: Bool
    ) {
        (self.folder, self.name, self.path, self.bytes) = (folder, name, path, bytes)
        self.replaces = replaces
        temporary = "." + name + "." + base64(SystemRandom().bytes(9), urlSafe: true)
    }

    func prepare(group: gid_t?) throws(SystemError) {
        let file = clinux_openat(
            folder, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600)
        guard file >= 0 else { throw SystemError("create a file beside \(path)") }
        defer { close(file) }
        try writeAll(bytes, to: file, what: path)
        guard clinux_drop_acls(file) == 0 else {
            throw SystemError("take the inherited access list off \(path)")
        }
        if let group {
            guard fchown(file, 0, group) == 0 else {
                throw SystemError("give \(path) to root and the group")
            }
        }
        guard fchmod(file, group == nil ? 0o600 : 0o640) == 0 else {
            throw SystemError("set the mode of \(path)")
        }
        guard fsync(file) == 0 else { throw SystemError("save \(path)") }
    }

    func show() throws(SystemError) {
        let isShown =
            replaces
            ? renameat(folder, temporary, folder, name) == 0
            : linkat(folder, temporary, folder, name, 0) == 0
        guard !isShown else { return }
        if errno == EEXIST {
            throw SystemError("write \(path), which is there already; say --replace", code: EEXIST)
        }
        throw SystemError("put \(path) in its place")
    }
}

extension Secret {
    fileprivate var bytes: [UInt8] { Array(reveal().utf8) }
}
