internal import ArgumentParser
internal import Glibc
internal import TokenConfiguration
internal import TokenControl
internal import TokenFormats

struct Token: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print the current access token.",
        discussion: """
            Refreshes, or waits for a refresh, if the token would not last as long as asked. Where \
            no token of the provider lasts so long it is refreshed once and printed, with a note \
            on standard error.

              evertoken token crm
              curl -H "$(evertoken token crm --header --min-ttl 5m)" https://api.example/
            """)

    @Argument(
        help: "The credential.", completion: .credentialNames)
    var name: String
    @Option(help: ArgumentHelp("At least this long valid, such as 5m.", valueName: "duration"))
    var minTtl = "0s"
    @Flag(help: "End with 75 if the token does not last as long as asked.") var strict = false
    @Flag(help: "Print it as an Authorization header.") var header = false
    @Flag(help: "Print all that token.json holds.") var json = false
    @OptionGroup var daemon: DaemonOptions

    func validate() throws {
        guard parseDuration(minTtl) != nil else {
            throw ValidationError(durationMistake(minTtl) + ".")
        }
    }

    func run() throws {
        let reply = try daemon.client()
            .successful(
                .token(try checkedName(name), minimumLife: parseDuration(minTtl) ?? .zero))
        var message: TokenReply?
        if case .token(let token) = reply.message.content { message = token }
        if json {
            print(reply.text, terminator: "")
        } else {
            guard let message else {
                throw fail(EX_TEMPFAIL, "the daemon gave no token; see evertoken status \(name)")
            }
            let token = message.accessToken.reveal()
            print(
                header
                    ? AuthorizationScheme.header(token, tokenType: message.tokenType) : token)
        }
        guard let shortfall = message?.shortfall else { return }
        printError(note(on: shortfall))
        if strict { throw ExitCode(EX_TEMPFAIL) }
    }

    private func note(on shortfall: LifeShortfall) -> String {
        let (asked, left) = (shortfall.asked, shortfall.left)
        guard let life = shortfall.lifetime, life <= asked else {
            return "\(name): its token lasts \(words(left, beside: asked)), less than the "
                + "\(words(asked, beside: left)) asked for; see evertoken status \(name)"
        }
        let less = life == asked ? "no longer than" : "less than"
        return "\(name): its tokens live \(words(life, beside: asked)), \(less) the "
            + "\(words(asked, beside: life)) asked for"
    }

    /// In seconds if larger units would show two different durations as equal.
    private func words(_ seconds: Int64, beside other: Int64) -> String {
        let text = describe(.seconds(seconds))
        let isSame = seconds != other && text == describe(.seconds(other))
        return isSame ? "\(seconds) s" : text
    }
}
