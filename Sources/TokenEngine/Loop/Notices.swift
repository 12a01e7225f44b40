internal import TokenConfiguration
internal import TokenControl
internal import TokenFormats
internal import TokenProviders
internal import TokenScheduling
internal import TokenSlots

/// Message IDs of events that deserve an alert; random and never changed. systemd/evertoken.catalog
/// explains each one and its remedy (`journalctl --catalog`).
package enum MessageID {
    static let loginRequired = "fb6943331b894f3ca1cb9bed10536948"
    /// No sign-in has happened yet: nothing was refused.
    static let noRefreshToken = "21c8beee762a499cb7baeb545a1b6584"
    static let expired = "4fbbaa4d4a904cfd9a3c1ae759486101"
    static let misconfigured = "da424ed2678243e89b7f880934c5095b"
    /// A file or setting of this host is wrong; no request was sent to the provider.
    static let settingWrong = "bec18b7763394628bea9625d887736d6"
    static let quarantined = "def024f425a543888ceff0ef7bbfc7e8"
    static let storage = "868880857be54e07bac7e30f983983fb"
    static let refreshTokenEnds = "da3f48f853aa4b959258952293ada400"
    static let output = "6f89f8ff6dc34aa3a4429d65cde5aa41"
    static let configurationRefused = "9bc45ecd171a4474a3a1d66afa5c136c"
    /// The daemon does not start.
    package static let startRefused = "e20e72ae2dab46ba91e4d185c2fe8f33"
    /// An `on_change` program failed: its service may not use the new token.
    package static let hookFailed = "4337ad35139e4150882910585ceee37e"
}

extension LifecycleNotice {
    func entry(for credential: CredentialConfiguration) -> JournalEntry {
        var entry = content(credential)
        entry.fields =
            [
                HeaderField("CREDENTIAL", credential.name),
                HeaderField("PROVIDER", credential.profile.name),
            ]
            + entry.fields
        return entry
    }

    private func content(_ credential: CredentialConfiguration) -> JournalEntry {
        switch self {
        case .refreshed(let generation, let notes, let attempt):
            return JournalEntry(
                notes.isEmpty ? .info : .notice, "Token refreshed",
                fields: [
                    HeaderField("GENERATION", String(generation)), HeaderField("ATTEMPT", attempt),
                ] + notes.map(\.field))
        case .failed(let error, let failures, let attempt):
            return JournalEntry(
                error.failureClass == .storage ? .error : .warning, "Token refresh failed",
                fields: error.fields(credential, .retrying) + [
                    HeaderField("FAILURES", String(failures)), HeaderField("ATTEMPT", attempt),
                ], messageID: error.failureClass == .storage ? MessageID.storage : nil)
        case .tokenExpired:
            return JournalEntry(
                .error, "The published token has expired", messageID: MessageID.expired)
        case .loginRequired(let error): return loginRequired(error, credential)
        case .misconfigured(let error): return misconfigured(error, credential)
        case .quarantined(let error):
            return JournalEntry(
                .error, "The stored state cannot be trusted; nothing is sent",
                fields: error.fields(credential, .quarantined), messageID: MessageID.quarantined)
        case .outputFailed(let error):
            return JournalEntry(
                .error, "A token file could not be written",
                fields: error.fields(credential, .retrying), messageID: MessageID.output)
        case .outputAltered(let problem):
            return JournalEntry(
                .warning, "A token file was deleted or changed; it is written again",
                fields: [HeaderField("PROBLEM", problem)])
        case .hookFailed(let program, let problem, let failures, let pause):
            return hookFailed(program, problem, failures, pause)
        case .hookWorks(let program, let failures):
            return JournalEntry(
                .info, "An on_change program works again",
                fields: [
                    HeaderField("PROGRAM", program), HeaderField("FAILURES", String(failures)),
                ])
        case .candidateFound:
            return JournalEntry(
                .info, "The configuration names a new refresh token; it is tried next")
        case .candidateAdopted:
            return JournalEntry(.notice, "The configured refresh token works and is used now")
        case .candidateFailed(let state, let problem):
            return candidateFailed(state, problem)
        case .tokenSetAside:
            return JournalEntry(
                .notice,
                "The token URL's server or the client changed; the stored refresh token is kept "
                    + "and not sent there")
        case .refreshTokenEnds(let days):
            return JournalEntry(
                .warning, "The refresh token ends soon; a person must sign in before",
                fields: [HeaderField("DAYS_LEFT", String(days))],
                messageID: MessageID.refreshTokenEnds)
        }
    }

    private func loginRequired(
        _ error: StoredError?, _ credential: CredentialConfiguration
    ) -> JournalEntry {
        let isFirst = error?.cause.kind.story == .noRefreshToken
        return JournalEntry(
            .error, isFirst ? "There is no refresh token yet" : "A person must sign in again",
            fields: error?.fields(credential, .loginRequired) ?? [],
            messageID: isFirst ? MessageID.noRefreshToken : MessageID.loginRequired)
    }

    private func misconfigured(
        _ error: StoredError?, _ credential: CredentialConfiguration
    ) -> JournalEntry {
        let isHere = error?.cause.kind.story == .setting
        return JournalEntry(
            .error,
            isHere
                ? "A setting of this host is wrong; nothing was sent"
                : "The credential is misconfigured",
            fields: error?.fields(credential, .misconfigured) ?? [],
            messageID: isHere ? MessageID.settingWrong : MessageID.misconfigured)
    }

    private func candidateFailed(
        _ state: CandidateToken.State, _ problem: String
    ) -> JournalEntry {
        JournalEntry(
            .warning, "The configured refresh token did not work; the stored one goes on",
            fields: [
                HeaderField("PROBLEM", problem), HeaderField("CANDIDATE", state.rawValue),
                HeaderField("REMEDY", state.remedy),
            ])
    }

    private func hookFailed(
        _ program: String, _ problem: String, _ failures: Int, _ pause: Duration?
    ) -> JournalEntry {
        var fields = [
            HeaderField("PROGRAM", program), HeaderField("PROBLEM", problem),
            HeaderField("FAILURES", String(failures)),
        ]
        if let pause { fields.append(HeaderField("NEXT_TRY_IN", describe(pause))) }
        return JournalEntry(
            .warning, "An on_change program failed", fields: fields,
            messageID: MessageID.hookFailed)
    }
}

extension StoredError {
    fileprivate func fields(
        _ credential: CredentialConfiguration, _ state: CredentialState
    ) -> [HeaderField] {
        [
            HeaderField("CLASS", failureClass.rawValue),
            HeaderField("CAUSE", cause.kind.rawValue), HeaderField("PROBLEM", problem),
            HeaderField("REMEDY", remedy(for: RemedyPlace(credential, state: state))),
        ]
    }
}

extension ResponseNote {
    fileprivate var field: HeaderField { HeaderField("NOTE", text) }
}
