internal import Glibc
package import TokenConfiguration
package import TokenControl
internal import TokenEngine
package import TokenFormats
internal import TokenScheduling

/// Executes sign-ins and imports of the control socket without a daemon: each request locks the
/// state directory as a daemon would, and releases it, so that a daemon may start in between.
package final class OfflineControl: Sendable {
    private let configuration: Configuration
    private let directories: Directories
    private let base: String
    private let endpoint: CurlEndpoint
    private let note: @Sendable (String) -> Void

    /// - Parameters:
    ///   - configuration: Applies to all requests.
    ///   - directories: The directories of state and tokens.
    ///   - base: The directory of the configuration file.
    ///   - note: Called with notes for the user while a request runs.
    package init(
        configuration: Configuration, directories: Directories, base: String,
        note: @escaping @Sendable (String) -> Void
    ) {
        (self.configuration, self.directories) = (configuration, directories)
        (self.base, self.note) = (base, note)
        endpoint = CurlEndpoint(base: base)
    }

    /// Executes one request.
    ///
    /// - Throws: `StorageFailure` if the state cannot be opened; nothing has been done then.
    package func answer(_ request: ControlRequest) throws(StorageFailure) -> ControlReply {
        // A response would be lost if the process ended before it is on disk.
        let signals = [SIGINT, SIGHUP, SIGTERM]
        let before = signals.map { signal($0, SIG_IGN) }
        defer { for (number, handler) in zip(signals, before) { signal(number, handler) } }
        let slots = try SlotDirectory(
            path: directories.state, slotSize: configuration.slotSize,
            allowUnsafe: configuration.allowUnsafeState,
            // Every start of the daemon reports these warnings.
            warn: { _ in })
        // The next request takes the lock again, possibly at once.
        defer { slots.unlock() }
        let outputs = OutputDirectory(reading: directories.token)
        let world = AttemptPorts(
            clock: SystemClock(), store: slots, endpoint: endpoint,
            secrets: SecretsWithoutService(resolver: SecretResolver(base: base)),
            outputs: outputs ?? NoOutputs(), random: SystemRandom())
        return LoopExecutor.run { [configuration, note] in
            let attempts = await OfflineAttempts(world: world, configuration: configuration) {
                note(
                    "the answer cannot be saved yet; it is held and tried again (\($0)); do not "
                        + "end this program")
            }
            return await attempts.answer(request)
        }
    }
}

/// systemd provides credentials only to the service itself.
private struct SecretsWithoutService: SecretReader {
    let resolver: SecretResolver

    func read(
        _ source: SecretSource, as shape: SecretText.Shape
    ) async throws(Cause) -> SecretText {
        if case .credential(let name) = source.place, getenv("CREDENTIALS_DIRECTORY") == nil {
            throw Cause(
                .secretCredentialMissing,
                "\(name) is a systemd credential, which only the service can read; start it "
                    + "(systemctl start evertoken), then run this again")
        }
        return try await resolver.read(source, as: shape)
    }
}

/// Used without a token directory: nothing was published.
private struct NoOutputs: OutputPublisher {
    func publish(
        _ token: PublishedToken, to outputs: [OutputSpecification]
    ) async -> PublicationReport { .complete }
    func remove(_ outputs: [OutputSpecification], of credential: String) async {}
    func published(
        in outputs: [OutputSpecification], of credential: String
    ) async -> [Secret] { [] }
    func altered() async -> [AlteredOutput] { [] }
}

/// Root works on the state as the user who owns it: a file of root in it would stop the daemon.
package enum StateOwner {
    /// Changes the user for the rest of the process if it runs as root; otherwise does nothing.
    ///
    /// - Throws: `StorageFailure` if there is no such directory, or the kernel refuses.
    package static func become(ownerOf path: String) throws(StorageFailure) {
        guard geteuid() == 0 else { return }
        var about = stat()
        guard stat(path, &about) == 0 else {
            throw StorageFailure(
                SystemError("look at the state directory \(path)").adding(
                    "start the daemon once, or make it: install -d -m 700 -o USER -g GROUP \(path)"
                ))
        }
        guard about.st_uid != 0 else { return }
        guard setgroups(1, [about.st_gid]) == 0, setgid(about.st_gid) == 0,
            addGroups(of: about.st_uid, about.st_gid), setuid(about.st_uid) == 0
        else { throw StorageFailure(SystemError("become the user of \(path)")) }
    }

    /// Secrets may be readable through an additional group of the user. A user without a name has
    /// none.
    private static func addGroups(of user: uid_t, _ group: gid_t) -> Bool {
        guard let name = Accounts.name(ofUser: user) else { return true }
        return initgroups(name, group) == 0
    }
}
