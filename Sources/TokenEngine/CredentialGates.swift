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
actor RefreshTokenOwners {
    private var owners: [String: String] = [:]

    /// - Returns: The other credential that holds the same token, or `nil`.
    func claim(_ identity: String, for credential: String) -> String? {
        if let owner = owners[identity], owner != credential { return owner }
        owners = owners.filter { $0.value != credential }
        owners[identity] = credential
        return nil
    }

    func release(_ credential: String) {
        owners = owners.filter { $0.value != credential }
    }
}
