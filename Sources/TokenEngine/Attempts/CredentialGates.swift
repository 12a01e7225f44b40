/// One user of a credential's stored state at a time, in the order in which they came (I11). A gate
/// belongs to a name, whether it is configured or not. It serves:
///
/// - **an attempt**: a renewal, an import, the exchange of a sign-in. The lifecycle runs one at a
///   time, but the attempt of a removed credential may still run when its name is configured
///   again, or beside `accept` and `forget`;
/// - **a recovery**, at the start of a credential and after `accept` or `forget`: it reads the
///   state only when an attempt that is under way has reached the disk. That attempt may belong to
///   a former life of the name, or to the present one, whose state was replaced;
/// - **`accept` and `forget`**: they replace the state when no attempt uses it, also the state of a
///   removed credential whose last attempt still runs;
/// - **a release**: the refresh token that a removed credential held is free for others when its
///   last attempt has ended.
///
/// A credential that is removed is at once unknown to the credential set. Letting it stay there
/// until its attempt has ended would serve the first case of a recovery and the release alone; the
/// others would still need the gate.
actor CredentialGates {
    private var waiting: [String: [CheckedContinuation<Void, Never>]] = [:]

    func enter(_ credential: String) async {
        guard waiting[credential] != nil else {
            waiting[credential] = []
            return
        }
        await withCheckedContinuation { waiting[credential]?.append($0) }
    }

    func leave(_ credential: String) {
        assert(waiting[credential] != nil, "a gate is left that was not entered")
        guard var queue = waiting[credential] else { return }
        if queue.isEmpty {
            waiting[credential] = nil
        } else {
            let next = queue.removeFirst()
            waiting[credential] = queue
            next.resume()
        }
    }
}
