package import TokenConfiguration
package import TokenEngine
internal import TokenFormats
internal import TokenProviders
package import TokenScheduling

/// Runs `on_change` programs with an empty environment plus `EVERTOKEN_CREDENTIAL`,
/// `EVERTOKEN_PROVIDER`, `EVERTOKEN_EXPIRES_AT`, `EVERTOKEN_FILES` and `EVERTOKEN_RUN`, without the
/// token. Its child processes end with the program.
///
/// The programs of one credential run one after the other; four of one program and sixteen in total
/// run concurrently, so that a thousand credentials that change together do not start a thousand
/// processes.
package struct HookProcesses: HookRunner {
    private let journal: any Journal
    private let tokenDirectory: String
    private let lanes = Lanes("hooks", count: 16)
    /// A program that is slower than its tokens change has at most this many runs queued.
    private static let mostWaiting = 8

    /// - Parameters:
    ///   - journal: Where output and failures of the programs are reported.
    ///   - tokenDirectory: What relative paths of outputs count from, for `EVERTOKEN_FILES`.
    package init(journal: any Journal, tokenDirectory: String) {
        (self.journal, self.tokenDirectory) = (journal, tokenDirectory)
    }

    /// As `HookRunner` says; returns before any program has started.
    package func run(
        _ runs: [HookRun], token: PublishedToken, paths: [String],
        ended: @escaping @Sendable (Ticket, _ problem: String?) -> Void
    ) {
        let environment = environment(token, paths)
        let name = token.credential
        // Each run counts for its own program; those of one credential keep their order.
        for run in runs {
            let isAnySkipped = lanes.start(
                key: name, holder: run.hook.arguments[0],
                mostWaiting: Self.mostWaiting * run.hooksInAll
            ) {
                ended(run.ticket, Self.run(run.hook, environment))
            }
            if isAnySkipped { tellSkipped(name, run.hook) }
        }
    }

    private func environment(_ token: PublishedToken, _ paths: [String]) -> [String] {
        let files = paths.map { $0.hasPrefix("/") ? $0 : "\(tokenDirectory)/\($0)" }
        var environment = [
            "PATH=/usr/local/bin:/usr/bin:/bin", "EVERTOKEN_CREDENTIAL=\(token.credential)",
            "EVERTOKEN_PROVIDER=\(token.provider)",
            "EVERTOKEN_FILES=\(files.joined(separator: ":"))",
        ]
        if let end = token.access.expiresAt {
            environment.append("EVERTOKEN_EXPIRES_AT=\(end.epochSeconds)")
        }
        return environment
    }

    /// - Returns: What went wrong; `nil` after a success.
    private static func run(_ hook: HookSpecification, _ environment: [String]) -> String? {
        let digits = SystemRandom().bytes(8).flatMap { [$0 >> 4, $0 & 15] }
            .map { String($0, radix: 16) }
        let child = ChildProcess(
            arguments: hook.arguments, environment: environment, timeout: hook.timeout,
            mark: "EVERTOKEN_RUN=" + digits.joined())
        do throws(ChildProcess.Failure) { _ = try child.run() } catch {
            switch error {
            case .cannotStart(let error): return error.text
            case .timedOut: return "it was killed at its timeout"
            case .exited(let status): return "it ended with status \(status)"
            case .killed(let signal): return "it died of signal \(signal)"
            }
        }
        return nil
    }

    private func tellSkipped(_ name: String, _ hook: HookSpecification) {
        journal.write(
            JournalEntry(
                .warning, "An on_change program was skipped once",
                fields: [
                    HeaderField("CREDENTIAL", name), HeaderField("PROGRAM", hook.arguments[0]),
                    HeaderField(
                        "PROBLEM", "it takes longer than tokens last; it runs for a newer token"),
                ], messageID: MessageID.hookFailed))
    }
}
