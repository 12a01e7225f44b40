internal import ArgumentParser
internal import Glibc
internal import TokenAdapters
internal import TokenConfiguration
internal import TokenFormats
internal import TokenProviders

struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Find what cannot work before the daemon meets it; changes nothing.",
        usage: "evertoken check [<name> ...] [<options>]",
        discussion: """
            Prints every mistake as FILE:LINE:COLUMN: path: what is wrong; what to write, and \
            exits 78 if there is one.

            Then looks, with the rights of the daemon's user where root runs it, at all files and \
            programs that the configuration names, and warns of what is missing, cannot be used or \
            has no effect. Runs none of the programs, shows no secret. With --strict a warning is \
            a mistake.

            With --live the daemon looks at each provider from this host: name, connection, \
            certificate, clock, and the client where its profile says how; nothing is spent. Exits \
            78 if a setting is wrong, 75 if something there is.

            With --show-request it prints the exact request that a credential would send, secrets \
            as «secret»; none of them is read then.

              evertoken check --config ./evertoken.json
              evertoken check --strict
              evertoken check crm --show-request
              evertoken check --live crm
            """)

    @Argument(
        help: "Look at this credential of it; with --live at several.",
        completion: .credentialNames)
    var names: [String] = []

    @Flag(help: "Exit 78 for warnings too.")
    var strict = false

    @Flag(help: "Print the requests the credential would send.")
    var showRequest = false

    @Flag(help: "Have the daemon look at the providers; spends nothing.")
    var live = false

    @Option(help: ArgumentHelp("With --live: the daemon's control socket.", valueName: "path"))
    var socket: String?

    @Option(help: ArgumentHelp("Look with this user's rights; needs root.", valueName: "name"))
    var user: String?

    @Option(help: ArgumentHelp("The configuration file.", valueName: "path"), completion: .file())
    var config = defaultConfigurationPath

    private var name: String? { names.first }

    func validate() throws {
        guard names.count <= 1 || live else {
            throw ValidationError("Name one credential, or say --live.")
        }
        if live, showRequest || strict || user != nil {
            throw ValidationError("--live goes with none of --show-request, --strict, --user.")
        }
    }

    func run() throws {
        if live {
            var daemon = DaemonOptions()
            daemon.socket = socket
            daemon.config = config == defaultConfigurationPath ? nil : config
            throw ExitCode(try LiveChecks(client: try daemon.client()).run(names))
        }
        let (configuration, loader) = try loadConfiguration(config, isTolerant: false)
        let places = serviceDirectories(configuration, loader)
        try refuseUnsafePlaces(configuration, places)
        if let name {
            guard let credential = configuration.credentials.first(where: { $0.name == name })
            else {
                throw fail(EX_DATAERR, "there is no credential '\(name)' in \(config)")
            }
            let survey = showRequest ? nil : try warn(configuration, only: name, loader, places)
            print("\(name): ok, provider \(credential.profile.name)")
            if showRequest { try show(credential) }
            return try end(survey)
        }
        if showRequest { throw ValidationError("--show-request needs a credential's NAME") }
        let survey = try warn(configuration, only: nil, loader, places)
        let count = configuration.credentials.count
        print("\(config): ok, \(count) credential\(count == 1 ? "" : "s")")
        if let note = survey.note { print(note) }
        let hints = UnitHints(configuration).lines + consumerHints(configuration)
        for hint in hints { print(hint) }
        try end(survey)
    }

    private func end(_ survey: CheckSurvey?) throws {
        if strict, survey?.findings.isEmpty == false { throw ExitCode(EX_CONFIG) }
    }

    /// Refuses directories and slots that other users could replace, and paths that prevent a
    /// start.
    private func refuseUnsafePlaces(_ configuration: Configuration, _ places: Directories) throws {
        let mistakes =
            PlaceSafety.forCheck.mistakes(
                places, credentials: configuration.credentials.map(\.name), file: config)
            + PlaceSafety.takenSocketPaths(places, configuration, file: config)
            + PlaceSafety.linkedOutputs(places, configuration, file: config)
            + places.mistakes(configuration, file: config)
        guard !mistakes.isEmpty else { return }
        for mistake in mistakes { printError(mistake.description) }
        throw ExitCode(EX_CONFIG)
    }

    private func warn(
        _ configuration: Configuration, only name: String?, _ loader: ConfigurationLoader,
        _ places: Directories
    ) throws -> CheckSurvey {
        if user != nil, geteuid() != 0 { throw fail(EX_NOPERM, "--user is for root") }
        let survey = CheckSurvey(configuration, loader, places, user: user)
        guard var survey else { throw fail(EX_NOUSER, "there is no user '\(user ?? "")'") }
        if let name { survey.findings.removeAll { $0.credential.map { $0 != name } ?? false } }
        for finding in survey.findings { printError("warning: " + finding.text) }
        return survey
    }

    /// The unit settings with which services get their tokens.
    private func consumerHints(_ configuration: Configuration) -> [String] {
        let socket = configuration.credentialSocket ?? "/run/evertoken/credentials.sock"
        return UnitPolicy(configuration.credentials).entries.flatMap { entry in
            [
                "\(entry.grant.unit.text) gets the token of \(entry.credential) with these lines:",
                "", "  [Unit]", "  Requires=evertoken-wait@\(entry.credential).service",
                "  After=evertoken-wait@\(entry.credential).service", "  [Service]",
                "  LoadCredential=\(entry.grant.id):\(socket)",
            ]
        }
    }

    private func show(_ credential: CredentialConfiguration) throws {
        let nonce = RequestNonce(random: SystemRandom().bytes, now: SystemClock().now().wall)
        let requests = ShownRequests(credential, nonce: nonce)
        for part in requests.parts {
            print("\n# \(part.heading)\n\n\(part.text)")
            if !part.notes.isEmpty { print("\n" + part.notes.joined(separator: "\n")) }
        }
        for name in requests.unused {
            print("\nnot used: the variable \(name), which no request names")
        }
        if requests.parts.contains(where: { $0.problem != nil }) { throw ExitCode(EX_CONFIG) }
    }
}
