internal import Glibc
internal import Synchronization
internal import TokenConfiguration
internal import TokenControl

/// Root and the daemon's own user may do everything, any user who can open the socket may read the
/// status; tokens and changes are for the users named in `control.allow`.
final class ControlAccess: Sendable {
    private let policy: Mutex<ControlPolicy>

    init(_ policy: ControlPolicy) { self.policy = Mutex(policy) }

    func update(_ new: ControlPolicy) { policy.withLock { $0 = new } }

    /// Lanes for account look-ups: name services may use a network and take long.
    private let lookUps = Lanes("accounts", count: 4)

    /// Calls `then` with the decision, at once if no look-up is needed.
    func whenAllowed(
        _ request: ControlRequest, to peer: Peer?, then: @escaping @Sendable (Bool) -> Void
    ) {
        guard let peer else { return then(false) }
        if peer.uid == 0 || peer.uid == geteuid() { return then(true) }
        switch request {
        case .status, .credential, .health, .liveness, .metrics: then(true)
        case .token, .refresh, .order, .signIn, .accept, .stored, .forget, .reload, .check:
            lookUps.start(key: String(peer.uid), holder: String(peer.uid)) {
                then(self.isNamed(peer))
            }
        }
    }

    private func isNamed(_ peer: Peer) -> Bool {
        policy.withLock { $0.allow }.contains { entry in
            switch entry {
            case .user(let name): Accounts.user(name) == peer.uid
            case .group(let name):
                Accounts.group(name).map {
                    Accounts.isMember(uid: peer.uid, gid: peer.gid, of: $0)
                } ?? false
            }
        }
    }
}
