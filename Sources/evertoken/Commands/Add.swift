internal import ArgumentParser
internal import Glibc
internal import TokenAdapters
internal import TokenConfiguration
internal import TokenControl
internal import TokenFormats
internal import TokenProviders

struct Add: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Add a credential: asks, checks, writes conf.d/NAME.json, and reloads.",
        usage: "evertoken add <name> --provider <name> [<options>]",
        discussion: """
            Asks on a terminal for what the provider needs. Otherwise values come from the \
            options, and secrets from standard input: lines name=value, or a JSON object. Each \
            secret goes to a file of its own beside the configuration, 0640 root:evertoken. \
            Nothing is written before the whole configuration is checked with it.

              sudo evertoken add crm --provider xee --login
              sudo evertoken add files --provider febbox --client-id ab12 < secrets
              evertoken add shop --provider shopify --set shop=my-shop --dry-run
            """)

    @Argument(help: "The credential's new name.") var name: String
    @Option(help: ArgumentHelp("Its provider; evertoken providers lists them.", valueName: "name"))
    var provider: String
    @Option(help: ArgumentHelp("The client's id.", valueName: "id")) var clientId: String?
    @Option(help: "The scope, as the provider writes it.") var scope: String?
    @Option(
        name: .customLong("set"),
        help: ArgumentHelp("A variable of the provider; may be repeated.", valueName: "name=value"))
    var set: [String] = []
    @Flag(help: "Then sign in.") var login = false
    @Flag(help: "Sign in by a short code, approved on any device.") var device = false
    @Flag(help: "Only print the address to sign in at.") var noBrowser = false
    @Flag(help: "Write over what an earlier add of this name wrote.") var replace = false
    @Flag(help: "Print the file instead of writing it.") var dryRun = false
    @OptionGroup var daemon: DaemonOptions

    func validate() throws {
        if (device || noBrowser) && !login {
            throw ValidationError("--device and --no-browser are for --login.")
        }
        if login, dryRun { throw ValidationError("--dry-run writes nothing to sign in with.") }
        for pair in set where !pair.contains("=") {
            throw ValidationError("--set takes name=value, not \"\(pair)\".")
        }
    }

    func run() throws {
        // Not quoted: an invalid name may contain control sequences for the terminal.
        guard isConfiguredName(name) else {
            throw refused(
                EX_DATAERR,
                "a credential's name is 1 to 64 of a-z 0-9 . _ - and begins with a letter or digit")
        }
        let path = daemon.config ?? "/etc/evertoken/evertoken.json"
        let credential: NewCredential
        do { credential = try written(path) } catch let failure as StorageFailure {
            throw refused(
                failure.isForbidden ? EX_NOPERM : EX_TEMPFAIL,
                failure.problem + (failure.isForbidden ? "; run this with sudo" : ""))
        }
        if dryRun { return }
        try reload()
        if login { return try signIn() }
        if credential.questions.contains(where: { $0.name == "refresh_token" }),
            !credential.isAnswered("refresh_token")
        {
            say("next: sudo evertoken login \(name)")
        }
    }

    /// Writes the files, or prints the drop-in.
    private func written(_ path: String) throws -> NewCredential {
        let addition = try ConfigurationAddition(path: path, name: name, replaces: replace)
        if let obstacle = addition.obstacle { throw refused(EX_DATAERR, obstacle) }
        let files = try addition.files()
        let credential = try answered(profile(files), path)
        let document = credential.document.serialized(indented: true)
        _ = try checked { () throws(ConfigurationMistakes) in
            try addition.checked(document, among: files)
        }
        if dryRun {
            print(String(decoding: document, as: UTF8.self))
            return credential
        }
        for path in try addition.write(document, secrets: credential.secrets) {
            say("wrote \(path)")
        }
        return credential
    }

    /// The present configuration must be valid and must not contain the name.
    private func profile(_ files: [ConfigurationFile]) throws -> ProviderProfile {
        let present = try checked { () throws(ConfigurationMistakes) in
            try Configuration.readTolerantly(main: files[0], dropIns: Array(files.dropFirst())).0
        }
        if present.credentials.contains(where: { $0.name == name }) {
            throw refused(EX_DATAERR, "there is a credential \"\(name)\" already")
        }
        return try checked { () throws(ConfigurationMistakes) in
            try Configuration.profile(named: provider, files: files)
        }
    }

    private func answered(_ profile: ProviderProfile, _ path: String) throws -> NewCredential {
        let directory = ConfigurationLoader(path: path).directory
        var answers = CredentialAnswers(
            NewCredential(name: name, profile: profile, directory: directory))
        let named = [("client_id", clientId), ("scope", scope)]
        try answers.take(
            named.compactMap { name, value in value.map { (name, $0) } }, set: set)
        if isatty(STDIN_FILENO) == 1 {
            try answers.ask(signsIn: login)
        } else {
            try answers.readStandardInput()
        }
        try answers.refuseMissing()
        return answers.credential
    }

    /// Prints every mistake.
    private func checked<Value>(
        _ body: () throws(ConfigurationMistakes) -> Value
    ) throws -> Value {
        do throws(ConfigurationMistakes) { return try body() } catch {
            for mistake in error.all { printError(mistake.description) }
            throw refused(EX_CONFIG, "the configuration would have these mistakes")
        }
    }

    private func refused(_ status: Int32, _ problem: String) -> ExitCode {
        fail(status, "nothing was changed: \(problem)")
    }

    /// A running daemon reloads at once; otherwise the next start reads the file.
    private func reload() throws {
        let client = try daemon.client()
        do throws(ControlClient.Unanswered) {
            let reply = try client.quietRequest(.reload)
            guard reply.status / 100 == 2 else {
                _ = client.failure(reply.message)
                throw ControlClient.Unanswered(isConnected: true, code: 0)
            }
            say("reloaded: \(name) is configured")
        } catch {
            guard error.isAbsent else {
                throw fail(
                    EX_TEMPFAIL, "\(name) is written, but not in force; run: evertoken reload")
            }
            say("no daemon runs; start it: sudo systemctl start evertoken")
        }
    }

    private func signIn() throws {
        let options: [(String, String?)] = [
            ("--socket", daemon.socket), ("--config", daemon.config),
        ]
        let words = options.flatMap { name, value in value.map { [name, $0] } ?? [] }
        let flags = [("--device", device), ("--no-browser", noBrowser)].filter(\.1).map(\.0)
        try Login.parse([name] + words + flags).run()
    }
}
