/// What became of the renewals since the daemon started.
///
/// A value; the loop tells it when a renewal begins and ends. It holds one entry for each
/// credential and provider that is configured, never more. Sign-ins, imports and what only writes
/// slots are no renewals.
public struct MetricsTally: Sendable, Equatable {
    /// How a renewal ended.
    public enum Outcome: Sendable, Equatable {
        case success
        case failure(FailureClass)
    }

    /// The ended renewals of one credential.
    public struct Attempts: Sendable, Equatable {
        /// The profile's name; another one begins a new count.
        public var provider: String
        /// Ended renewals that brought a token.
        public var successes: Int64 = 0
        /// Ended renewals that brought none, by what they failed with.
        public var failures: [FailureClass: Int64] = [:]

        init(provider: String) { self.provider = provider }
    }

    private struct Running: Sendable, Equatable {
        var ticket: Ticket
        var beganAt: Uptime
    }

    /// By credential.
    public private(set) var attempts: [String: Attempts] = [:]
    /// By provider.
    public private(set) var durations: [String: DurationHistogram] = [:]
    private var running: [String: Running] = [:]

    /// A tally without credentials; ``configure(_:at:)`` names them.
    public init() {}

    /// Makes room for what is configured now and drops what is not. A credential that changed its
    /// provider begins anew: its series have another label.
    ///
    /// - Parameter providers: Of each credential by name.
    public mutating func configure(_ providers: [String: String], at now: WallTime) {
        attempts = attempts.filter { providers[$0.key] == $0.value.provider }
        running = running.filter { attempts[$0.key] != nil }
        let used = Set(providers.values)
        durations = durations.filter { used.contains($0.key) }
        for provider in used where durations[provider] == nil {
            durations[provider] = DurationHistogram(createdAt: now)
        }
        for (name, provider) in providers where attempts[name] == nil {
            attempts[name] = Attempts(provider: provider)
        }
    }

    /// A renewal has begun; one of this credential that had not ended is forgotten.
    public mutating func began(_ credential: String, _ ticket: Ticket, at now: Uptime) {
        guard attempts[credential] != nil else { return }
        running[credential] = Running(ticket: ticket, beganAt: now)
    }

    /// - Parameters:
    ///   - ticket: One that did not begin here is nothing: it is of a former life of that name.
    ///   - outcome: `nil` when there was nothing to ask for.
    public mutating func ended(
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
    /// What a renewal that ended so counts as.
    ///
    /// - Parameter successes: How many there were before it.
    /// - Returns: `nil` when there was nothing to ask for: no refresh token, or slots that are not
    ///   to be used. That is a state, which other series tell.
    public func outcome(after successes: Int64) -> MetricsTally.Outcome? {
        switch end {
        case .granted:
            // A new seed is adopted by an attempt of its own.
            return grant.map { $0.attempts.successes > successes } ?? false ? .success : nil
        case .refused(let refusal):
            // As `status` names it: the same answer means more after an interrupted request.
            let standing = grant?.attempts.lastError?.failureClass
            let isStorage = refusal.failureClass == .storage
            return .failure(isStorage ? .storage : standing ?? refusal.failureClass)
        case .signInFailed, .signInPending, .needsLogin, .unreadable, .foreign: return nil
        }
    }
}

/// How long things took: a histogram of OpenMetrics 1.0.
public struct DurationHistogram: Sendable, Equatable {
    /// From a provider next door to one that takes all of a generous time-out.
    public static let refreshBounds: [Double] = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]
    /// From what the loop's steps usually take to what the watchdog does not wait for.
    public static let stepBounds: [Double] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 1, 5, 30]

    /// Upper bounds in seconds, included.
    public let bounds: [Double]
    /// How many lie in each bucket and in none below it; the last has no bound.
    public private(set) var counts: [Int64]
    /// Of all durations observed.
    public private(set) var sum: Duration = .zero
    /// When it began to count.
    public let createdAt: WallTime

    /// An empty histogram with one bucket more than there are bounds.
    public init(createdAt: WallTime, bounds: [Double] = refreshBounds) {
        (self.createdAt, self.bounds) = (createdAt, bounds)
        counts = Array(repeating: 0, count: bounds.count + 1)
    }

    /// Counts one duration; a negative one counts as zero.
    public mutating func observe(_ duration: Duration) {
        let seconds = max(0, duration.secondsAsDouble)
        counts[bounds.firstIndex { seconds <= $0 } ?? bounds.count] += 1
        sum += max(.zero, duration)
    }
}

/// How long the loop's steps took since the daemon started.
public struct LoopStepDurations: Sendable, Equatable {
    /// By the clock on the wall: the machine may have had other things to do.
    public var wall: DurationHistogram
    /// Of the loop's own thread.
    public var cpu: DurationHistogram

    /// Two empty histograms with ``DurationHistogram/stepBounds``.
    public init(createdAt: WallTime) {
        wall = DurationHistogram(createdAt: createdAt, bounds: DurationHistogram.stepBounds)
        cpu = wall
    }
}
