import Testing

@testable import TokenConfiguration
@testable import TokenFormats
@testable import TokenProviders
@testable import TokenScheduling
@testable import TokenSlots

@Suite("When to refresh") struct RefreshScheduleTests {
    private func delay(
        _ lifetime: Duration?, roundTrip: Duration = .zero, jitter: Double = 0,
        rules: LifecycleRules = LifecycleRules(), change: (inout RefreshPolicy) -> Void = { _ in }
    ) -> Duration? {
        var policy = RefreshPolicy()
        policy.jitter = jitter
        change(&policy)
        var random = RandomSource(seed: 1)
        return RefreshSchedule(policy: policy, rules: rules)
            .delay(lifetime: lifetime, roundTrip: roundTrip, using: &random)
    }

    @Test("at two thirds of an hour")
    func hour() { #expect(delay(.seconds(3600)) == .seconds(2412)) }  // 3600 × 0.67

    @Test("never later than the margin before the end, while the life allows it")
    func margin() {
        #expect(delay(.seconds(120)) == .seconds(60))  // 120 − 60 < 80.4
        #expect(delay(.seconds(60)) == .seconds(30))  // 60 − 60/2
    }

    @Test("never later than a second and the request's own time before the end")
    func shortLife() {
        #expect(delay(.seconds(5), change: { $0.margin = .zero }) == .milliseconds(3350))
        #expect(delay(.seconds(2)) == .seconds(1))
        #expect(delay(.seconds(5), roundTrip: .seconds(3)) == .milliseconds(1250))  // floor: 5/4
    }

    @Test("jitter only ever makes it earlier, by at most its fraction")
    func jitter() {
        var random = RandomSource(seed: 7)
        let schedule = RefreshSchedule(policy: RefreshPolicy(), rules: LifecycleRules())
        var seen: Set<Int64> = []
        for _ in 0..<200 {
            let delay = schedule.delay(lifetime: .seconds(3600), roundTrip: .zero, using: &random)
            let seconds = delay?.secondsAsDouble ?? 0
            #expect((2412 - 180...2412).contains(seconds))
            seen.insert(Int64(seconds))
        }
        #expect(seen.count > 50)
    }

    @Test("a profile's window, floors and ceilings narrow it")
    func rules() {
        var rules = LifecycleRules()
        rules.refreshWindow = .seconds(30)
        #expect(delay(.seconds(600), rules: rules) == .seconds(570))
        rules = LifecycleRules()
        rules.minInterval = .seconds(6600)
        #expect(delay(.seconds(7200), rules: rules) == .seconds(6600))
        rules = LifecycleRules()
        rules.maxInterval = .seconds(60)
        #expect(delay(.seconds(7200), rules: rules) == .seconds(60))
        #expect(delay(nil, rules: rules) == .seconds(60))
        // The minimum interval never exceeds the token's expiry, because no provider refuses a
        // request then.
        rules = LifecycleRules()
        rules.minAge = .days(1)
        #expect(delay(.seconds(61), rules: rules) == .seconds(61))
    }

    @Test("a rate limit paces what follows a restart; otherwise the credential set counts requests")
    func restart() {
        var rules = LifecycleRules()
        rules.rateLimit = RateLimit(count: 10, period: .seconds(600))
        let schedule = RefreshSchedule(policy: RefreshPolicy(), rules: rules)
        #expect(schedule.restartInterval(lifetime: .seconds(3600)) == .seconds(60))
        #expect(schedule.minimumInterval(lifetime: .seconds(3600)) == .seconds(10))
    }

    @Test("a token without an end is never due") func never() { #expect(delay(nil) == nil) }

    @Test(
        "it is never after the end of a life that is longer than the floor, and never below it",
        arguments: [1, 7, 500, 999, 3600, 86_400])
    func bounds(seconds: Int64) throws {
        let lifetime = Duration.seconds(seconds)
        for roundTrip in [Duration.zero, .seconds(29), .seconds(4000)] {
            let found = delay(lifetime, roundTrip: roundTrip, jitter: 1)
            #expect(try #require(found) >= .milliseconds(500) && (found ?? .zero) <= lifetime)
        }
    }
}

@Suite("How long to wait after a failure") struct RetryPolicyTests {
    private func delays(
        _ failureClass: FailureClass, remaining: RetryPolicy.Remaining? = nil,
        rules: LifecycleRules = LifecycleRules(), isRotating: Bool = true,
        change: (inout AttemptHistory) -> Void = { _ in }
    ) -> [Duration] {
        var history = AttemptHistory()
        history.failures = 1
        change(&history)
        var random = RandomSource(seed: 3)
        return (0..<300).map { _ in
            RetryPolicy(policy: RefreshPolicy(), rules: rules).delay(
                after: failureClass, history: history, remaining: remaining,
                isRotating: isRotating, using: &random)
        }
    }

    private func hour(left: Duration) -> RetryPolicy.Remaining {
        RetryPolicy.Remaining(life: left, lifetime: .seconds(3600))
    }

    @Test(
        "the ceiling doubles up to five minutes, with full jitter below it",
        arguments: [(1, 1), (2, 2), (4, 8), (9, 256), (10, 300), (5000, 300)])
    func backoff(failures: Int, ceiling: Double) throws {
        let all = delays(.transient) { $0.failures = failures }.map(\.secondsAsDouble)
        #expect(try #require(all.max()) <= ceiling)
        #expect(try #require(all.max()) > ceiling * 0.8)
        #expect(try #require(all.min()) < max(0.06, ceiling * 0.2))
    }

    @Test("I25: while the published token is valid no wait is longer than 45 s")
    func whileValid() throws {
        let all = delays(.transient, remaining: hour(left: .seconds(900))) { $0.failures = 20 }
        #expect(try #require(all.max()) <= .seconds(45))
    }

    @Test("Retry-After is the least one waits")
    func retryAfter() {
        let asked = { (history: inout AttemptHistory) in
            history.lastError = StoredError(
                failureClass: .rateLimited, problem: "", at: Examples.noon.wall,
                retryAfter: .seconds(120))
        }
        #expect(delays(.rateLimited, change: asked).allSatisfy { $0 == .seconds(120) })
        #expect(delays(.transient, change: asked).allSatisfy { $0 >= .seconds(120) })
    }

    @Test("a request that is refused for the fifth time over minutes is tried every half hour")
    func slowly() {
        let slow = { (history: inout AttemptHistory) in history.isMisconfigured = true }
        #expect(delays(.config, change: slow).allSatisfy { $0 == .seconds(1800) })
    }

    @Test("before that it is tried like any other failure, within 45 s")
    func config() {
        #expect(delays(.config).allSatisfy { .seconds(1) <= $0 && $0 <= .seconds(45) })
    }

    @Test("too early waits for the profile's window")
    func tooEarly() {
        var rules = LifecycleRules()
        rules.refreshWindow = .seconds(30)
        let all = delays(.tooEarly, remaining: hour(left: .seconds(600)), rules: rules)
        #expect(all.allSatisfy { $0 == .seconds(570) })
    }

    @Test("after a lost answer: with a known grace at 1, 2, 4, 8 s, the first within half of it")
    func grace() {
        var rules = LifecycleRules()
        rules.reuseGrace = .seconds(60)
        for (attempt, seconds) in [(1, 1), (2, 2), (3, 4), (4, 8)] {
            let all = delays(.ambiguous, rules: rules) { $0.ambiguousAttempts = attempt }
            #expect(all.allSatisfy { $0 == .seconds(seconds) })
        }
        rules.reuseGrace = .milliseconds(600)
        #expect(delays(.ambiguous, rules: rules).allSatisfy { $0 == .milliseconds(300) })
    }

    @Test("without one: a prompt retry, then none while more than a little life remains")
    func noGrace() {
        let first = delays(.ambiguous, remaining: hour(left: .seconds(1200))) {
            $0.ambiguousAttempts = 1
        }
        #expect(first.allSatisfy { $0 == .seconds(1) })
        // max(10 % of an hour, min(5 min, half of it)) = 6 min; 20 min − 6 min = 14 min
        let second = delays(.ambiguous, remaining: hour(left: .seconds(1200))) {
            $0.ambiguousAttempts = 2
        }
        #expect(second.allSatisfy { $0 == .seconds(840) })
        let late = delays(.ambiguous, remaining: hour(left: .seconds(100))) {
            $0.ambiguousAttempts = 2
        }
        #expect(late.allSatisfy { $0 <= .seconds(1) })
    }

    @Test("where tokens do not rotate a lost answer is an ordinary failure")
    func notRotating() throws {
        let all = delays(
            .ambiguous, remaining: hour(left: .seconds(1200)), isRotating: false
        ) { $0.ambiguousAttempts = 5 }
        #expect(try #require(all.max()) <= .seconds(1))
    }
}

@Suite("Deadlines") struct DeadlineHeapTests {
    @Test(
        "agrees with a sorted list, whatever is set, moved or taken out",
        arguments: 1...20 as ClosedRange<UInt64>)
    func model(seed: UInt64) {
        var random = RandomSource(seed: seed)
        var heap = DeadlineHeap()
        var model: [Int: Uptime] = [:]
        for _ in 0..<2000 {
            let id = Int.random(in: 0..<50, using: &random)
            let deadline: Uptime? =
                Bool.random(using: &random)
                ? Uptime(.seconds(Int.random(in: 0..<1000, using: &random))) : nil
            heap.set(id, to: deadline)
            model[id] = deadline
            #expect(heap.earliest?.at == model.values.min(), "seed \(seed)")
        }
    }
}
