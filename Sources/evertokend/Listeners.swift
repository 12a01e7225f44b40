import Synchronization
import TokenAdapters
import TokenCore
import TokenEngine

/// The control socket and the metrics listener, wherever the configuration in force wants them.
final class Listeners: Sendable {
    typealias Submit =
        @Sendable (ControlRequest, @escaping @Sendable (ControlReply) -> Void) -> Void

    private struct Open {
        var control: ControlServer
        var metrics: MetricsServer?
    }
    private let open: Mutex<Open>
    private let journal: JournalWriter
    private let submit: Submit

    init(
        _ configuration: Configuration, socketPath: String, journal: JournalWriter,
        submit: @escaping Submit
    ) throws(StorageFailure) {
        let control = try ControlServer(
            path: socketPath, policy: configuration.control, submit: submit)
        let metrics = try configuration.metricsListen.map { address throws(StorageFailure) in
            try MetricsServer(address: address, submit: submit)
        }
        open = Mutex(Open(control: control, metrics: metrics))
        (self.journal, self.submit) = (journal, submit)
    }

    /// Follows a reload. What cannot be opened leaves the old one there, and says so.
    func apply(_ configuration: Configuration, socketPath: String) {
        open.withLock { open in
            do throws(StorageFailure) {
                try apply(configuration.control, socketPath, &open)
            } catch { tell(error) }
            do throws(StorageFailure) {
                try apply(metrics: configuration.metricsListen, &open)
            } catch { tell(error) }
        }
    }

    private func apply(
        _ policy: ControlPolicy, _ path: String, _ open: inout Open
    ) throws(StorageFailure) {
        guard open.control.path != path else { return try open.control.update(policy) }
        let new = try ControlServer(path: path, policy: policy, submit: submit)
        open.control.stop()
        open.control = new
    }

    private func apply(metrics address: String?, _ open: inout Open) throws(StorageFailure) {
        guard open.metrics?.address != address else { return }
        let new = try address.map { address throws(StorageFailure) in
            try MetricsServer(address: address, submit: submit)
        }
        open.metrics?.stop()
        open.metrics = new
    }

    private func tell(_ failure: StorageFailure) {
        journal.write(
            JournalEntry(
                .error, "A listener of the new configuration cannot be opened; the old one stays",
                fields: [HeaderField("PROBLEM", failure.problem)]))
    }

    func stop() {
        open.withLock { open in
            open.metrics?.stop()
            open.control.stop()
        }
    }
}
