internal import Dispatch
internal import Glibc
internal import Synchronization
public import TokenCore
public import TokenEngine

/// Reads secrets from where the configuration says, again at every use.
public final class SecretResolver: SecretReader {
    private static let limit = 64 * 1024
    private let base: String
    private let files = Lanes("secrets", count: 8)
    private let programs = Lanes("commands", count: 8)
    private let mounts = MountTable()
    /// For how long an attempt waits, with its place among those in flight: more than a program's
    /// own ten seconds, for it may have to wait for its turn.
    private static let patience = (
        file: DispatchTimeInterval.seconds(10), program: DispatchTimeInterval.seconds(15)
    )
    private let calls = Atomic<UInt64>(0)

    /// - Parameter base: The directory of the configuration file; relative paths start there.
    public init(base: String) { self.base = base }

    public func read(_ source: SecretSource) async throws(SecretFailure) -> Secret {
        switch source {
        case .inline(let secret): return secret
        case .file(let path): return try await read(file: path)
        case .environment(let name):
            guard let value = getenv(name) else {
                throw SecretFailure("the environment variable \(name) is not set; set it")
            }
            return Secret(String(cString: value))
        case .credential(let name):
            guard let directory = getenv("CREDENTIALS_DIRECTORY") else {
                throw SecretFailure(
                    "there is no systemd credential \(name); add LoadCredential=\(name):PATH to "
                        + "the unit and restart it")
            }
            return try await read(file: String(cString: directory) + "/" + name)
        case .command(let arguments):
            return try await within(
                Self.patience.program,
                "\(arguments[0]) has no turn: it hangs for other credentials", programs,
                arguments[0]
            ) { () throws(SecretFailure) in try Self.output(of: arguments) }
        }
    }

    public func read(file path: String) async throws(SecretFailure) -> Secret {
        let place = path.hasPrefix("/") ? path : base + "/" + path
        let mount = mounts.point(of: place)
        return try await within(
            Self.patience.file, "\(place): its file system (\(mount)) does not answer", files, mount
        ) { () throws(SecretFailure) in
            let bytes: [UInt8]
            do throws(SystemError) { bytes = try Self.content(of: place) } catch {
                throw SecretFailure(error.text)
            }
            return try Self.secret(bytes, from: place)
        }
    }

    /// Runs `body` on a lane for as long as the caller can wait; no two calls wait for each other.
    private func within(
        _ limit: DispatchTimeInterval, _ late: String, _ lanes: Lanes, _ holder: String,
        _ body: @escaping @Sendable () throws(SecretFailure) -> Secret
    ) async throws(SecretFailure) -> Secret {
        let call = calls.wrappingAdd(1, ordering: .relaxed).newValue
        let result = await lanes.run(key: String(call), holder: holder, within: limit) {
            () -> Result<Secret, SecretFailure> in
            do throws(SecretFailure) { return .success(try body()) } catch {
                return .failure(error)
            }
        }
        guard let result else { throw SecretFailure(late) }
        return try result.get()
    }

    private static func content(of place: String) throws(SystemError) -> [UInt8] {
        // O_NONBLOCK: a FIFO must not stop the thread.
        let file = open(place, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard file >= 0 else { throw SystemError("open \(place)") }
        defer { close(file) }
        var about = stat()
        guard fstat(file, &about) == 0, about.st_mode & S_IFMT == S_IFREG else {
            throw SystemError("read \(place), which is no regular file", code: EINVAL)
        }
        return try readAll(file, limit: limit + 1, what: place)
    }

    private static func output(of arguments: [String]) throws(SecretFailure) -> Secret {
        let keep = ["PATH", "HOME", "LANG", "USER", "LOGNAME", "XDG_RUNTIME_DIR"]
        let environment = keep.compactMap { name in
            getenv(name).map { "\(name)=\(String(cString: $0))" }
        }
        let program = arguments[0]
        let child = ChildProcess(
            arguments: arguments, environment: environment, timeout: .seconds(10))
        let bytes: [UInt8]
        do throws(ChildProcess.Failure) { bytes = try child.run() } catch {
            switch error {
            case .cannotStart(let text): throw SecretFailure(text)
            case .timedOut: throw SecretFailure("\(program) gave no secret within 10 s")
            case .exited(let status): throw SecretFailure("\(program) failed with status \(status)")
            case .killed(let signal): throw SecretFailure("\(program) died of signal \(signal)")
            }
        }
        return try secret(bytes, from: program)
    }

    /// One trailing newline is dropped: editors and `echo` add it.
    private static func secret(
        _ bytes: [UInt8], from place: String
    ) throws(SecretFailure) -> Secret {
        guard bytes.count <= limit else { throw SecretFailure("\(place) is larger than 64 KiB") }
        let trimmed = bytes.last == 0x0A ? bytes.dropLast() : bytes[...]
        guard let text = String(validating: trimmed, as: UTF8.self) else {
            throw SecretFailure("\(place) is not UTF-8 text")
        }
        guard !text.isEmpty else { throw SecretFailure("\(place) is empty; put the secret there") }
        return Secret(text)
    }
}
