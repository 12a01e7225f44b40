import ArgumentParser
import Glibc
import TokenAdapters
import TokenCore

struct Import: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Adopt tokens obtained elsewhere, read from standard input.",
        discussion: """
            Takes a token answer as RFC 6749 spells it: refresh_token, access_token or both, with \
            expires_in or expires_at. While no daemon runs they go straight into its state \
            directory.

              evertoken import crm < token.json
              sudo evertoken import crm --offline < token.json
            """)

    @Argument(help: "The credential.") var name: String
    @OptionGroup var offline: OfflineOptions
    @OptionGroup var daemon: DaemonOptions

    func run() throws {
        var body: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16 * 1024)
        while body.count <= 128 * 1024 {
            let count = read(STDIN_FILENO, &buffer, buffer.count)
            if count <= 0 { break }
            body += buffer[..<count]
        }
        // Said here, so that a typing mistake needs no daemon to be found.
        do throws(RequestError) {
            _ = try ImportedTokens.read(body, now: SystemClock().now().wall)
        } catch { throw fail(EX_DATAERR, "\(error.problem); \(error.remedy)") }
        let access = StateAccess(daemon: daemon, offline: offline)
        let reply = try access.post("\(try credentialPath(name))/import", body: body)
        guard reply.status / 100 == 2 else { throw access.failure(reply) }
        print("\(name): imported")
    }
}
