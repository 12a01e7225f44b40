internal import TokenCore

/// What the attempts of all credentials share, and the start of an attempt.
struct AttemptRunner: Sendable {
    let world: AttemptPorts
    let gates: CredentialGates
    let owners: RefreshTokenOwners
    let distrusted: DistrustedSlots
    /// Told while a response waits in memory for a disk that does not take it (I6): the credential,
    /// the cause, and once, when the published token is about to end, the token of that response.
    let onUnsaved: @Sendable (String, Cause, GrantedAccess?) -> Void

    /// One attempt from the slots to the slots, after earlier ones of the same name.
    func run(
        _ order: AttemptOrder, _ credential: CredentialConfiguration, memory: LastKnown
    ) async -> AttemptReport {
        let attemptID = hexadecimal(world.random.bytes(16))
        await gates.enter(credential.name)
        var driver = AttemptDriver(self, order, credential, memory: memory)
        let report = await driver.run(attemptID: attemptID)
        if let grant = report.grant {
            owners.learn(grant, of: credential.name, at: credential.profile)
        }
        await gates.leave(credential.name)
        return report
    }
}

/// Why an attempt ended before anything was sent.
struct AttemptAborted: Error {
    var refusal: Refusal
    init(_ failureClass: FailureClass, _ cause: Cause) {
        refusal = Refusal(failureClass, cause)
    }
}
