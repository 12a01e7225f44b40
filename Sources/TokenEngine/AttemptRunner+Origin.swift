internal import TokenCore

/// What the state may not fall behind.
struct Fence: Sendable {
    /// The newest that memory knows.
    var grant: StoredGrant
    /// A person has looked at the state: token files may be newer than it is.
    var isAccepted: Bool
}

// Whether the state is the one this daemon wrote last (I10). An old copy holds a refresh token that
// may be spent: sending it would look like theft to the provider, who then ends the whole grant.
extension AttemptRunner {
    /// - Returns: Why nothing may be sent, or `nil`.
    func foreign(
        _ grant: StoredGrant?, _ order: AttemptOrder,
        _ credential: CredentialConfiguration, _ fence: Fence
    ) async throws(AttemptStop) -> String? {
        guard order.isRenewal, let grant else { return nil }
        var problem = try await storage { () throws(StorageFailure) in
            try await distrust(grant, credential, isAccepted: fence.isAccepted, world)?.problem
        }
        if grant.generation < fence.grant.generation,
            grant.isEndangeredByCopies(profile: credential.profile)
        {
            let wentBack =
                "its state went back from grant \(fence.grant.generation) to "
                + "\(grant.generation) while the daemon ran"
            problem = wentBack
            try await storage { () throws(StorageFailure) in
                try await world.slots.distrust(credential.name, problem: wentBack)
            }
        }
        return problem
    }

    /// Where a person brings new tokens the files may hold what they like: it is older.
    func supersedeOutputs(
        _ record: inout SlotRecord, _ order: AttemptOrder, _ credential: CredentialConfiguration
    ) async {
        guard order.bringsRefreshToken || order.isLogin,
            let mark = await world.outputs.published(
                in: credential.outputs, of: credential.name)
        else { return }
        record.grant.noteFormer(mark.accessToken)
    }

    /// Slots that were removed or spoilt under the running daemon: what memory holds is all there
    /// is, and more than the seed they began with.
    func pairFromMemory(_ fence: Fence, _ name: String) -> SlotPair? {
        guard fence.grant.refreshToken != nil, fence.grant.generation > 0 else { return nil }
        let record = SlotRecord(
            sequence: 1, state: .settled, attemptID: "memory", kind: .refresh,
            sentAt: world.clock.now(), grant: fence.grant)
        return SlotPair(a: .valid(SlotContents(record: record)), b: .empty)
    }

    func accept(_ credential: CredentialConfiguration) async throws(AttemptStop) {
        try await storage { () throws(StorageFailure) in
            try await world.slots.accept(credential.name)
        }
    }
}

/// Reads the slots of a credential at start. The answer of an interrupted attempt is read again
/// here, as the daemon would have read it then.
func recover(
    _ credential: CredentialConfiguration, isAccepted: Bool, world: World
) async -> StateRecovery {
    do throws(StorageFailure) {
        let pair = try await world.slots.read(credential.name)
        guard let winner = pair.winner else {
            return pair.isUnreadable ? .unreadable : .grant(StoredGrant())
        }
        var grant = await world.grant(in: winner.contents, of: credential)
        if grant.unstoredAccess != nil,
            let mark = await world.outputs.published(in: credential.outputs, of: credential.name)
        {
            grant.recall(textOf: mark.accessToken)
        }
        if let reason = try await distrust(grant, credential, isAccepted: isAccepted, world) {
            return .foreign(grant, problem: reason.problem, mayPublish: reason.mayPublish)
        }
        // It may be used, but what others read does not go back (I15): a refresh is due instead.
        if await isBehindItsOutputs(grant, credential, world) { grant.access = nil }
        return .grant(grant)
    } catch {
        return .unavailable(problem: error.problem)
    }
}

/// - Returns: Why nothing may be sent, and whether what the state holds may be published.
private func distrust(
    _ grant: StoredGrant, _ credential: CredentialConfiguration, isAccepted: Bool, _ world: World
) async throws(StorageFailure) -> (problem: String, mayPublish: Bool)? {
    guard grant.isEndangeredByCopies(profile: credential.profile) else { return nil }
    if !isAccepted, await isBehindItsOutputs(grant, credential, world) {
        // The files may be gone before a person has looked: after a reboot, under /run.
        let problem = "its state is older than the token in its output files"
        try await world.slots.distrust(credential.name, problem: problem)
        return (problem, false)
    }
    guard case .foreign(let problem) = try await world.slots.origin(of: credential.name) else {
        return nil
    }
    return (problem, true)
}

/// A token is durable before it is published: files can only be newer than the state when the
/// state went back.
private func isBehindItsOutputs(
    _ grant: StoredGrant, _ credential: CredentialConfiguration, _ world: World
) async -> Bool {
    guard let access = grant.access,
        let mark = await world.outputs.published(in: credential.outputs, of: credential.name)
    else { return false }
    // After a crash before the publication, with the clock set back meanwhile.
    let isFormer = grant.formerAccess.contains(
        StoredGrant.fingerprint(ofAccess: mark.accessToken))
    // Nor does it matter where a person has signed in since.
    let since = max(access.sentAt.wall, grant.refreshTokenSince?.wall ?? access.sentAt.wall)
    return mark.accessToken != access.token && !isFormer && mark.issuedAt > since.epochSeconds
}
