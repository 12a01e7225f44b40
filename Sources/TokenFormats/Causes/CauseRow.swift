/// One line of the table of causes.
struct CauseRow: Sendable {
    /// The area of the cause, and so the journal entry of the catalogue that announces it when an
    /// operator is needed.
    var story: CauseArea
    /// What happened: a clause that follows `NAME: ` and has no full stop.
    var problem: CauseSentence
    /// The action, as an imperative that begins with the most useful command; no full stop.
    var remedy: CauseSentence

    init(_ story: CauseArea, _ problem: String, _ remedy: String) {
        (self.story, self.problem) = (story, CauseSentence(problem))
        self.remedy = CauseSentence(remedy)
    }
}

/// The area that a cause belongs to.
package enum CauseArea: String, Sendable, CaseIterable {
    /// The network, a proxy or the provider's server: the daemon retries by itself.
    case way
    /// The provider rejects the request.
    case refusal
    /// A file or a setting of this host; nothing was sent.
    case setting
    /// The refresh token is no longer valid.
    case signIn
    /// There has never been a refresh token.
    case noRefreshToken
    case storage
    case output
    /// The state is a copy, outdated, or unreadable.
    case untrusted
}

extension CauseKind {
    /// Its row. A test checks that every kind has one.
    var row: CauseRow { CauseRow.all[self] ?? CauseRow.untold }

    package var story: CauseArea { row.story }
}

extension CauseRow {
    /// The only table of problems and remedies.
    static let all: [CauseKind: CauseRow] = [
        way, trust, answers, refusals, signIns, endedSignIns, settings, storage, outputs,
    ].reduce(into: [.untold: untold]) { $0.merge($1) { first, _ in first } }

    static let untold = CauseRow(
        .way, "[{detail}|it failed]", "Run: evertoken refresh {credential}")
}

extension Cause {
    /// What happened, in words.
    package var problem: String { kind.row.problem.text(facts.text) }

    /// The next action for the operator, as an imperative sentence without its full stop.
    package func remedy(for place: RemedyPlace) -> String {
        kind.row.remedy.text { place.text(of: $0) ?? facts.text(of: $0) }
    }
}

/// The facts of the credential that a remedy needs.
package struct RemedyPlace: Sendable, Equatable {
    package var credential: String
    package var state: CredentialState
    /// Whether `evertoken login` works with its provider.
    package var hasSignIn: Bool

    package init(credential: String, state: CredentialState, hasSignIn: Bool) {
        (self.credential, self.state, self.hasSignIn) = (credential, state, hasSignIn)
    }

    func text(of name: String) -> String? {
        switch name {
        case "credential": credential
        case "login": hasSignIn ? "evertoken login \(credential)" : nil
        case "signin": signIn
        // For a sign-in, which may use only a code.
        case "again": "run: evertoken login \(credential)"
        // The brackets belong to the sentence.
        case "service": "[Service]"
        default: nil
        }
    }

    /// The command that obtains a new refresh token.
    package var signInCommand: String {
        hasSignIn ? "evertoken login \(credential)" : "evertoken import \(credential)"
    }

    /// The instruction to obtain a new refresh token, with its command.
    package var signIn: String {
        hasSignIn
            ? "Run: evertoken login \(credential)"
            : "Run: evertoken import \(credential), or put a new refresh token where the "
                + "configuration names it"
    }
}
