import ArgumentParser
import Glibc
import TokenCore

struct Accept: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Trust the stored state of a quarantined credential from now on.",
        discussion: """
            A state that was copied, restored from a backup or moved to another machine may hold a \
            refresh token that has been spent since; sending it can end the whole sign-in. Look \
            first whether the original is still in use or has been used since the copy was made. \
            The stored token is sent at once, and what came of it is told. Of several the first \
            one that is not taken ends it. A state that cannot be read is set aside, and the \
            credential begins anew.

              evertoken status crm
              evertoken accept crm
              evertoken accept --all --dry-run
            """)

    @Argument(
        help: "Credentials: names, or globs in quotes.", completion: .credentialNames)
    var names: [String] = []
    @Flag(help: "Every quarantined credential.") var all = false
    @Flag(help: "Accept without a question.") var yes = false
    @Flag(help: "Only say what would be accepted.") var dryRun = false
    @OptionGroup var daemon: DaemonOptions

    func validate() throws {
        guard names.isEmpty == all else {
            throw ValidationError("Name credentials, or say --all.")
        }
    }

    func run() throws {
        let client = try daemon.client()
        let chosen = try chosen(client)
        guard !chosen.isEmpty else {
            return print("no credential is quarantined; nothing to accept")
        }
        for one in chosen {
            printError("\(one.name): \(one.problem)")
            if dryRun { print("\(one.name): would be accepted, and its refresh token sent now") }
        }
        if dryRun { return }
        let whose = chosen.count == 1 ? "The stored refresh token is" : "Their refresh tokens are"
        let setAside =
            chosen.contains(where: \.isUnreadable)
            ? " One that cannot be read is set aside, and the configured token is sent instead."
            : ""
        let danger =
            "If another copy of this state is in use, or was since this one was made, that can end "
            + "the sign-in for both. Is every other copy stopped?"
        try Confirmation(
            warning: "\(whose) sent to the provider now.\(setAside) \(danger)",
            word: "yes", verb: "go on"
        ).demand(isGiven: yes)
        for (index, one) in chosen.enumerated() {
            guard let failed = try accept(one.name, client) else { continue }
            let rest = chosen[(index + 1)...].map(\.name)
            if !rest.isEmpty { printError("not accepted: " + rest.joined(separator: ", ")) }
            throw failed
        }
    }

    private struct Quarantined {
        var name: String
        var problem: String
        /// Whether neither slot can be read.
        var isUnreadable: Bool
    }

    /// - Throws: `ExitCode` 65 for a named credential that is not quarantined.
    private func chosen(_ client: ControlClient) throws -> [Quarantined] {
        let status = try client.successful("GET", "/v1/status")
        let credentials = status.body["credentials"]?.elements ?? []
        let known = status.credentialNames
        var wanted = known
        if !all {
            do throws(UnmatchedName) { wanted = try NameMatching.select(names, among: known) } catch
            {
                throw fail(EX_DATAERR, error.problem)
            }
        }
        return try wanted.compactMap { name in
            let found = credentials.first { $0["name"]?.text == name }
            guard found?["state"]?.text == CredentialState.quarantined.rawValue else {
                guard !names.contains(name) else {
                    throw fail(EX_DATAERR, "\(name) is not quarantined; nothing to accept")
                }
                return nil
            }
            let error = found?["last_error"]
            return Quarantined(
                name: name, problem: error?["problem"]?.text ?? "its state is not trusted",
                isUnreadable: error?["cause"]?.text == CauseKind.stateUnreadable.rawValue)
        }
    }

    /// - Returns: The exit code to stop with; `nil` to continue.
    private func accept(_ name: String, _ client: ControlClient) throws -> ExitCode? {
        let reply = try client.request(
            "POST", "\(try credentialPath(name))/accept?wait=90", timeout: 120)
        // Another client has accepted it already.
        if reply.status == 409 {
            throw fail(EX_DATAERR, reply.body["title"]?.text ?? "\(name) is not quarantined")
        }
        guard reply.status / 100 == 2 else { throw client.failure(reply) }
        let outcome = AcceptOutcome(reply.body)
        guard let status = outcome.status else {
            print(outcome.text(name))
            return nil
        }
        printError(outcome.text(name))
        return outcome.isReasonToStop ? ExitCode(status) : nil
    }
}

/// The result of the refresh with an accepted state.
private struct AcceptOutcome {
    let result: String?
    let isOfConfigured: Bool
    let error: String?
    let problem: String?

    init(_ body: JSONNode) {
        result = body["result"]?.text
        let isSetAside = body["set_aside"]?.flag ?? false
        isOfConfigured = body["sent_configured"]?.flag ?? isSetAside
        (error, problem) = (body["error"]?.text, body["problem"]?.text)
    }

    private var isClientRefused: Bool {
        error == "invalid_client" || error == "unauthorized_client"
    }

    /// The exit status; `nil` after a success, and for the reply of an earlier version, which has
    /// no result.
    var status: Int32? {
        switch result {
        case nil, "taken": nil
        case "refused": isClientRefused ? EX_CONFIG : EX_TEMPFAIL
        default: EX_TEMPFAIL
        }
    }

    /// Without a token to send, the result says nothing about the other credentials.
    var isReasonToStop: Bool { result != "nothing_to_send" }

    func text(_ name: String) -> String {
        let token = isOfConfigured ? "the configured refresh token" : "its refresh token"
        let cause = error ?? problem ?? "no reason was given"
        switch result {
        case nil: return "\(name): accepted"
        case "taken": return "\(name): accepted, and the provider took \(token)"
        case "refused" where isClientRefused:
            return "\(name): accepted, but the provider refused the client (\(cause)): correct "
                + "client_id and client_secret, then run evertoken refresh \(name)"
        case "refused":
            let it = isOfConfigured ? token : "it"
            return "\(name): accepted, but the provider refused \(it) (\(cause)): run evertoken "
                + "login \(name)"
        case "nothing_to_send":
            return "\(name): accepted, and there is no refresh token: run evertoken login \(name)"
        case "quarantined": return "\(name): still quarantined: \(cause)"
        case "waiting":
            return "\(name): accepted; the refresh has not ended yet: see evertoken status \(name)"
        default:
            return "\(name): accepted, but \(token) could not be tried (\(cause)); it is tried "
                + "again: see evertoken status \(name)"
        }
    }
}
