internal import Glibc
internal import TokenConfiguration
internal import TokenControl
internal import TokenFormats
internal import TokenProviders
internal import TokenScheduling
internal import TokenSlots

/// evertoken-simulation YEARS [SEED [NAME]]: prints the events; fails if a promise is broken.
/// evertoken-simulation isolation SEED: the same for four hours beside hostile neighbours.
/// evertoken-simulation scenarios SEED [NAME…]: a few credentials under faults of one kind, each
/// with promises of its own.
/// evertoken-simulation decisions DAYS SEED…: a line for each seed, of what the daemon decided;
/// with EVERTOKEN_DECISIONS in the environment each decision is printed too.
///
/// A fleet is a hundred credentials. Its years are simulated in stretches of 73 days, each from its
/// own seed; the same seed replays the same stretch with the same digest. NAME is a credential
/// whose events are printed.
@main
struct Main {
    static let days: Int64 = 73

    static func main() throws {
        if CommandLine.arguments.dropFirst().first == "isolation" {
            return try isolate(UInt64(CommandLine.arguments.last ?? "") ?? 1)
        }
        if CommandLine.arguments.dropFirst().first == "scenarios" { return try playScenarios() }
        if CommandLine.arguments.dropFirst().first == "decisions" { return try printDecisions() }
        let arguments = CommandLine.arguments.dropFirst().compactMap { Double($0) }
        let traced = CommandLine.arguments.count > 3 ? CommandLine.arguments[3] : ""
        let years = arguments.first ?? 1
        let first = arguments.count > 1 ? UInt64(arguments[1]) : 1
        let stretches = max(1, Int((years * 365 / Double(days)).rounded()))
        // A part of a stretch is allowed.
        let length = min(Double(days), max(1, years * 365))
        var total = Report()
        var events = 0
        for number in 0..<stretches {
            let seed = first &+ UInt64(number)
            let start = clock()
            let simulation = try Simulation(seed: seed)
            simulation.report.traced = traced
            simulation.run(for: .seconds(Int64(length * 86_400)))
            events += simulation.events
            total.add(simulation.report)
            for problem in simulation.report.problems { print("BROKEN", problem) }
            print(
                "seed \(seed): \(simulation.events) events, "
                    + "\(simulation.report.problems.count) broken promises, "
                    + "\((clock() - start) / Int(CLOCKS_PER_SEC)) s of CPU")
            // Results are kept whatever ends the run.
            fflush(nil)
        }
        let hours = Double(stretches) * length * 24
        for (name, count) in total.faults.sorted(by: { $0.key < $1.key }) {
            print("  \(name): \(count)")
        }
        print(
            "simulated \(Double(stretches) * length / 365) fleet-years of 100 credentials, "
                + "seeds \(first) to \(first &+ UInt64(stretches - 1)): \(events) events, "
                + "\(total.requests) requests, \(total.refreshes) refreshes, "
                + "\(total.rotations) rotations, \(total.faultCount) faults "
                + "(\(Double(Int(Double(total.faultCount) / hours * 100)) / 100) an hour), "
                + "\(total.signIns) sign-ins, \(total.missed) tokens ended in use, all explained; "
                + "\(total.problems.count) broken promises; digest \(total.digest)")
        if !total.problems.isEmpty || Double(total.faultCount) < hours { fail() }
    }

    private static func isolate(_ seed: UInt64) throws {
        var stretch = try IsolationStretch(seed: seed)
        let problems = stretch.run()
        for problem in problems { print("BROKEN", problem) }
        print(
            "beside hostile neighbours, seed \(seed): \(stretch.samples) samples, the latest "
                + "renewal began \(stretch.worst) s late; \(problems.count) broken promises")
        if !problems.isEmpty { fail() }
    }

    private static func playScenarios() throws {
        guard let seed = CommandLine.arguments.dropFirst(2).first.flatMap({ UInt64($0) }) else {
            fail()
        }
        let names = CommandLine.arguments.dropFirst(3)
        let chosen = Scenario.all.filter { names.isEmpty || names.contains($0.name) }
        var problems = 0
        for scenario in chosen {
            let stage = try Stage(scenario, seed: seed)
            let found = try stage.play()
            for problem in found { print("BROKEN", problem) }
            print(
                "\(scenario.name), seed \(seed): \(stage.figures), \(found.count) broken promises")
            fflush(nil)
            problems += found.count
        }
        if chosen.isEmpty || problems > 0 { fail() }
    }

    /// No judgement: the lines are compared with recorded ones.
    private static func printDecisions() throws {
        let numbers = CommandLine.arguments.dropFirst(2).compactMap { UInt64($0) }
        guard numbers.count > 1 else { fail() }
        for seed in numbers.dropFirst() {
            let simulation = try Simulation(seed: seed)
            simulation.decisions.isTold = getenv("EVERTOKEN_DECISIONS") != nil
            simulation.run(for: .seconds(Int64(numbers[0]) * 86_400))
            let decisions = simulation.decisions
            print("\(numbers[0]) days, seed \(seed): \(decisions.count) \(decisions.text)")
            fflush(nil)
        }
    }

    private static func fail() -> Never { exit(1) }
}
