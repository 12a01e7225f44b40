internal import TokenConfiguration
internal import TokenScheduling
internal import TokenSlots

/// The read of a credential's stored state that a lifecycle has ordered.
struct Recovery: Sendable {
    var credential: CredentialConfiguration
    var ticket: Ticket
    var isAccepted: Bool
}

extension EngineLoop {
    mutating func recover(_ recovery: Recovery, _ group: inout DiscardingTaskGroup) {
        guard startingRecoveries == nil else {
            startingRecoveries?.append(recovery)
            return
        }
        group.addTask { [runner, recoveries, inbox = engine.inbox] in
            // Waits until an attempt of an earlier credential of this name has reached the
            // disk. While it waits it needs little memory: all that is larger is in the call.
            await runner.gates.enter(recovery.credential.name)
            await recoveries.enter()
            await runner.recover(recovery, leaving: recoveries, inbox)
        }
    }

    /// Recovers all credentials at the start, when no attempt holds a gate. One task makes the
    /// others, each when its turn has come: a hundred thousand that wait would take 3.7 kB each,
    /// and leave what is kept of them scattered over that memory.
    func recoverAll(_ all: [Recovery], _ group: inout DiscardingTaskGroup) {
        group.addTask { [runner, recoveries, inbox = engine.inbox] in
            await withDiscardingTaskGroup { group in
                for recovery in all {
                    await recoveries.enter()
                    group.addTask {
                        await runner.gates.enter(recovery.credential.name)
                        await runner.recover(recovery, leaving: recoveries, inbox)
                    }
                }
            }
        }
    }
}

extension AttemptRunner {
    fileprivate func recover(
        _ recovery: Recovery, leaving turns: Turns, _ inbox: AsyncStream<Engine.Input>.Continuation
    ) async {
        let name = recovery.credential.name
        await recover(recovery.credential, isAccepted: recovery.isAccepted, leaving: turns) {
            inbox.yield(.lifecycle(name, .recovered(recovery.ticket, $0)))
        }
    }
}
