internal import ArgumentParser
internal import Glibc
internal import TokenControl

struct Forget: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Erase all that is stored of a credential.",
        discussion: """
            For one that was removed from the configuration, whose state is kept otherwise. One \
            that is still configured begins anew with its refresh_token, unless that was spent: \
            fingerprints of spent ones are kept, so that none is sent again. While no daemon runs \
            the state directory itself is changed.

              evertoken forget crm
              evertoken forget crm --dry-run
            """)

    @Argument(help: "The credential.", completion: .credentialNames) var name: String
    @Flag(help: "Erase without a question.") var yes = false
    @Flag(help: "Only say what would be erased.") var dryRun = false
    @Flag(help: "Also what is known of its spent refresh tokens; one may be sent again then.")
    var allTraces = false
    @OptionGroup var offline: OfflineOptions
    @OptionGroup var daemon: DaemonOptions

    func run() throws {
        let access = StateAccess(daemon: daemon, offline: offline)
        let name = try checkedName(name)
        let stored = try access.request(.stored(name))
        // A daemon of an earlier version cannot report it; it can erase all the same.
        let isKnown = stored.status != 404
        guard isKnown || !dryRun else {
            throw fail(EX_TEMPFAIL, "the running daemon is of a former version; restart it first")
        }
        var found = Found(nil)
        if isKnown {
            guard case .stored(let report) = stored.content else { throw access.failure(stored) }
            found = Found(report)
        }
        let hasTraces = allTraces && found.spentTokens > 0
        guard found.isStored || hasTraces else { return print("\(name): nothing was stored") }
        if dryRun { return print("\(name): would erase \(found.what(hasTraces))") }
        try Confirmation(
            warning: "This erases \(found.what(hasTraces)) of \(name)\(found.condition). "
                + "It cannot be recovered.",
            word: name, verb: "erase"
        ).demand(isGiven: yes)
        let reply = try access.request(.forget(name, allTraces: allTraces))
        guard case .stored(let report) = reply.content else { throw access.failure(reply) }
        print("\(name): forgotten")
        if report.spentTokens > 0 {
            printError(
                "note: what it has spent stays known, so that it is not sent again "
                    + "(--all-traces erases that too)")
        }
    }

    /// The stored data, as far as it is known.
    private struct Found {
        var isStored: Bool
        var hasRefreshToken: Bool
        var spentTokens: Int
        /// `, which is fresh`
        var condition: String

        /// - Parameter report: `nil` from a daemon of an earlier version.
        init(_ report: StoredReport?) {
            isStored = report?.isStored ?? true
            hasRefreshToken = report?.hasRefreshToken ?? true
            spentTokens = report?.spentTokens ?? 0
            condition =
                report?.state.map { ", which is \($0.text)" }
                ?? (report?.isConfigured == false ? ", which is not configured" : "")
        }

        func what(_ withTraces: Bool) -> String {
            let state = hasRefreshToken ? "the refresh token" : "the state"
            let traces = "the record of spent refresh tokens"
            return isStored ? state + (withTraces ? " and \(traces)" : "") : traces
        }
    }
}
