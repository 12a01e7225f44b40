internal import TokenConfiguration
internal import TokenControl
internal import TokenEngine
internal import TokenFormats
internal import TokenProviders
internal import TokenScheduling
internal import TokenSlots

/// The behaviour of a hostile neighbour, named by the first word of its name.
enum Neighbour: String {
    /// Its endpoint takes every request and never answers.
    case mute
    /// Its responses take five seconds of their lane to read.
    case worst
    /// Its files are on a mount that does not respond.
    case stuck

    init?(_ credential: String) {
        guard let word = credential.split(separator: "-").first else { return nil }
        self.init(rawValue: String(word))
    }

    static let all =
        (0..<80).map { "mute-\($0)" } + (0..<10).map { "worst-\($0)" }
        + (0..<10).map { "stuck-\($0)" }
}

extension Life: ResponseLanes {
    func run<Value: Sendable>(
        provider: String, credential: String, _ body: @escaping @Sendable () -> Value
    ) async -> Value {
        if Neighbour(credential) == .worst { await wait(.seconds(5)) }
        return body()
    }
}

/// Four hours of a hundred credentials whose tokens live ten minutes, beside a hundred hostile
/// neighbours that hang all the time: measures how late the hundred's renewals start.
struct IsolationStretch {
    static let longest = 1.0
    private let simulation: Simulation
    private(set) var worst = 0.0
    private(set) var samples = 0

    init(seed: UInt64) throws {
        simulation = try Simulation(seed: seed, beside: Neighbour.all)
    }

    /// - Returns: Violated promises.
    mutating func run() -> [String] {
        let found = Found()
        let simulation = simulation
        // The gauge holds only the last renewal's lateness: sampled so often that no renewal is
        // missed.
        for minute in stride(from: Int64(20), to: 240, by: 4) {
            simulation.schedule(at: .seconds(minute * 60)) {
                simulation.life?.engine.inbox.yield(
                    .request(.metrics()) { reply in
                        guard case .metrics(let metrics) = reply.content else { return }
                        found.add(Self.lateness(in: metrics.openMetrics))
                    })
            }
        }
        simulation.run(for: .seconds(4 * 3600), hasFaults: false)
        (worst, samples) = (found.worst, found.count)
        var problems = simulation.report.problems
        if worst > Self.longest { problems.append("a renewal began \(worst) s late") }
        if samples < 4000 { problems.append("only \(samples) samples of lateness were seen") }
        if simulation.report.refreshes < 2000 {
            problems.append("only \(simulation.report.refreshes) refreshes")
        }
        return problems
    }

    private final class Found: @unchecked Sendable {
        var worst = 0.0
        var count = 0
        func add(_ seconds: [Double]) {
            count += seconds.count
            worst = max(worst, seconds.max() ?? 0)
        }
    }

    /// The lateness of credentials that are not neighbours and that no rate limit delays.
    private static func lateness(in metrics: String) -> [Double] {
        metrics.split(separator: "\n").compactMap { line in
            let parts = line.split(separator: "\"")
            guard line.hasPrefix("evertoken_refresh_lateness_seconds{"), parts.count == 3,
                Neighbour(String(parts[1])) == nil, !parts[1].hasPrefix("limited")
            else { return nil }
            return Double(parts[2].dropFirst(2))
        }
    }
}
