package import TokenFormats
package import TokenProviders
package import TokenScheduling
internal import TokenSlots

/// Counts renewals by outcome since the daemon started.
///
/// The loop reports when a renewal begins and ends. There is one entry for each configured
/// credential and provider, so its size is bounded. Sign-ins, imports and mere writes of slots are
/// not renewals.
package struct MetricsTally: Sendable, Equatable {
    /// How a renewal ended.
    package enum Outcome: Sendable, Equatable {
        case success
        case failure(FailureClass)
    }

    /// The renewals of one credential that have ended.
    package struct Attempts: Sendable, Equatable {
        /// The profile's name; another one begins a new count.
        package var provider: String
        /// Ended renewals that brought a token.
        package var successes: Int64 = 0
        /// Ended renewals that brought none, by what they failed with.
        package var failures: [FailureClass: Int64] = [:]

        init(provider: String) { self.provider = provider }
    }

    private struct Running: Sendable, Equatable {
        var ticket: Ticket
        var beganAt: Uptime
    }

    /// By credential.
    package private(set) var attempts: [String: Attempts] = [:]
    /// By provider.
    package private(set) var durations: [String: DurationHistogram] = [:]
    private var running: [String: Running] = [:]

    /// A tally without credentials; `configure(_:at:)` names them.
    package init() {}

    /// Adds entries for the present configuration and drops the others. A credential with another
    /// provider starts from zero: its series have a new label.
    ///
    /// - Parameters:
    ///   - providers: The provider of each credential by name.
    ///   - now: The present time.
    package mutating func configure(_ providers: [String: String], at now: WallTime) {
        let removed = attempts.keys.filter { providers[$0] == nil }
        configure(providers, without: removed, among: Set(providers.values), at: now)
    }

    /// The same for a change of a few credentials.
    ///
    /// - Parameters:
    ///   - touched: The providers of new and changed credentials by name.
    ///   - removed: Names that are no longer configured.
    ///   - used: All providers that are in use.
    ///   - now: The present time.
    package mutating func configure(
        _ touched: [String: String], without removed: [String], among used: Set<String>,
        at now: WallTime
    ) {
        let others = touched.filter { attempts[$0.key]?.provider != $0.value }
        for name in removed + others.keys { (attempts[name], running[name]) = (nil, nil) }
        durations = durations.filter { used.contains($0.key) }
        for provider in used where durations[provider] == nil {
            durations[provider] = DurationHistogram(createdAt: now)
        }
        for (name, provider) in others { attempts[name] = Attempts(provider: provider) }
    }

    /// A renewal has begun; one of this credential that had not ended is forgotten.
    package mutating func began(_ credential: String, _ ticket: Ticket, at now: Uptime) {
        guard attempts[credential] != nil else { return }
        running[credential] = Running(ticket: ticket, beganAt: now)
    }

    /// - Parameters:
    ///   - credential: The name of the credential.
    ///   - ticket: An unknown one is ignored: it belongs to a removed credential of that name.
    ///   - outcome: `nil` when nothing was sent.
    ///   - now: The present time.
    package mutating func ended(
        _ credential: String, _ ticket: Ticket, _ outcome: Outcome?, at now: Uptime
    ) {
        guard let began = running[credential], began.ticket == ticket else { return }
        running[credential] = nil
        guard let outcome, let provider = attempts[credential]?.provider else { return }
        switch outcome {
        case .success: attempts[credential]?.successes += 1
        case .failure(let failure): attempts[credential]?.failures[failure, default: 0] += 1
        }
        durations[provider]?.observe(began.beganAt.duration(to: now))
    }
}

extension AttemptReport {
    /// The outcome to count for a renewal with this end.
    ///
    /// - Parameter successes: The number of successes before it.
    /// - Returns: `nil` when nothing was sent: no refresh token, or slots that must not be used.
    ///   Other series show such states.
    package func outcome(after successes: Int64) -> MetricsTally.Outcome? {
        switch end {
        case .granted:
            // Adopting a new initial token is a separate attempt.
            return grant.map { $0.attempts.successes > successes } ?? false ? .success : nil
        case .refused(let refusal):
            // The class in `status`: a response means more after an interrupted request.
            let standing = grant?.attempts.lastError?.failureClass
            let isStorage = refusal.failureClass == .storage
            return .failure(isStorage ? .storage : standing ?? refusal.failureClass)
        case .signInFailed, .signInPending, .needsLogin, .unreadable, .foreign: return nil
        }
    }
}

/// Durations as an OpenMetrics 1.0 histogram.
package struct DurationHistogram: Sendable, Equatable {
    /// From a nearby provider to one that uses a generous time-out completely.
    package static let refreshBounds: [Double] = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]
    /// From a typical step of the loop to more than the watchdog allows.
    package static let stepBounds: [Double] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 1, 5, 30]

    /// Upper bounds in seconds, inclusive.
    package let bounds: [Double]
    /// Values in each bucket, without those of lower buckets; the last bucket is unbounded.
    package private(set) var counts: [Int64]
    /// Of all durations observed.
    package private(set) var sum: Duration = .zero
    /// When counting began.
    package let createdAt: WallTime

    /// An empty histogram with one bucket more than there are bounds.
    package init(createdAt: WallTime, bounds: [Double] = refreshBounds) {
        (self.createdAt, self.bounds) = (createdAt, bounds)
        counts = Array(repeating: 0, count: bounds.count + 1)
    }

    /// Counts one duration; a negative one counts as zero.
    package mutating func observe(_ duration: Duration) {
        let seconds = max(0, duration.secondsAsDouble)
        counts[bounds.firstIndex { seconds <= $0 } ?? bounds.count] += 1
        sum += max(.zero, duration)
    }
}

/// Durations of the loop's steps since the daemon started.
package struct LoopStepDurations: Sendable, Equatable {
    /// Elapsed time: other processes may have used the processor.
    package var wall: DurationHistogram
    /// Processor time of the loop's thread.
    package var cpu: DurationHistogram

    /// Two empty histograms with ``DurationHistogram/stepBounds``.
    package init(createdAt: WallTime) {
        wall = DurationHistogram(createdAt: createdAt, bounds: DurationHistogram.stepBounds)
        cpu = wall
    }
}
