internal import Glibc
internal import Synchronization
package import TokenEngine
package import TokenFormats

/// Reads secrets from their configured sources, again at every use.
package final class SecretResolver: SecretReader {
    private static let limit = 64 * 1024
    private let base: String
    private let files = Lanes("secrets", count: 8)
    private let programs = Lanes("commands", count: 8)
    private let mounts = MountTable()
    /// How long an attempt waits, while it occupies a place among the concurrent requests: longer
    /// than the limit of ten seconds for a program, because it may have to wait for its turn.
    private static let patience = (
        file: Duration.seconds(10), program: Duration.seconds(15)
    )
    private let calls = Atomic<UInt64>(0)

    private let noticed: @Sendable (_ place: String, _ trimming: String) -> Void
    /// The sources that `noticed` was called for.
    private let told = Mutex<Set<ByteText>>([])

    /// - Parameters:
    ///   - base: The directory of the configuration file, for relative paths.
    ///   - noticed: Called once for each source with what was removed around its secret.
    package init(
        base: String,
        noticed: @escaping @Sendable (_ place: String, _ trimming: String) -> Void = { _, _ in }
    ) { (self.base, self.noticed) = (base, noticed) }

    /// As `SecretReader` says. Files of one mount and programs each have lanes and a limit of
    /// time.
    package func read(
        _ source: SecretSource, as shape: SecretText.Shape
    ) async throws(Cause) -> SecretText {
        var isExact = false
        if case .exact = source { isExact = true }
        let form = Form(shape: shape, isExact: isExact)
        let text: SecretText
        let place: String
        switch source.place {
        case .inline(let secret): return SecretText(secret)
        case .file(let path):
            place = path.hasPrefix("/") ? path : base + "/" + path
            text = try await read(file: place, form)
        case .environment(let name):
            place = "the environment variable \(name)"
            guard let value = getenv(name) else {
                throw Cause(.secretVariableUnset, "\(place) is not set")
            }
            let bytes = UnsafeRawBufferPointer(start: value, count: strlen(value))
            text = try Self.secret(Array(bytes), from: place, form, file: nil)
        case .credential(let name):
            guard let directory = getenv("CREDENTIALS_DIRECTORY") else {
                let detail = "there is no systemd credential \(name)"
                throw Cause(.secretCredentialMissing, CauseFacts(key: name, detail: detail))
            }
            place = String(cString: directory) + "/" + name
            text = try await read(file: place, form)
        case .command(let arguments):
            place = arguments[0]
            text = try await within(
                Self.patience.program,
                Cause(
                    .secretProgramFailed, "\(place) has no turn: it hangs for other credentials"),
                programs, place
            ) { () throws(Cause) in try Self.output(of: arguments, form) }
        case .exact(let inner): return try await read(inner, as: shape)
        }
        note(text.trimming, at: place)
        return text
    }

    /// As `SecretReader` says, by stat(2); a mount that does not answer in time has no mark.
    package func mark(of source: SecretSource) async -> SecretMark? {
        guard case .file(let path) = source.place else { return nil }
        let place = path.hasPrefix("/") ? path : base + "/" + path
        let call = calls.wrappingAdd(1, ordering: .relaxed).newValue
        return await files.run(
            key: String(call), holder: mounts.point(of: place), within: Self.patience.file
        ) { () -> SecretMark? in
            var about = stat()
            guard stat(place, &about) == 0 else { return nil }
            return SecretMark([
                Int64(bitPattern: UInt64(about.st_dev)), Int64(bitPattern: UInt64(about.st_ino)),
                Int64(about.st_size), Int64(about.st_mtim.tv_sec), Int64(about.st_mtim.tv_nsec),
                Int64(about.st_ctim.tv_sec), Int64(about.st_ctim.tv_nsec),
            ])
        } ?? nil
    }

    /// How the text of a source is interpreted.
    private struct Form: Sendable {
        var shape: SecretText.Shape
        var isExact: Bool
    }

    private func note(_ trimming: String?, at place: String) {
        guard let trimming,
            told.withLock({ $0.insert(ByteText(place + "\n" + trimming)).inserted })
        else { return }
        noticed(place, trimming)
    }

    private func read(file place: String, _ form: Form) async throws(Cause) -> SecretText {
        let mount = mounts.point(of: place)
        return try await within(
            Self.patience.file,
            Cause(
                .secretUnreadable, "\(place): its file system (\(mount)) does not answer",
                file: place), files, mount
        ) { () throws(Cause) in
            let bytes: [UInt8]
            do throws(SystemError) { bytes = try Self.content(of: place) } catch {
                throw Cause(ofSecret: error, file: place)
            }
            return try Self.secret(bytes, from: place, form, file: place)
        }
    }

    /// Runs `body` on a lane with a time limit; calls do not wait for each other.
    private func within(
        _ limit: Duration, _ late: Cause, _ lanes: Lanes, _ holder: String,
        _ body: @escaping @Sendable () throws(Cause) -> SecretText
    ) async throws(Cause) -> SecretText {
        let call = calls.wrappingAdd(1, ordering: .relaxed).newValue
        let result = await lanes.run(key: String(call), holder: holder, within: limit) {
            () -> Result<SecretText, Cause> in
            do throws(Cause) { return .success(try body()) } catch {
                return .failure(error)
            }
        }
        guard let result else { throw late }
        return try result.get()
    }

    private static func content(of place: String) throws(SystemError) -> [UInt8] {
        // O_NONBLOCK: a FIFO must not block the thread.
        let file = open(place, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard file >= 0 else { throw SystemError("open \(place)") }
        defer { close(file) }
        var about = stat()
        guard fstat(file, &about) == 0, about.st_mode & S_IFMT == S_IFREG else {
            throw SystemError("read \(place), which is not a regular file", code: EINVAL)
        }
        return try readAll(file, limit: limit + 1, what: place)
    }

    private static func output(
        of arguments: [String], _ form: Form
    ) throws(Cause) -> SecretText {
        let keep = ["PATH", "HOME", "LANG", "USER", "LOGNAME", "XDG_RUNTIME_DIR"]
        let environment = keep.compactMap { name in
            getenv(name).map { "\(name)=\(String(cString: $0))" }
        }
        let program = arguments[0]
        let child = ChildProcess(
            arguments: arguments, environment: environment, timeout: .seconds(10))
        let bytes: [UInt8]
        do throws(ChildProcess.Failure) { bytes = try child.run() } catch {
            let facts =
                switch error {
                case .cannotStart(let error): CauseFacts(error)
                case .timedOut: CauseFacts(detail: "\(program) gave no secret within 10 s")
                case .exited(let status):
                    CauseFacts(detail: "\(program) failed with status \(status)")
                case .killed(let signal):
                    CauseFacts(detail: "\(program) died of signal \(signal)")
                }
            throw Cause(.secretProgramFailed, facts)
        }
        return try secret(bytes, from: program, form, file: nil)
    }

    private static func secret(
        _ bytes: [UInt8], from place: String, _ form: Form, file: String?
    ) throws(Cause) -> SecretText {
        guard bytes.count <= limit else {
            throw Cause(.secretUnusable, "\(place) is larger than 64 KiB", file: file)
        }
        do throws(RequestError) {
            return try SecretText(bytes, shape: form.shape, isExact: form.isExact)
        } catch { throw Cause(.secretUnusable, error.of(place).text, file: file) }
    }
}

extension Cause {
    /// Why the file of a secret could not be read.
    init(ofSecret error: SystemError, file: String) {
        let kind: CauseKind =
            switch error.code {
            case ENOENT, ENOTDIR: .secretMissing
            case EINVAL: .secretUnusable
            default: .secretUnreadable
            }
        self.init(kind, CauseFacts(error, file: file))
    }
}
