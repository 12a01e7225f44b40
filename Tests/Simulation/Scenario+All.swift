internal import TokenConfiguration
internal import TokenControl
internal import TokenFormats
internal import TokenProviders
internal import TokenScheduling
internal import TokenSlots

private let hour = Duration.seconds(3600)

extension Scenario {
    /// Without faults nothing ever expires, and nothing is requested twice.
    static var calm: Scenario {
        Scenario(
            name: "calm",
            shares: [Share(.strict, hour, 1), Share(.grace, hour, 1), Share(.machine, hour, 1)],
            duration: .seconds(14 * 86_400), faults: [], looksEvery: .seconds(300),
            look: { simulation, _, state, _ in
                ["fresh", "refreshing"].contains(state) ? nil : "is \(state) without any fault"
            },
            judge: { simulation in
                unneeded(simulation) + tooSeldom(simulation)
                    + (simulation.report.missed > 0 ? ["a token ended in use"] : [])
            })
    }

    /// I22: neither a wall clock that is stepped by years nor a suspend causes an additional
    /// request or a failure. That no token's end is missed is judged in every simulation.
    static var clocks: Scenario {
        Scenario(
            name: "clocks", shares: [Share(.strict, hour, 2), Share(.machine, hour, 1)],
            duration: .seconds(7 * 86_400),
            faults: [
                Simulation.fault("wall clock stepped", perHour: 2),
                Simulation.fault("suspend", perHour: 0.1),
            ], fewestFaults: 100, looksEvery: .seconds(300),
            look: { _, _, _, entry in
                entry["consecutive_failures"]?.integer == 0
                    ? nil : "failed although only a clock moved"
            },
            judge: unneeded)
    }

    /// Processes and machines die at any operation: a sign-in is needed only where an answer was
    /// lost in flight, which is judged in every simulation.
    static var crashes: Scenario {
        Scenario(
            name: "crashes",
            shares: [Share(.strict, .seconds(60), 4), Share(.steps, .seconds(60), 1)],
            duration: hour * 8,
            faults: [
                Simulation.fault("kill at an operation", perHour: 12),
                Simulation.fault("kill", perHour: 6),
                Simulation.fault("power cut at an operation", perHour: 2),
            ], fewestFaults: 60,
            judge: { simulation in
                let refreshes = simulation.report.refreshes
                return refreshes < 1000 ? ["only \(refreshes) refreshes"] : []
            })
    }

    /// Outages, errors, clock steps and suspends: while no answer is lost, no sign-in is needed.
    static var storm: Scenario {
        Scenario(
            name: "storm",
            shares: [Share(.strict, .seconds(600), 3), Share(.fixed, .seconds(600), 1)],
            duration: hour * 24,
            faults: [
                Simulation.fault("endpoint unreachable", perHour: 0.5),
                Simulation.fault("wall clock stepped", perHour: 0.5),
                Simulation.fault("suspend", perHour: 0.1),
                Simulation.fault(.serverError, perHour: 3),
                Simulation.fault(.rateLimited, perHour: 1), Simulation.fault(.page, perHour: 1),
                Simulation.fault(.requestLost, perHour: 1), Simulation.fault(.slow, perHour: 1),
            ], fewestFaults: 40,
            look: { _, _, state, _ in
                ["login_required", "misconfigured", "quarantined"].contains(state)
                    ? "is \(state) although no answer was lost" : nil
            },
            judge: { simulation in
                // Looks, one a minute, while the process runs. The endpoint may be unreachable for
                // a part of that time.
                let minutes = simulation.report.audits
                let least = minutes / (7 * 3)
                return simulation.accounts.values.filter { $0.accessCounter < least }
                    .map { "\($0.name): \($0.accessCounter) tokens in \(minutes) minutes" }
            })
    }

    /// A lost answer is recovered where the provider repeats it; elsewhere a sign-in is asked for
    /// at once, with the loss as the cause.
    static var lostResponses: Scenario {
        let losses = Losses()
        return Scenario(
            name: "lost-answers",
            shares: [
                Share(.strict, .seconds(600), 3), Share(.grace, .seconds(600), 1),
                Share(.fixed, .seconds(600), 1), Share(.steps, .seconds(600), 1),
            ],
            duration: hour * 24,
            faults: [
                Simulation.fault(.answerLost, perHour: 3),
                Simulation.fault(.truncated, perHour: 1.5),
                Simulation.fault(.requestLost, perHour: 1),
            ], fewestFaults: 60,
            look: { simulation, account, state, entry in
                losses.wrong(simulation, account, state, entry)
            },
            judge: { simulation in losses.unseen(simulation) })
    }

    /// The same seed replays the same run.
    static var replay: Scenario {
        Scenario(
            name: "replay",
            shares: [Share(.strict, .seconds(300), 3), Share(.machine, .seconds(300), 1)],
            duration: hour * 4,
            faults: [
                Simulation.fault("kill at an operation", perHour: 3),
                Simulation.fault("power cut at an operation", perHour: 2),
                Simulation.fault("endpoint unreachable", perHour: 1),
                Simulation.fault(.serverError, perHour: 5),
            ], fewestFaults: 15, isReplayed: true)
    }

    // MARK: The rate of requests

    /// A token is due after 0.62 to 0.67 of its life, if that is some minutes: see RefreshSchedule.
    private static func unneeded(_ simulation: Simulation) -> [String] {
        simulation.accounts.values.sorted { $0.name < $1.name }.compactMap { account in
            let most = Int(simulation.now / (account.lifetime * 0.62)) + 1
            // The run may end during a request.
            let extra = (account.requests - account.inFlight.count...account.requests)
            guard account.requests <= most, extra.contains(account.accessCounter) else {
                return "\(account.name): \(account.requests) requests of at most \(most) "
                    + "for \(account.accessCounter) tokens"
            }
            return nil
        }
    }

    private static func tooSeldom(_ simulation: Simulation) -> [String] {
        simulation.accounts.values.sorted { $0.name < $1.name }.compactMap { account in
            let least = Int(simulation.now / (account.lifetime * 0.67 + .seconds(1)))
            return account.requests < least
                ? "\(account.name): \(account.requests) requests of at least \(least)" : nil
        }
    }
}

/// Follows each lost answer to its end.
private final class Losses {
    private var since: [String: Duration] = [:]

    func wrong(
        _ simulation: Simulation, _ account: Account, _ state: String, _ entry: JSONNode
    ) -> String? {
        let now = simulation.now
        if let refusedAt = account.refusedAt, now > refusedAt + .seconds(5),
            state != "login_required"
        {
            return "is \(state), \(now - refusedAt) after its spent token was refused"
        }
        guard account.excuse == "lost", state != "login_required" else {
            since[account.name] = nil
            // Its text says that a request was interrupted.
            let cause = entry["last_error"]?["cause"]?.text ?? ""
            let isTrue = cause == CauseKind.refreshTokenProbablySpent.rawValue
            return state == "login_required" && !isTrue ? "needs a login because of \(cause)" : nil
        }
        let first = since[account.name] ?? now
        since[account.name] = first
        return now - first > .seconds(300)
            ? "is \(state), \(now - first) after an answer was lost" : nil
    }

    /// Kinds of ends that the run did not show.
    func unseen(_ simulation: Simulation) -> [String] {
        func sum(_ kind: ProviderKind, _ count: (Account) -> Int) -> Int {
            simulation.accounts.values.filter { $0.kind == kind }.reduce(0) { $0 + count($1) }
        }
        var missing: [String] = []
        if sum(.strict, \.signIns) == 0 { missing.append("no lost answer needed a sign-in") }
        if sum(.grace, \.answersLost) <= sum(.grace, \.signIns) {
            missing.append("no lost answer was recovered")
        }
        return missing
    }
}
