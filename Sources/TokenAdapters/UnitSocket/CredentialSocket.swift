internal import Dispatch
internal import Glibc
internal import Synchronization
package import TokenConfiguration
package import TokenControl
package import TokenEngine
package import TokenFormats
internal import TokenProviders

/// Serves access tokens to units whose `LoadCredential=` names this socket (systemd.exec(5)).
///
/// The service manager connects as root from an address that names unit and credential, reads to
/// the end, and starts the unit. It treats an empty response as an empty credential: the protocol
/// cannot express an error (systemd issue 27373).
package final class CredentialSocket: Sendable {
    /// Takes a request to the loop; its second argument is called once, with the reply.
    package typealias Submit =
        @Sendable (ControlRequest, @escaping @Sendable (ControlReply) -> Void) -> Void

    /// Only root is served, and root is exempt from all limits except the first two.
    private static let limits = ConnectionCaps.Limits(
        receiving: 64, receivingByUser: 16, held: 0, heldByUser: 0, bytes: 0, bytesByUser: 0)
    /// Maximum connections that wait for a token: each uses a descriptor, but no thread.
    private static let maximumWaiting = 500

    private struct Listening {
        var path: String
        var place: UnixListener
        var host: ConnectionHost
    }
    private struct State {
        var policy = UnitPolicy()
        var listening: Listening?
        var waiting = 0
        var notices = NoticeLimit()
    }
    private let state = Mutex(State())
    private let journal: any Journal
    private let submit: Submit

    /// A socket that is not open yet.
    package init(journal: any Journal, submit: @escaping Submit) {
        (self.journal, self.submit) = (journal, submit)
    }

    /// Applies a configuration: the socket exists while some credential names a unit.
    ///
    /// - Throws: When it cannot be opened. The new permissions apply nevertheless.
    package func apply(
        _ credentials: [CredentialConfiguration], path: String
    ) throws(StorageFailure) {
        let policy = UnitPolicy(credentials)
        try state.withLock { state throws(StorageFailure) in
            state.policy = policy
            state.notices = NoticeLimit()
            guard !policy.entries.isEmpty else { return Self.close(&state.listening) }
            if let old = state.listening, old.path == path, access(path, F_OK) == 0 { return }
            let new = try listen(path)
            Self.close(&state.listening)
            state.listening = new
        }
    }

    /// Closes the socket and removes it.
    package func stop() { state.withLock { Self.close(&$0.listening) } }

    private static func close(_ listening: inout Listening?) {
        guard let old = listening else { return }
        old.host.stop()
        old.place.remove()
        listening = nil
    }

    private func listen(_ path: String) throws(StorageFailure) -> Listening {
        let place = try UnixListener.open(
            path: path, key: "credential_socket", mode: 0o600, group: nil)
        let host = ConnectionHost(
            "credentials", listener: place.listener, limits: Self.limits,
            times: (request: .seconds(5), answer: .seconds(10))
        ) { [weak self] host, key, peer in
            guard let self, let (wanted, entry) = admitted(host.address(key), peer) else {
                host.end(key)
                return nil
            }
            serve(host, key, wanted, entry)
            return nil
        }
        return Listening(path: path, place: place, host: host)
    }

    // MARK: Permissions

    private func admitted(
        _ address: [UInt8]?, _ peer: Peer?
    ) -> (UnitCredential, UnitPolicy.Entry)? {
        guard let peer, let wanted = caller(address, peer) else { return nil }
        let (entry, hasRoom) = state.withLock { state in
            guard let entry = state.policy.entry(for: wanted) else {
                return (UnitPolicy.Entry?.none, true)
            }
            guard state.waiting < Self.maximumWaiting else { return (entry, false) }
            state.waiting += 1
            return (entry, true)
        }
        guard let entry else {
            tell(
                .notice, "A unit asked for a credential that it may not have", about: wanted,
                [
                    HeaderField(
                        "REMEDY",
                        "Name the unit in \"units\" of a credential, then reload; it got nothing")
                ])
            return nil
        }
        guard hasRoom else {
            tell(
                .warning, "A unit got no token", about: wanted,
                [
                    HeaderField("CREDENTIAL", entry.credential),
                    HeaderField("PROBLEM", "too many wait already"),
                ])
            return nil
        }
        return (wanted, entry)
    }

    /// The unit of the request. Only a root peer is trusted: any user can bind such an address.
    private func caller(_ address: [UInt8]?, _ peer: Peer) -> UnitCredential? {
        let (uid, pid) = (peer.uid, peer.pid)
        guard uid == 0 else {
            tell(
                .notice, "A process that is not root asked for a credential", key: "uid \(uid)",
                [HeaderField("UID", String(uid)), HeaderField("PID", String(pid))])
            return nil
        }
        // The peer has disconnected already.
        guard let address else { return nil }
        guard let wanted = UnitCredential(address: address) else {
            tell(
                .notice, "A process that is not a service manager asked for a credential",
                key: "address", [HeaderField("PID", String(pid))])
            return nil
        }
        return wanted
    }

    // MARK: The response

    private func serve(
        _ host: ConnectionHost, _ key: ConnectionHost.Key, _ wanted: UnitCredential,
        _ entry: UnitPolicy.Entry
    ) {
        host.whenEnded(key) { self.state.withLock { $0.waiting -= 1 } }
        let request = ControlRequest.token(
            entry.credential, minimumLife: entry.grant.minimumLife, wait: entry.grant.timeout)
        submit(request) { host.answer(key, self.answer($0, to: wanted, by: entry)) }
    }

    /// Empty if there is no token.
    private func answer(
        _ reply: ControlReply, to wanted: UnitCredential, by entry: UnitPolicy.Entry
    ) -> [UInt8] {
        let credential = HeaderField("CREDENTIAL", entry.credential)
        guard let bytes = reply.token?.bytes(as: entry.grant.format) else {
            var fields = [credential]
            if let problem = reply.problem {
                fields.append(HeaderField("PROBLEM", problem.title))
                if let remedy = problem.detail { fields.append(HeaderField("REMEDY", remedy)) }
            }
            tell(.warning, "A unit got no token", about: wanted, fields)
            return []
        }
        // A reload during the wait may have revoked the permission.
        guard state.withLock({ $0.policy.entry(for: wanted) == entry }) else {
            tell(
                .notice, "A unit got no token: the configuration changed meanwhile", about: wanted,
                [credential])
            return []
        }
        journal.write(
            JournalEntry(
                .info, "Token handed to a unit",
                fields: [
                    credential, HeaderField("UNIT", wanted.unit), HeaderField("ID", wanted.id),
                ]))
        return bytes
    }

    // MARK: Journal entries

    private func tell(
        _ level: LogLevel, _ message: String, about wanted: UnitCredential,
        _ fields: [HeaderField]
    ) {
        tell(
            level, message, key: "\(wanted.unit)/\(wanted.id)",
            [HeaderField("UNIT", wanted.unit), HeaderField("ID", wanted.id)] + fields)
    }

    private func tell(
        _ level: LogLevel, _ message: String, key: String, _ fields: [HeaderField]
    ) {
        let now = SystemClock().now().uptime
        guard state.withLock({ $0.notices.mayTell(message + key, now: now) }) else { return }
        journal.write(JournalEntry(level, message, fields: fields))
    }
}

/// Limits equal journal entries to one in ten minutes, and the number of different ones.
struct NoticeLimit {
    private static let pause: Duration = .seconds(600)
    private static let maximum = 100
    private var told: [String: Uptime] = [:]

    mutating func mayTell(_ key: String, now: Uptime) -> Bool {
        told = told.filter { $0.value.duration(to: now) < Self.pause }
        guard told[key] == nil, told.count < Self.maximum else { return false }
        told[key] = now
        return true
    }
}
