internal import ArgumentParser
internal import Glibc
internal import TokenControl
internal import TokenFormats

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
        let status = try client.successful(.status())
        let known = status.credentialNames
        var wanted = known
        if !all {
            do throws(UnmatchedName) { wanted = try NameMatching.select(names, among: known) } catch
            {
                throw fail(EX_DATAERR, error.problem)
            }
        }
        return try wanted.compactMap { name in
            let found = status.message.credentials.first { $0.name == name }
            guard found?.state.known == .quarantined else {
                guard !names.contains(name) else {
                    throw fail(EX_DATAERR, "\(name) is not quarantined; nothing to accept")
                }
                return nil
            }
            let error = found?.lastError
            return Quarantined(
                name: name, problem: error?.problem ?? "its state is not trusted",
                isUnreadable: error?.cause?.known == .stateUnreadable)
        }
    }

    /// - Returns: The exit code to stop with; `nil` to continue.
    private func accept(_ name: String, _ client: ControlClient) throws -> ExitCode? {
        let reply = try client.request(
            .accept(try checkedName(name), wait: .seconds(90)), timeout: 120
        ).message
        // Another client has accepted it already.
        if reply.status == 409 {
            throw fail(EX_DATAERR, reply.problem?.title ?? "\(name) is not quarantined")
        }
        guard case .accepted(let outcome) = reply.content else { throw client.failure(reply) }
        guard let status = outcome.exitStatus else {
            print(outcome.text(name))
            return nil
        }
        printError(outcome.text(name))
        return outcome.isReasonToStop ? ExitCode(status) : nil
    }
}

// What the command says of the refresh with an accepted state.
extension AcceptReply {
    /// The exit status; `nil` after a success, and for the reply of an earlier version, which has
    /// no result.
    fileprivate var exitStatus: Int32? {
        switch result {
        case nil, .known(.taken): nil
        case .known(.refused): isClientRefused ? EX_CONFIG : EX_TEMPFAIL
        case .known(.failed), .known(.nothingToSend), .known(.quarantined), .known(.waiting),
            .unknown:
            EX_TEMPFAIL
        }
    }

    /// Without a token to send, the result says nothing about the other credentials.
    fileprivate var isReasonToStop: Bool { result != .known(.nothingToSend) }

    fileprivate func text(_ name: String) -> String {
        let token = isOfConfigured ? "the configured refresh token" : "its refresh token"
        let cause = error ?? problem ?? "no reason was given"
        switch result {
        case nil: return "\(name): accepted"
        case .known(.taken): return "\(name): accepted, and the provider took \(token)"
        case .known(.refused) where isClientRefused:
            return "\(name): accepted, but the provider refused the client (\(cause)): correct "
                + "client_id and client_secret, then run evertoken refresh \(name)"
        case .known(.refused):
            let it = isOfConfigured ? token : "it"
            return "\(name): accepted, but the provider refused \(it) (\(cause)): run evertoken "
                + "login \(name)"
        case .known(.nothingToSend):
            return "\(name): accepted, and there is no refresh token: run evertoken login \(name)"
        case .known(.quarantined): return "\(name): still quarantined: \(cause)"
        case .known(.waiting):
            return "\(name): accepted; the refresh has not ended yet: see evertoken status \(name)"
        case .known(.failed), .unknown:
            return "\(name): accepted, but \(token) could not be tried (\(cause)); it is tried "
                + "again: see evertoken status \(name)"
        }
    }
}
