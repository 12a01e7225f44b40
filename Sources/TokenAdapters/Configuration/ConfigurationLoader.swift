internal import Glibc
internal import Synchronization
package import TokenConfiguration
package import TokenFormats

/// Finds and reads the configuration's files.
package struct ConfigurationLoader: Sendable {
    /// The main file; drop-ins are in `conf.d` beside it.
    package let path: String
    /// Whether the daemon reads: a user gets a command to run as advice, the daemon a description.
    private let isDaemon: Bool
    /// What the daemon's last load has read.
    private let memory: Memory?

    private final class Memory: Sendable {
        let state = Mutex(ConfigurationMemory())

        func read(
            _ main: ConfigurationFile, _ dropIns: [ConfigurationFile]
        ) throws(ConfigurationMistakes) -> (Configuration, warnings: [ConfigurationMistake]) {
            let result = state.withLock { state in
                Result { () throws(ConfigurationMistakes) in
                    try state.read(main: main, dropIns: dropIns)
                }
            }
            return try result.get()
        }
    }

    /// Nothing is read yet.
    ///
    /// - Parameters:
    ///   - path: The main file of the configuration.
    ///   - isDaemon: Whether messages concern the daemon's permissions, or the caller's.
    package init(path: String, isDaemon: Bool = false) {
        (self.path, self.isDaemon) = (path, isDaemon)
        memory = isDaemon ? Memory() : nil
    }

    /// The directory of the main file, for files beside it.
    package var directory: String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// Loads the main file and `conf.d/*.json` beside it, sorted by name.
    package func load() -> Result<Configuration, ConfigurationMistakes> {
        loadTolerantly().flatMap { configuration, warnings in
            warnings.isEmpty ? .success(configuration) : .failure(ConfigurationMistakes(warnings))
        }
    }

    /// Loads for a start: what the previous version accepted is returned as warnings. A daemon's
    /// reload parses only the files that changed.
    package func loadTolerantly() -> Result<
        (Configuration, warnings: [ConfigurationMistake]), ConfigurationMistakes
    > {
        do throws(Unreadable) {
            let main = try file(path)
            let dropIns = try names(in: directory + "/conf.d").map { name throws(Unreadable) in
                try file("\(directory)/conf.d/\(name)")
            }
            do throws(ConfigurationMistakes) {
                if let memory { return .success(try memory.read(main, dropIns)) }
                return .success(try Configuration.readTolerantly(main: main, dropIns: dropIns))
            } catch { return .failure(error) }
        } catch {
            var mistakes = ConfigurationMistakes([mistake(error)])
            mistakes.isForbidden = error.code == EACCES
            return .failure(mistakes)
        }
    }

    /// Every file that a load reads, as far as the directories can be listed.
    package var files: [String] {
        let dropIns = (try? names(in: directory + "/conf.d")) ?? []
        return [path] + dropIns.map { "\(directory)/conf.d/\($0)" }
    }

    /// A file or directory of the configuration that cannot be read.
    struct Unreadable: Error {
        var path: String
        var error: SystemError
        var code: Int32 { error.code }
        var text: String { error.text }

        init(_ path: String, _ error: SystemError) { (self.path, self.error) = (path, error) }
    }

    private func mistake(_ failure: Unreadable) -> ConfigurationMistake {
        let (problem, remedy): (String, String)
        switch failure.code {
        case ENOENT where failure.path == path:
            problem = "does not exist"
            remedy =
                "write it: man evertoken.json (example in /usr/share/doc/evertoken/examples), or "
                + "name another with --config"
        case EACCES where isDaemon:
            let name = DaemonUser.current.name
            problem = "cannot be read by the user \(name)"
            remedy = "run: chgrp \(name) \(failure.path) && chmod g+r \(failure.path)"
        case EACCES:
            problem = "you may not read it"
            remedy = "run: sudo evertoken check"
        default:
            problem = failure.text
            remedy = "name a readable file with --config"
        }
        return ConfigurationMistake(file: failure.path, problem: problem, remedy: remedy)
    }

    func file(_ path: String) throws(Unreadable) -> ConfigurationFile {
        do throws(SystemError) { return try content(of: path) } catch {
            throw Unreadable(path, error)
        }
    }

    private func content(of path: String) throws(SystemError) -> ConfigurationFile {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw SystemError("open \(path)") }
        defer { close(descriptor) }
        var about = stat()
        guard fstat(descriptor, &about) == 0 else { throw SystemError("look at \(path)") }
        guard about.st_mode & S_IFMT == S_IFREG else {
            throw SystemError("read \(path), which is not a regular file", code: EINVAL)
        }
        let bytes = try readAll(
            descriptor, limit: Configuration.maximumFileSize + 1, what: path)
        return ConfigurationFile(path: path, bytes: bytes, mode: about.st_mode & 0o777)
    }

    func names(in folder: String) throws(Unreadable) -> [String] {
        guard let stream = opendir(folder) else {
            if errno == ENOENT { return [] }
            throw Unreadable(folder, SystemError("open \(folder)"))
        }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name.hasSuffix(".json"), !name.hasPrefix(".") { names.append(name) }
        }
        return names.sorted()
    }
}

/// Where everything lies: command line, then configuration, then systemd's variable, then beside
/// the configuration, so that a person can try it without root (Contract 1.2).
package struct Directories: Sendable, Equatable {
    /// Where token files are written (`token_dir`).
    package var token: String
    /// Where slots are kept (`state_dir`).
    package var state: String
    /// Path of the control socket.
    package var controlSocket: String
    /// Path of the socket that units name in `LoadCredential=`.
    package var credentialSocket: String

    /// The directories in force.
    ///
    /// - Parameters:
    ///   - configuration: The configuration that names the directories.
    ///   - base: Directory of the configuration, for relative paths.
    ///   - tokenOverride: What the command line says instead, if it does.
    ///   - stateOverride: Likewise.
    package init(
        configuration: Configuration, base: String, tokenOverride: String? = nil,
        stateOverride: String? = nil
    ) {
        func fromManager(_ name: String) -> String? {
            // systemd separates several directories with colons; the first is used.
            getenv(name).map { String(cString: $0) }?.split(separator: ":").first.map(String.init)
        }
        func absolute(_ path: String) -> String { path.hasPrefix("/") ? path : "\(base)/\(path)" }
        token =
            tokenOverride ?? configuration.tokenDirectory.map(absolute)
            ?? fromManager("RUNTIME_DIRECTORY") ?? base + "/run"
        state =
            stateOverride ?? configuration.stateDirectory.map(absolute)
            ?? fromManager("STATE_DIRECTORY") ?? base + "/state"
        let runtime = fromManager("RUNTIME_DIRECTORY") ?? token
        controlSocket =
            configuration.controlSocket.map(absolute) ?? runtime + "/control.sock"
        credentialSocket =
            configuration.credentialSocket.map(absolute) ?? runtime + "/credentials.sock"
    }
}
