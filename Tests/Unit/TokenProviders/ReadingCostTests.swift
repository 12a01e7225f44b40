import Glibc
import Testing

/// Fourteen readings of a response may take two seconds in a debug build; with sorted marks a
/// single one took minutes. Optimised and counted: Tests/Measurements/reading-cost.
@Suite("What a response costs", .serialized) struct ReadingCostTests {
    private static let budget = 2.0

    private func seconds(_ work: () -> Void) -> Double {
        func now() -> Double {
            var time = timespec()
            clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
            return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
        }
        let start = now()
        work()
        return now() - start
    }

    @Test("no body of 47 KB costs more than its budget twice, by all profiles together")
    func worstBodies() throws {
        try #require(ResponseProperties.profiles.count == 7)
        let properties = ResponseProperties { Issue.record("\($0)") }
        for (name, body) in WorstBodies.all {
            let cost = { seconds { properties.check(body) } }
            let first = cost()
            let isOver = first > Self.budget && cost() > Self.budget
            #expect(!isOver, "\(name): \(first) s")
        }
    }
}
