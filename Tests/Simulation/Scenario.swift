internal import TokenConfiguration
internal import TokenControl
internal import TokenFormats
internal import TokenProviders
internal import TokenScheduling
internal import TokenSlots

/// A few credentials under faults of one kind only: then more can be promised than for a fleet that
/// meets every fault.
struct Scenario {
    let name: String
    let shares: [Share]
    let duration: Duration
    let faults: [Simulation.Fault]
    /// With fewer faults the run shows nothing.
    var fewestFaults = 0
    /// How often the operator reads `status`.
    var looksEvery: Duration = .seconds(60)
    /// What is wrong with an entry of it.
    var look: (Simulation, Account, String, JSONNode) -> String? = { _, _, _, _ in nil }
    /// What is wrong at the end.
    var judge: (Simulation) -> [String] = { _ in [] }
    /// Whether a second run of the same seed must decide the same.
    var isReplayed = false

    static var all: [Scenario] { [calm, clocks, crashes, storm, lostResponses, replay] }
}

/// One run of a scenario.
struct Stage {
    private let scenario: Scenario
    private let simulation: Simulation

    init(_ scenario: Scenario, seed: UInt64) throws {
        self.scenario = scenario
        let simulation = try Simulation(seed: seed, of: scenario.shares)
        simulation.catalogue = scenario.faults
        simulation.visitsEvery = scenario.looksEvery
        simulation.look = { [unowned simulation] entry, account in
            let state = entry["state"]?.text ?? ""
            if let wrong = scenario.look(simulation, account, state, entry) {
                simulation.problem("\(account.name): \(wrong)")
            }
        }
        self.simulation = simulation
    }

    /// - Returns: Broken promises.
    func play() throws -> [String] {
        simulation.run(for: scenario.duration)
        let seed = simulation.seed
        var problems = simulation.report.problems
        problems += scenario.judge(simulation).map { "seed \(seed): \($0)" }
        let (faults, least) = (simulation.report.faultCount, scenario.fewestFaults)
        if faults < least {
            problems.append("seed \(seed): \(faults) faults, of at least \(least)")
        }
        if simulation.report.audits == 0 { problems.append("seed \(seed): no status was read") }
        if scenario.isReplayed {
            let again = try Stage(scenario, seed: seed)
            again.simulation.run(for: scenario.duration)
            if again.trace != trace { problems.append("seed \(seed) does not replay") }
        }
        return problems
    }

    private var trace: [String] {
        let (decisions, report) = (simulation.decisions, simulation.report)
        return [
            "\(decisions.count) \(decisions.text)", "\(simulation.events) \(report.digest)",
            "\(report.requests) \(report.rotations) \(report.faultCount)",
        ]
    }

    var figures: String {
        let report = simulation.report
        return "\(simulation.events) events, \(report.requests) requests, "
            + "\(report.faultCount) faults, \(report.signIns) sign-ins"
    }
}
