internal import TokenConfiguration
internal import TokenFormats
internal import TokenProviders
internal import TokenScheduling
internal import TokenSlots

// Whether the state is the one this daemon wrote last (I10). An old copy holds a refresh token that
// may be spent: sending it would look like theft to the provider, who then ends the whole grant.
extension AttemptRunner {
    /// - Parameter grant: As stored on disk.
    /// - Returns: Why no request may be sent, or `nil`.
    func distrust(
        of grant: CredentialRecord, _ credential: CredentialConfiguration, _ memory: LastKnown
    ) async throws(Refusal) -> Cause? {
        try await storing { () throws(StorageFailure) in
            let cause = try await foreignCause(of: grant, credential, world)
            guard grant.generation < memory.grant.generation,
                grant.isEndangeredByCopies(profile: credential.profile)
            else { return cause }
            let words =
                "its state went back from grant \(memory.grant.generation) to "
                + "\(grant.generation) while the daemon ran"
            let wentBack = Cause(.stateWentBack, CauseFacts(detail: words))
            try await world.store.distrust(credential.name, wentBack)
            return wentBack
        }
    }
}

extension AttemptRunner {
    /// Recovers a credential. The caller has entered its gate and a turn; both are left here.
    ///
    /// Never inlined: its frame of 20 kB would belong to every caller that waits for a turn.
    @inline(never)
    func recover(
        _ credential: CredentialConfiguration, isAccepted: Bool, leaving turns: Turns,
        ended: @Sendable (StateRecovery) -> Void
    ) async {
        let recovery = await TokenEngine.recover(
            credential, isAccepted: isAccepted, world: world, turns: turns)
        if let grant = recovery.grant {
            owners.learn(grant, of: credential.name, at: credential.profile)
        }
        await gates.leave(credential.name)
        ended(recovery)
    }
}

/// Reads the stored state of a credential at start. The response of an interrupted attempt is read
/// again here, as the daemon would have read it then.
///
/// - Parameters:
///   - isAccepted: The operator has accepted the state, which may be old nevertheless.
///   - turns: The caller's turn among them is given back when the stored state is read. Token files
///     are read without a turn: their file systems may hang.
private func recover(
    _ credential: CredentialConfiguration, isAccepted: Bool, world: AttemptPorts, turns: Turns
) async -> StateRecovery {
    let stored = await storedState(of: credential, world)
    await turns.leave()
    do throws(StorageFailure) {
        let (evidence, grant) = try stored.get()
        guard let latest = evidence.latest, var grant else {
            return evidence.isUnreadable ? .unreadable : .grant(CredentialRecord())
        }
        if grant.unstoredAccess != nil {
            let tokens = await world.outputs.published(
                in: credential.outputs, of: credential.name)
            for token in tokens { grant.recall(textOf: token) }
        }
        let lost = evidence.lostSequence
        if let lost, grant.isEndangeredByCopies(profile: credential.profile) {
            // Stored, because the marks disappear when the files are next replaced.
            let words =
                "its state went back from record \(lost) to \(latest.sequence): "
                + "it was copied or restored from a backup"
            try await world.store.distrust(
                credential.name, Cause(.stateWentBack, CauseFacts(detail: words)))
        }
        if let cause = try await foreignCause(of: grant, credential, world) {
            let mayPublish = await !isUnknownPublished(grant, credential, world)
            return .foreign(grant, cause, mayPublish: mayPublish)
        }
        // The state may be used, but token files do not go back (I15): a refresh is due instead.
        if isAccepted || lost != nil, await isUnknownPublished(grant, credential, world) {
            grant.access = nil
        }
        return .grant(grant)
    } catch {
        return .unavailable(error.cause)
    }
}

private func storedState(
    of credential: CredentialConfiguration, _ world: AttemptPorts
) async -> Result<(AttemptEvidence, CredentialRecord?), StorageFailure> {
    do throws(StorageFailure) {
        let evidence = try await world.store.evidence(of: credential.name)
        return .success((evidence, await world.grant(in: evidence, of: credential)))
    } catch { return .failure(error) }
}

/// - Returns: Why no request may be sent.
private func foreignCause(
    of grant: CredentialRecord, _ credential: CredentialConfiguration, _ world: AttemptPorts
) async throws(StorageFailure) -> Cause? {
    guard grant.isEndangeredByCopies(profile: credential.profile),
        case .foreign(let cause) = try await world.store.origin(of: credential.name)
    else { return nil }
    return cause
}

/// Whether the token files hold a token that this state does not know: if the state went back, that
/// token is newer. This decides only what is published, never what is sent, because other users may
/// be able to write these files.
private func isUnknownPublished(
    _ grant: CredentialRecord, _ credential: CredentialConfiguration, _ world: AttemptPorts
) async -> Bool {
    guard let access = grant.access else { return false }
    return await world.outputs.published(in: credential.outputs, of: credential.name)
        .contains { token in
            token != access.token
                && !grant.formerAccess.contains(CredentialRecord.fingerprint(ofAccess: token))
        }
}
