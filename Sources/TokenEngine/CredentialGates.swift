internal import Synchronization
internal import TokenCore

/// One attempt at a time per credential, also when the credential is removed and configured again
/// while an attempt of its former life is still on its way to the disk (I11).
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

/// Who holds which refresh token: one configured twice would be spent twice (I11).
final class RefreshTokenOwners: Sendable {
    private let owners = Mutex<[String: String]>([:])

    /// - Returns: The other credential that holds the same token, or `nil`.
    func claim(_ identity: String, for credential: String) -> String? {
        owners.withLock { owners in
            if let owner = owners[identity], owner != credential { return owner }
            owners = owners.filter { $0.value != credential }
            owners[identity] = credential
            return nil
        }
    }

    func release(_ credential: String) {
        owners.withLock { owners in owners = owners.filter { $0.value != credential } }
    }
}

/// Slots whose last write failed. What reads back from them may stand in memory only, with the
/// pages marked clean (I5): they count as damaged until a write to them succeeds.
actor DistrustedSlots {
    private var slots: [String: SlotPair.Index] = [:]

    func distrust(_ index: SlotPair.Index, of credential: String) { slots[credential] = index }
    func trust(_ credential: String) { slots[credential] = nil }

    func exclude(from pair: inout SlotPair, of credential: String) {
        switch slots[credential] {
        case .a where pair.b != .empty: pair.a = .damaged
        case .b where pair.a != .empty: pair.b = .damaged
        // The other one was never written: this is a first attempt, to be made again from nothing.
        case .a: pair.a = .empty
        case .b: pair.b = .empty
        case nil: break
        }
    }
}
