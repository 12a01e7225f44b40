import ArgumentParser
import Glibc
import TokenAdapters
import TokenCore

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
        let path = try credentialPath(name)
        let stored = try access.request("GET", path + "/stored")
        // A daemon of an earlier version cannot report it; it can erase all the same.
        let isKnown = stored.status != 404
        guard isKnown || !dryRun else {
            throw fail(EX_TEMPFAIL, "the running daemon is of a former version; restart it first")
        }
        guard !isKnown || stored.status / 100 == 2 else { throw access.failure(stored) }
        let found = Found(stored.body, isKnown: isKnown)
        let hasTraces = allTraces && found.spentTokens > 0
        guard found.isStored || hasTraces else { return print("\(name): nothing was stored") }
        if dryRun { return print("\(name): would erase \(found.what(hasTraces))") }
        try Confirmation(
            warning: "This erases \(found.what(hasTraces)) of \(name)\(found.condition). "
                + "It cannot be recovered.",
            word: name, verb: "erase"
        ).demand(isGiven: yes)
        let reply = try access.post(path + "/forget" + (allTraces ? "?all_traces=1" : ""), body: [])
        guard reply.status / 100 == 2 else { throw access.failure(reply) }
        print("\(name): forgotten")
        if let kept = reply.body["spent_tokens"]?.integer, kept > 0 {
            printError(
                "note: what it has spent stays known, so that it is not sent again "
                    + "(--all-traces erases that too)")
        }
    }

    /// The stored data, by the reply.
    private struct Found {
        var isStored: Bool
        var hasRefreshToken: Bool
        var spentTokens: Int64
        /// `, which is fresh`
        var condition: String

        init(_ body: JSONNode, isKnown: Bool) {
            isStored = !isKnown || body["stored"]?.flag ?? false
            hasRefreshToken = !isKnown || body["refresh_token"]?.flag ?? false
            spentTokens = body["spent_tokens"]?.integer ?? 0
            condition =
                body["state"]?.text.map { ", which is \($0)" }
                ?? (body["configured"]?.flag == false ? ", which is not configured" : "")
        }

        func what(_ withTraces: Bool) -> String {
            let state = hasRefreshToken ? "the refresh token" : "the state"
            let traces = "the record of spent refresh tokens"
            return isStored ? state + (withTraces ? " and \(traces)" : "") : traces
        }
    }
}
