package import TokenConfiguration
package import TokenFormats

/// One run of an `on_change` program.
package struct HookRun: Sendable, Equatable {
    /// Returned with the end of the run.
    package var ticket: Ticket
    /// What to run.
    package var hook: HookSpecification
    /// The number of programs of the credential.
    package var hooksInAll: Int
}

/// A program that failed for the newest token.
package struct HookFailure: Sendable, Equatable {
    /// The program's path, without its arguments.
    package var program: String
    /// The last failure.
    package var problem: String
    /// Consecutive failures, over all tokens.
    package var failures: Int
    /// When the last run ended.
    package var at: WallTime
    /// `nil` while it runs or is queued.
    package var nextTryAt: Uptime?
}

/// The state of a credential's `on_change` programs, as a value: which to run, and when a failed
/// one runs again. It runs nothing itself.
///
/// Each program runs once for each new token. A failed program runs again, after a pause that
/// doubles, until it succeeds or a newer token arrives: its notification is still outstanding.
struct HookBook: Sendable {
    private static let firstPause: Duration = .seconds(1)
    private static let longestPause: Duration = .seconds(300)
    /// Remembered runs of one program; a run that was given up never reports its end.
    private static let mostRuns = 16

    private struct Entry: Sendable {
        var hook: HookSpecification
        /// Running or queued, oldest first. They end in this order.
        var runs: [Ticket] = []
        var failure: HookFailure?
        /// Tries for the newest token.
        var tries = 0
        var retryAt: Uptime?
    }
    private var entries: [Entry]

    init(_ hooks: [HookSpecification]) { entries = hooks.map { Entry(hook: $0) } }

    /// When the next failed program is to run again.
    var wakeAt: Uptime? { entries.compactMap(\.retryAt).min() }

    /// In the order of the configuration.
    var failures: [HookFailure] {
        entries.compactMap { entry in
            guard var failure = entry.failure else { return nil }
            failure.nextTryAt = entry.retryAt
            return failure
        }
    }

    /// Starts all programs for a new token.
    mutating func runAll(_ nextTicket: () -> Ticket) -> [HookRun] {
        entries.indices.map { index in
            entries[index].tries = 0
            return run(index, nextTicket)
        }
    }

    /// Starts the failed programs whose pause is over.
    mutating func runDue(_ now: Uptime, _ nextTicket: () -> Ticket) -> [HookRun] {
        entries.indices.filter { entries[$0].retryAt.map { $0 <= now } ?? false }
            .map { run($0, nextTicket) }
    }

    private mutating func run(_ index: Int, _ nextTicket: () -> Ticket) -> HookRun {
        let ticket = nextTicket()
        entries[index].runs = (entries[index].runs + [ticket]).suffix(Self.mostRuns)
        entries[index].retryAt = nil
        return HookRun(ticket: ticket, hook: entries[index].hook, hooksInAll: entries.count)
    }

    /// - Parameter problem: What went wrong; `nil` after a success.
    /// - Returns: A notice to report; `nil` for an unknown run, and for an ordinary success.
    mutating func ended(
        _ ticket: Ticket, _ problem: String?, now: Moment, using random: inout RandomSource
    ) -> LifecycleNotice? {
        guard let index = entries.firstIndex(where: { $0.runs.contains(ticket) }) else {
            return nil
        }
        // Earlier runs were given up.
        entries[index].runs.removeAll { $0.number <= ticket.number }
        let isNewest = entries[index].runs.isEmpty
        let (program, former) = (entries[index].hook.arguments[0], entries[index].failure)
        guard let problem else {
            guard isNewest else { return nil }
            (entries[index].failure, entries[index].tries) = (nil, 0)
            return former.map { .hookWorks(program: program, failures: $0.failures) }
        }
        let failures = (former?.failures ?? 0) + 1
        entries[index].failure = HookFailure(
            program: program, problem: problem, failures: failures, at: now.wall, nextTryAt: nil)
        var pause: Duration?
        // When an older run fails, the newest runs anyway.
        if isNewest {
            entries[index].tries += 1
            let wait = Self.pause(after: entries[index].tries, using: &random)
            entries[index].retryAt = now.uptime.advanced(by: wait)
            pause = wait
        }
        return .hookFailed(
            program: program, problem: problem, failures: failures, nextTryIn: pause)
    }

    /// Doubles from a second to five minutes; up to a quarter is randomly subtracted, so that
    /// programs that failed together do not all run together.
    private static func pause(after tries: Int, using random: inout RandomSource) -> Duration {
        let ceiling = min(firstPause * (1 << min(max(0, tries - 1), 20)), longestPause)
        return ceiling - random.part(of: ceiling / 4)
    }

    /// Applies a reload. Failed programs run at once, because their cause may be corrected. When a
    /// failed program is removed, the new ones run for the token that it missed.
    mutating func configure(_ hooks: [HookSpecification], now: Uptime) {
        var former = entries
        var new: [Int] = []
        entries = hooks.enumerated().map { index, hook in
            guard let same = former.firstIndex(where: { $0.hook == hook }) else {
                new.append(index)
                return Entry(hook: hook)
            }
            return former.remove(at: same)
        }
        for index in entries.indices where entries[index].retryAt != nil {
            entries[index].retryAt = now
        }
        guard former.contains(where: { $0.failure != nil }) else { return }
        for index in new { entries[index].retryAt = now }
    }
}
