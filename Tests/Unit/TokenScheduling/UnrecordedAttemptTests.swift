import Testing

@testable import TokenFormats
@testable import TokenProviders
@testable import TokenScheduling
@testable import TokenSlots

@Suite("Attempts that stand in no slot, among those that do") struct UnrecordedAttemptTests {
    /// `tenths`: time in tenths of a second.
    private func attempt(
        _ tenths: Int64, _ failureClass: FailureClass? = nil, _ problem: String? = nil
    ) -> PastAttempt {
        var attempt = PastAttempt(.refresh, at: WallTime(.milliseconds(tenths * 100)))
        (attempt.failureClass, attempt.problem) = (failureClass, problem)
        return attempt
    }

    @Test("of one second those that came later stand later, whatever fraction was lost")
    func oneSecond() {
        // Sent at 10.1 and not recorded; then recorded at 10.7, and read from the slot as 10.0.
        let lost = attempt(101, .config, "a secret is missing")
        let kept = attempt(100)
        let unrecorded = UnrecordedAttempt(attempt: lost, behind: nil)
        #expect([kept].merged(with: [unrecorded]) == [lost, kept])
        let later = UnrecordedAttempt(attempt: lost, behind: attempt(107))
        #expect([kept].merged(with: [later]) == [kept, lost])
    }

    @Test("several keep their order, between the recorded ones they came between")
    func several() {
        let recorded = [attempt(10), attempt(20, .transient), attempt(30)]
        let one = attempt(22, .config, "one")
        let two = attempt(21, .storage, "two")
        let unrecorded = [one, two].map {
            UnrecordedAttempt(attempt: $0, behind: recorded[1])
        }
        #expect(
            recorded.merged(with: unrecorded)
                == [recorded[0], recorded[1], one, two, recorded[2]])
    }

    @Test("one that came behind an attempt which is no longer kept is the oldest")
    func dropped() {
        let old = UnrecordedAttempt(attempt: attempt(15, .config), behind: attempt(10))
        let recorded = [attempt(20), attempt(30)]
        #expect(recorded.merged(with: [old]) == [old.attempt] + recorded)
        #expect(recorded.merged(with: []) == recorded)
    }
}
