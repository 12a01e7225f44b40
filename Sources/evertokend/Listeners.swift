internal import Synchronization
internal import TokenAdapters
internal import TokenConfiguration
internal import TokenControl
internal import TokenEngine
internal import TokenFormats
internal import TokenProviders

/// The sockets that clients connect to, at the places of the present configuration.
final class Listeners: Sendable {
    typealias Submit =
        @Sendable (ControlRequest, @escaping @Sendable (ControlReply) -> Void) -> Void

    private struct Open {
        var control: ControlServer
        var metrics: MetricsServer?
    }
    private let open: Mutex<Open>
    private let units: CredentialSocket
    private let journal: JournalWriter
    private let submit: Submit

    init(
        _ configuration: Configuration, _ places: Directories, journal: JournalWriter,
        submit: @escaping Submit
    ) throws(StorageFailure) {
        let control = try ControlServer(
            path: places.controlSocket, policy: configuration.control, submit: submit)
        units = CredentialSocket(journal: journal, submit: submit)
        try units.apply(configuration.credentials, path: places.credentialSocket)
        let metrics = try configuration.metricsListen.map { address throws(StorageFailure) in
            try MetricsServer(address: address, submit: submit)
        }
        open = Mutex(Open(control: control, metrics: metrics))
        (self.journal, self.submit) = (journal, submit)
    }

    /// Applies a reload. If a new socket cannot be opened, the old one stays, and the next reload
    /// retries.
    ///
    /// - Returns: What could not be applied.
    func apply(_ configuration: Configuration, _ places: Directories) -> [String] {
        var problems: [String] = []
        open.withLock { open in
            do throws(StorageFailure) {
                try apply(configuration.control, places.controlSocket, &open)
            } catch { problems.append(error.problem) }
            do throws(StorageFailure) {
                try apply(metrics: configuration.metricsListen, &open)
            } catch { problems.append(error.problem) }
        }
        do throws(StorageFailure) {
            try units.apply(configuration.credentials, path: places.credentialSocket)
        } catch { problems.append(error.problem) }
        for problem in problems { tell(problem) }
        return problems
    }

    private func apply(
        _ policy: ControlPolicy, _ path: String, _ open: inout Open
    ) throws(StorageFailure) {
        guard open.control.path != path else { return try open.control.update(policy) }
        do throws(StorageFailure) {
            let new = try ControlServer(path: path, policy: policy, submit: submit)
            open.control.stop()
            open.control = new
        } catch {
            // Revoked access must not survive: the old socket still gets the new policy.
            try? open.control.update(policy)
            throw error
        }
    }

    private func apply(metrics address: String?, _ open: inout Open) throws(StorageFailure) {
        if let address, open.metrics?.listens(on: address) == true { return }
        let new = try address.map { address throws(StorageFailure) in
            try MetricsServer(address: address, submit: submit)
        }
        open.metrics?.stop()
        open.metrics = new
    }

    private func tell(_ problem: String) {
        journal.write(
            JournalEntry(
                .error, "A socket of the new configuration cannot be opened",
                fields: [
                    HeaderField("PROBLEM", problem),
                    HeaderField("REMEDY", "Mend that, then reload"),
                ]))
    }

    func stop() {
        units.stop()
        open.withLock { open in
            open.metrics?.stop()
            open.control.stop()
        }
    }
}
