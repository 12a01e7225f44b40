internal import TokenCore

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
                            var result = result
                            if isSetAside { result.add("set_aside", true) }
                            reply(result)
                        }))
            } else {
                inbox.yield(.lifecycle(name, .stateReplaced))
                reply(ControlReply(200, .object([("credential", .string(name))])))
            }
        }
    }

    /// Refreshes at once, while the operator waits for the provider's reaction to the accepted
    /// state.
    mutating func refreshAccepted(
        _ name: String, wait duration: Duration,
        _ reply: @escaping @Sendable (ControlReply) -> Void, _ group: inout DiscardingTaskGroup
    ) {
        guard let before = fleet[name]?.renewalsEnded else {
            return reply(.problem(404, "\(name) was removed from the configuration"))
        }
        perform(fleet.handle(.stateReplaced, for: name, now: now), &group)
        perform(fleet.handle(.refreshRequested, for: name, now: now), &group)
        wait(name, .accepted(afterAttempts: before), for: duration, reply, &group)
    }

    func tellStored(
        _ name: String, _ reply: @escaping @Sendable (ControlReply) -> Void,
        _ group: inout DiscardingTaskGroup
    ) {
        let lifecycle = fleet[name]
        let (profile, memory) = (lifecycle?.configuration.profile, lifecycle?.grant)
        group.addTask { [runner] in
            do throws(StorageFailure) {
                let survey = try await runner.survey(name, profile: profile, memory: memory)
                reply(
                    ControlReply(
                        200,
                        survey.json(name, isConfigured: lifecycle != nil, state: lifecycle?.state)))
            } catch { reply(.storage(error, of: name)) }
        }
    }

    mutating func forget(
        _ name: String, allTraces: Bool, _ reply: @escaping @Sendable (ControlReply) -> Void,
        _ group: inout DiscardingTaskGroup
    ) {
        let lifecycle = fleet[name]
        let (profile, memory) = (lifecycle?.configuration.profile, lifecycle?.grant)
        let inbox = engine.inbox
        replaceState(of: name, reply, &group) { [runner] () throws(StorageFailure) in
            let survey = try await runner.forget(
                name, profile: profile, memory: memory, allTraces: allTraces)
            inbox.yield(.lifecycle(name, .stateReplaced))
            reply(ControlReply(200, survey.json(name, isConfigured: lifecycle != nil, state: nil)))
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
        let name = lifecycle.name
        var members: [(String, JSONNode?)] = [("credential", .string(name))]
        if hasEnded, let last = lifecycle.lastRenewal {
            members.append(("result", .string(last.word)))
            members.append(("sent_configured", last.isOfCandidate ? true : nil))
            if let refusal = last.refusal {
                members.append(("error", refusal.errorCode.map { .string($0) }))
                members.append(("problem", .string(refusal.problem)))
            }
        } else {
            members.append(("result", "waiting"))
        }
        members.append(("state", .string(lifecycle.state.rawValue)))
        return ControlReply(200, .object(members))
    }
}

extension CredentialLifecycle.Renewal {
    /// Its name in the interface.
    fileprivate var word: String {
        switch end {
        case .granted: "taken"
        case .refused(let refusal), .signInFailed(let refusal):
            switch refusal.failureClass {
            case .reauth, .reacquire: "refused"
            case .config where refusal.httpStatus != nil: "refused"
            case .config, .tooEarly, .rateLimited, .transient, .ambiguous, .storage, .output:
                "failed"
            }
        case .needsLogin, .unreadable: "nothing_to_send"
        case .foreign: "quarantined"
        case .signInPending: "failed"
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
