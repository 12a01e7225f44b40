internal import TokenConfiguration
internal import TokenControl
internal import TokenFormats
internal import TokenProviders
internal import TokenScheduling
internal import TokenSlots

// Accepting and erasing stored state.
extension EngineLoop {
    mutating func accept(
        _ name: String, wait: Duration?, _ reply: @escaping @Sendable (ControlReply) -> Void,
        _ group: inout DiscardingTaskGroup
    ) {
        guard let lifecycle = known(name, reply) else { return }
        if wait != nil, lifecycle.state != .quarantined {
            return reply(.problem(409, "\(name) is not quarantined; nothing to accept"))
        }
        let inbox = engine.inbox
        // The stored state is then not what is sent.
        let isSetAside = lifecycle.isUnreadable
        replaceState(of: name, reply, &group) { [world] () throws(StorageFailure) in
            try await world.store.accept(name)
            if let wait {
                inbox.yield(
                    .accepted(
                        name, wait: wait,
                        reply: { result in
                            guard case .accepted(var message) = result.content else {
                                return reply(result)
                            }
                            message.isSetAside = isSetAside
                            reply(ControlReply(result.status, .accepted(message)))
                        }))
            } else {
                inbox.yield(.lifecycle(name, .stateReplaced))
                reply(ControlReply(200, .accepted(AcceptReply(credential: name))))
            }
        }
    }

    /// Refreshes at once, while the operator waits for the provider's reaction to the accepted
    /// state.
    mutating func refreshAccepted(
        _ name: String, wait duration: Duration,
        _ reply: @escaping @Sendable (ControlReply) -> Void, _ group: inout DiscardingTaskGroup
    ) {
        guard let before = credentials[name]?.renewalsEnded else {
            return reply(.problem(404, "\(name) was removed from the configuration"))
        }
        perform(credentials.handle(.stateReplaced, for: name, now: now), &group)
        perform(credentials.handle(.refreshRequested, for: name, now: now), &group)
        wait(name, .accepted(afterAttempts: before), for: duration, reply, &group)
    }

    func tellStored(
        _ name: String, _ reply: @escaping @Sendable (ControlReply) -> Void,
        _ group: inout DiscardingTaskGroup
    ) {
        let lifecycle = credentials[name]
        let (profile, memory) = (lifecycle?.configuration.profile, lifecycle?.wholeGrant)
        group.addTask { [runner] in
            do throws(StorageFailure) {
                let survey = try await runner.survey(name, profile: profile, memory: memory)
                let report = survey.report(
                    name, isConfigured: lifecycle != nil, state: lifecycle?.state)
                reply(ControlReply(200, .stored(report)))
            } catch { reply(.storage(error, of: name)) }
        }
    }

    mutating func forget(
        _ name: String, allTraces: Bool, _ reply: @escaping @Sendable (ControlReply) -> Void,
        _ group: inout DiscardingTaskGroup
    ) {
        let lifecycle = credentials[name]
        let (profile, memory) = (lifecycle?.configuration.profile, lifecycle?.wholeGrant)
        let inbox = engine.inbox
        replaceState(of: name, reply, &group) { [runner] () throws(StorageFailure) in
            let survey = try await runner.forget(
                name, profile: profile, memory: memory, allTraces: allTraces)
            inbox.yield(.lifecycle(name, .stateReplaced))
            let report = survey.report(name, isConfigured: lifecycle != nil, state: nil)
            reply(ControlReply(200, .stored(report)))
        }
    }

    /// Waits until a running attempt has reached the disk.
    private func replaceState(
        of name: String, _ reply: @escaping @Sendable (ControlReply) -> Void,
        _ group: inout DiscardingTaskGroup,
        _ replace: @escaping @Sendable () async throws(StorageFailure) -> Void
    ) {
        group.addTask { [runner] in
            await runner.gates.enter(name)
            do throws(StorageFailure) { try await replace() } catch {
                reply(.storage(error, of: name))
            }
            await runner.gates.leave(name)
        }
    }
}

extension ControlReply {
    static func storage(_ failure: StorageFailure, of name: String) -> ControlReply {
        .problem(
            507, "\(name): \(failure.problem)",
            remedy: "Repair the state directory, then try again")
    }

    /// The result of the first refresh with an accepted state; `nil` while unknown.
    ///
    /// - Parameter isLate: The time to wait is over.
    static func accepted(
        _ lifecycle: CredentialLifecycle, after attempts: Int, isLate: Bool
    ) -> ControlReply? {
        let hasEnded = lifecycle.renewalsEnded > attempts && !lifecycle.isBusy
        guard hasEnded || isLate else { return nil }
        var message = AcceptReply(credential: lifecycle.name)
        message.state = ControlWord(lifecycle.state)
        if hasEnded, let last = lifecycle.lastRenewal {
            message.result = ControlWord(last.result)
            message.sentConfigured = last.isOfCandidate ? true : nil
            (message.error, message.problem) = (last.refusal?.errorCode, last.refusal?.problem)
        } else {
            message.result = ControlWord(.waiting)
        }
        return ControlReply(200, .accepted(message))
    }
}

extension CredentialLifecycle.Renewal {
    fileprivate var result: AcceptReply.Result {
        switch end {
        case .granted: .taken
        case .refused(let refusal), .signInFailed(let refusal):
            refusal.failureClass.tokenVerdict == .refused
                || (refusal.failureClass == .config && refusal.httpStatus != nil)
                ? .refused : .failed
        case .needsLogin, .unreadable: .nothingToSend
        case .foreign: .quarantined
        case .signInPending: .failed
        }
    }

    fileprivate var refusal: Refusal? {
        switch end {
        case .refused(let refusal), .signInFailed(let refusal): refusal
        case .foreign(let cause): Refusal(.storage, cause)
        case .granted, .signInPending, .needsLogin, .unreadable: nil
        }
    }
}
