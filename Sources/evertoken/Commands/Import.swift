internal import ArgumentParser
internal import Glibc
internal import TokenAdapters
internal import TokenConfiguration
internal import TokenControl
internal import TokenFormats

struct Import: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Adopt tokens obtained elsewhere, read from standard input.",
        usage: "evertoken import <name> | --dir <path> [<options>]",
        discussion: """
            Takes a token answer as RFC 6749 spells it: refresh_token, access_token or both, with \
            expires_in or expires_at; or what x/oauth2, requests-oauthlib, google-auth, oidc-agent \
            or rclone stored of one. It says what it did not take. While no daemon runs the tokens \
            go straight into its state directory.

              evertoken import crm < token.json
              evertoken import drive --section gdrive < ~/.config/rclone/rclone.conf
              sudo evertoken import crm --offline < token.json

            With --dir, a file NAME.json for each credential; all are checked before the first is \
            imported.

              evertoken import --dir ./tokens
            """)

    @Argument(help: "The credential.", completion: .credentialNames) var name: String?
    @Option(
        help: ArgumentHelp("A folder with a file NAME.json for each.", valueName: "path"),
        completion: .directory)
    var dir: String?
    @Option(help: ArgumentHelp("Which of several tokens of an rclone configuration."))
    var section: String?
    @OptionGroup var offline: OfflineOptions
    @OptionGroup var daemon: DaemonOptions

    func validate() throws {
        guard (name == nil) != (dir == nil) else {
            throw ValidationError("Name one credential, or a folder with --dir.")
        }
        if dir != nil, section != nil {
            throw ValidationError("--section chooses within one configuration, not in a folder.")
        }
    }

    func run() throws {
        let access = StateAccess(daemon: daemon, offline: offline)
        if let dir { return try ImportFolder(path: dir, access: access, known: known()).run() }
        guard let name else { return }
        _ = try checkedName(name)
        // Reported here, so that a typing error is found without a daemon.
        let now = SystemClock().now().wall
        let reading: ImportReading
        do throws(RequestError) {
            reading = try ImportReading(readToEnd(STDIN_FILENO), section: section, now: now)
        } catch { throw fail(EX_DATAERR, importMistake(error, in: "standard input")) }
        for note in reading.notes { printError("note: " + note) }
        let tokens = reading.tokens.aged(by: now.duration(to: SystemClock().now().wall))
        let reply = try access.request(.order(name, .adopt(tokens)))
        guard reply.status / 100 == 2 else { throw access.failure(reply) }
        print("\(name): imported")
    }

    /// The existing names: from the daemon, or from the configuration without one.
    private func known() throws -> [String] {
        let client = try daemon.client()
        if !offline.offline {
            do {
                let reply = try client.quietRequest(.status())
                guard reply.status / 100 == 2 else { throw client.failure(reply.message) }
                return reply.credentialNames
            } catch let error as ControlClient.Unanswered {
                guard error.isAbsent, !daemon.isSocketNamed || daemon.config != nil else {
                    throw client.failure(error)
                }
            }
        }
        let path = daemon.config ?? "/etc/evertoken/evertoken.json"
        return try loadConfiguration(path).0.credentials.map(\.name)
    }
}

/// - Parameter place: The source of the text; a mistake with a subject concerns the whole text.
func importMistake(_ error: RequestError, in place: String) -> String {
    error.subject == nil ? "\(place): \(error.text)" : error.of(place).text
}

/// Reads up to a mebibyte, plus at most one read beyond it.
func readToEnd(_ descriptor: Int32) -> [UInt8] {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 16 * 1024)
    while bytes.count <= 1024 * 1024 {
        let count = read(descriptor, &buffer, buffer.count)
        if count <= 0 { break }
        bytes += buffer[..<count]
    }
    return bytes
}
