internal import ArgumentParser
internal import Glibc
internal import TokenControl
internal import TokenFormats

struct Logs: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show the daemon's journal, of one credential or of all, with explanations.",
        discussion: """
            Becomes journalctl -xu evertoken EVERTOKEN_CREDENTIAL=NAME. What stands behind -- goes \
            to journalctl as it is. The journal may be read by root and by the groups adm and \
            systemd-journal.

              evertoken logs
              evertoken logs crm -f
              evertoken logs crm -- --since -2h -p warning
            """)

    @Argument(
        help: "Only this credential; of several 'goog*', for which the daemon is asked.",
        completion: .credentialNames)
    var name: String?
    @Flag(name: .shortAndLong, help: "Go on with what is written from now on.") var follow = false
    @Option(help: ArgumentHelp("The daemon's unit.", valueName: "unit"), completion: .units)
    var unit = "evertoken"
    @OptionGroup var daemon: DaemonOptions
    @Argument(
        parsing: .postTerminator,
        help: ArgumentHelp("Options of journalctl(1).", valueName: "options"))
    var options: [String] = []

    func validate() throws {
        guard !unit.hasPrefix("-"), !unit.isEmpty else {
            throw ValidationError("--unit takes the name of a unit, such as evertoken.")
        }
    }

    func run() throws {
        let words = Self.words(names: try wanted(), follow: follow, unit: unit, options: options)
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        execvp(words[0], &arguments)
        let reason = String(cString: strerror(errno))
        throw fail(
            EX_UNAVAILABLE,
            "journalctl cannot be run: \(reason); without a journal the daemon's messages are "
                + "where its standard error goes (in a container: docker logs, podman logs)")
    }

    /// A removed credential has journal entries too, so only a pattern needs the daemon.
    private func wanted() throws -> [String] {
        guard let name else { return [] }
        guard NameMatching.isGlob(name) else {
            _ = try checkedName(name)
            return [name]
        }
        let known = try daemon.client().successful(.status()).credentialNames
        let found = known.filter { NameMatching.matches(name, $0) }
        if found.isEmpty { throw unmatched(name, among: known) }
        return found
    }

    /// The arguments of journalctl. Two credentials are combined by "or" (journalctl(1)).
    static func words(
        names: [String], follow: Bool, unit: String, options: [String]
    ) -> [String] {
        ["journalctl", "-x", "-u", unit] + (follow ? ["-f"] : []) + options
            + names.map { "EVERTOKEN_CREDENTIAL=" + $0 }
    }
}
