import ArgumentParser
import Glibc
import TokenAdapters
import TokenCore

struct Import: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Adopt tokens obtained elsewhere, read from standard input.",
        discussion: """
            Takes a token answer as RFC 6749 spells it: refresh_token, access_token or both, with \
            expires_in or expires_at; or what x/oauth2, requests-oauthlib, google-auth, oidc-agent \
            or rclone stored of one. It says what it did not take. While no daemon runs the tokens \
            go straight into its state directory.

              evertoken import crm < token.json
              evertoken import drive --section gdrive < ~/.config/rclone/rclone.conf
              sudo evertoken import crm --offline < token.json
            """)

    @Argument(help: "The credential.") var name: String
    @Option(help: ArgumentHelp("Which of several tokens of an rclone configuration."))
    var section: String?
    @OptionGroup var offline: OfflineOptions
    @OptionGroup var daemon: DaemonOptions

    func run() throws {
        var body: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16 * 1024)
        while body.count <= 1024 * 1024 {
            let count = read(STDIN_FILENO, &buffer, buffer.count)
            if count <= 0 { break }
            body += buffer[..<count]
        }
        // Said here, so that a typing mistake needs no daemon to be found.
        let now = SystemClock().now().wall
        let reading: ImportReading
        do throws(RequestError) {
            reading = try ImportReading(body, section: section, now: now)
        } catch { throw fail(EX_DATAERR, Self.mistake(error, in: "standard input")) }
        for note in reading.notes { printError("note: " + note) }
        let access = StateAccess(daemon: daemon, offline: offline)
        let reply = try access.post(
            "\(try credentialPath(name))/import", body: reading.tokens.json(now: now).serialized())
        guard reply.status / 100 == 2 else { throw access.failure(reply) }
        print("\(name): imported")
    }

    /// A problem that begins with "this" is one of the whole text.
    private static func mistake(_ error: RequestError, in place: String) -> String {
        let isOfText = error.problem.hasPrefix("this ")
        let problem =
            isOfText ? place + error.problem.dropFirst(4) : "\(place): \(error.problem)"
        return "\(problem); \(error.remedy)"
    }
}
