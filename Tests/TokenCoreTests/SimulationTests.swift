import Testing

@testable import TokenCore

/// Weeks of virtual time from one seed. A failure prints the seed, which replays the same run.
/// `Tests/simulate` has long runs of the whole engine. EVERTOKEN_SEED is not read here: put the
/// seed in `arguments` to examine it.
@Suite("Simulation, with disk, network, server and clocks simulated") struct SimulationTests {
    @Test(
        "two weeks without faults: nothing ever expires, and nothing is asked twice",
        .timeLimit(.minutes(20)), arguments: 1...1 as ClosedRange<UInt64>)
    func calm(seed: UInt64) throws {
        var world = try SimulatedWorld(
            seed: seed, credentials: 2, lifetime: 3600, faults: SimulatedWorld.Faults())
        world.run(for: .days(14))
        #expect(world.problems == [], "seed \(seed)")
        #expect(world.requests == world.rotations)
        // 14 days ÷ at most 2412 s and at least 2232 s each, for two credentials
        #expect((2 * 501...2 * 543).contains(world.rotations), "\(world.rotations)")
        for life in world.fleet.all { #expect(life.state == .fresh, "seed \(seed)") }
    }

    @Test(
        "I22: clock steps of up to ten years and suspends cause no extra request and no missed end",
        .timeLimit(.minutes(20)), arguments: 10...10 as ClosedRange<UInt64>)
    func clocks(seed: UInt64) throws {
        var faults = SimulatedWorld.Faults()
        faults.clockSteps = 2
        faults.suspends = 0.1
        var world = try SimulatedWorld(seed: seed, credentials: 3, lifetime: 3600, faults: faults)
        world.run(for: .days(7))
        #expect(world.problems == [], "seed \(seed)")
        #expect(world.faultsInjected > 100)
        #expect(world.requests == world.rotations, "seed \(seed)")
        // At most the rate without faults: 7 days ÷ 2232 s, for three credentials.
        #expect(world.rotations <= 3 * 272, "seed \(seed)")
        for life in world.fleet.all { #expect(life.grant.attempts.failures == 0) }
    }

    @Test(
        "crashes and reboots: a login is needed only where an answer was lost in flight",
        .timeLimit(.minutes(20)), arguments: 20...21 as ClosedRange<UInt64>)
    func crashes(seed: UInt64) throws {
        var faults = SimulatedWorld.Faults()
        faults.crashes = 20
        var world = try SimulatedWorld(seed: seed, credentials: 5, lifetime: 60, faults: faults)
        world.run(for: .seconds(8 * 3600))
        #expect(world.problems == [], "seed \(seed)")
        #expect(world.faultsInjected > 60, "seed \(seed)")
    }

    @Test(
        "a day of outages, errors, steps and suspends, no answer lost: no sign-in is needed",
        .timeLimit(.minutes(20)), arguments: 40...41 as ClosedRange<UInt64>)
    func storm(seed: UInt64) throws {
        var faults = SimulatedWorld.Faults()
        faults.outages = 0.5
        faults.clockSteps = 0.5
        faults.suspends = 0.1
        faults.serverErrors = 0.2
        var world = try SimulatedWorld(seed: seed, credentials: 3, lifetime: 600, faults: faults)
        world.run(for: .days(1))
        #expect(world.problems == [], "seed \(seed)")
        #expect(world.faultsInjected > 12, "seed \(seed)")
        #expect(world.rotations > 125, "seed \(seed)")
        for life in world.fleet.all { #expect(life.state != .loginRequired, "seed \(seed)") }
    }

    @Test(
        "lost answers: each is either recovered or ends, at once and truthfully, in login_required",
        .timeLimit(.minutes(20)), arguments: 60...61 as ClosedRange<UInt64>)
    func lostAnswers(seed: UInt64) throws {
        var faults = SimulatedWorld.Faults()
        faults.lostAnswers = 0.02
        var world = try SimulatedWorld(seed: seed, credentials: 5, lifetime: 600, faults: faults)
        world.run(for: .days(1))
        #expect(world.problems == [], "seed \(seed)")
        for life in world.fleet.all where world.accounts[life.name]?.lostInFlight == true {
            #expect(life.state == .loginRequired, "seed \(seed)")
            #expect(life.standingError?.problem.contains("interrupted") == true, "seed \(seed)")
        }
    }

    @Test("the same seed replays the same world")
    func replay() throws {
        func trace() throws -> [Int] {
            var faults = SimulatedWorld.Faults()
            faults.crashes = 5
            faults.outages = 1
            faults.serverErrors = 0.1
            var world = try SimulatedWorld(seed: 99, credentials: 4, lifetime: 300, faults: faults)
            world.run(for: .seconds(4 * 3600))
            return [world.requests, world.rotations, world.faultsInjected]
        }
        #expect(try trace() == trace())
    }
}
