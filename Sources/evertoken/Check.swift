import ArgumentParser
import Glibc
import TokenAdapters
import TokenCore

struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Validate the configuration; sends nothing, changes nothing.",
        discussion: """
            Prints every mistake as FILE:LINE:COLUMN: path: what is wrong; what to write, and \
            exits 78 if there is one.

            Reads the secrets that it can, but runs no program for them, and warns of those that \
            the daemon could not use; none is shown.

            With --show-request it prints the exact request that a credential would send, secrets \
            as «secret»; none of them is read then.

              evertoken check --config ./evertoken.json
              evertoken check crm --show-request
            """)

    @Argument(help: "Look at one credential of it.")
    var name: String?

    @Flag(help: "Print the requests the credential would send.")
    var showRequest = false

    @Option(help: ArgumentHelp("The configuration file.", valueName: "path"))
    var config = "/etc/evertoken/evertoken.json"

    func run() throws {
        let (configuration, loader) = try loadConfiguration(config, isTolerant: false)
        try refuseUnsafePlaces(configuration, loader)
        if let name {
            guard let credential = configuration.credentials.first(where: { $0.name == name })
            else {
                throw fail(EX_DATAERR, "there is no credential '\(name)' in \(config)")
            }
            warn(of: [credential], loader)
            print("\(name): ok, provider \(credential.profile.name)")
            if showRequest { try show(credential) }
            return
        }
        if showRequest { throw ValidationError("--show-request needs a credential's NAME") }
        warn(of: configuration.credentials, loader)
        let count = configuration.credentials.count
        print("\(config): ok, \(count) credential\(count == 1 ? "" : "s")")
        let hints = UnitHints(configuration).lines + consumerHints(configuration)
        for hint in hints { print(hint) }
    }

    /// Directories and slots that others could exchange.
    private func refuseUnsafePlaces(
        _ configuration: Configuration, _ loader: ConfigurationLoader
    ) throws {
        let places = serviceDirectories(configuration, loader)
        let mistakes =
            PlaceSafety.forCheck.mistakes(
                places, credentials: configuration.credentials.map(\.name), file: config)
            + PlaceSafety.takenSocketPaths(places, configuration, file: config)
            + PlaceSafety.linkedOutputs(places, configuration, file: config)
        guard !mistakes.isEmpty else { return }
        for mistake in mistakes { printError(mistake.description) }
        throw ExitCode(EX_CONFIG)
    }

    private func warn(of credentials: [CredentialConfiguration], _ loader: ConfigurationLoader) {
        if !showRequest {
            let survey = SecretSurvey(base: loader.directory)
            for warning in survey.warnings(of: credentials) { printError("warning: " + warning) }
        }
        for credential in credentials {
            for output in credential.outputs {
                guard case .template(let template) = output.format else { continue }
                for name in template.unquotedTexts {
                    printError(
                        "warning: \(credential.name): output \"\(output.path)\": ${\(name)} is "
                            + "the provider's text and stands there unquoted; write "
                            + "${shell(\(name))}, or json, ini, netrc, curl for such a file")
                }
            }
        }
    }

    /// The lines that units need to get their tokens.
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

/// The lines a systemd drop-in needs for outputs that the shipped unit does not allow.
struct UnitHints {
    let lines: [String]

    init(_ configuration: Configuration) {
        let outputs = configuration.credentials.flatMap(\.outputs)
        let root = configuration.tokenDirectory ?? "/run/evertoken"
        let folders = outputs.filter(\.isAbsolute).compactMap { output -> String? in
            guard !output.path.hasPrefix(root + "/") else { return nil }
            return output.path.lastIndex(of: "/").map { String(output.path[..<$0]) }
        }
        let groups = Set(
            outputs.compactMap(\.group) + [configuration.control.group].compactMap { $0 }
        )
        .sorted()
        let hasOwner = outputs.contains { $0.owner != nil }
        var settings: [String] = []
        if !folders.isEmpty {
            settings.append("ReadWritePaths=" + Set(folders).sorted().joined(separator: " "))
        }
        if !groups.isEmpty {
            settings.append("SupplementaryGroups=" + groups.joined(separator: " "))
        }
        if !groups.isEmpty || hasOwner { settings.append("SystemCallFilter=@chown") }
        if hasOwner {
            settings += ["CapabilityBoundingSet=CAP_CHOWN", "AmbientCapabilities=CAP_CHOWN"]
        }
        guard !settings.isEmpty else {
            lines = []
            return
        }
        lines =
            ["under systemd, run `systemctl edit evertoken` and add:", "", "  [Service]"]
            + settings.map { "  " + $0 }
    }
}
