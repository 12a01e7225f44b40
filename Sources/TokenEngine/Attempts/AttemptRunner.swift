internal import TokenConfiguration
internal import TokenFormats
internal import TokenProviders
internal import TokenSlots

/// What the attempts of all credentials share, and the start of an attempt.
struct AttemptRunner: Sendable {
    let world: AttemptPorts
    let gates: CredentialGates
    let owners: RefreshTokenOwners

    /// Told while a response waits in memory for a disk that does not take it (I6): the cause, and
    /// once, when the published token is about to end, the token of that response.
    typealias Unsaved = @Sendable (Cause, GrantedAccess?) -> Void

    /// One attempt from the slots to the slots, after earlier ones of the same name.
    func run(
        _ order: AttemptOrder, _ credential: CredentialConfiguration, memory: LastKnown,
        onUnsaved: @escaping Unsaved
    ) async -> AttemptReport {
        let attemptID = hexadecimal(world.random.bytes(16))
        await gates.enter(credential.name)
        var driver = AttemptDriver(
            self, order, credential, memory: memory, onUnsaved: onUnsaved)
        let report = await driver.run(attemptID: attemptID)
        if let grant = report.grant {
            owners.learn(grant, of: credential.name, at: credential.profile)
        }
        await gates.leave(credential.name)
        return report
    }
}

/// Runs what uses the storage. Its failure ends an attempt before anything was sent.
func storing<Value>(
    _ body: () async throws(StorageFailure) -> Value
) async throws(Refusal) -> Value {
    do throws(StorageFailure) { return try await body() } catch {
        throw Refusal(.storage, error.cause)
    }
}
