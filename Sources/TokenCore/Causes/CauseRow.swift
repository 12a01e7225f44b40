/// One line of the table of causes.
struct CauseRow: Sendable {
    /// Whose matter it is, and so which entry of the journal's catalogue tells it when a person is
    /// needed.
    var story: CauseStory
    /// What happened: a clause that follows `NAME: ` and has no full stop.
    var problem: CauseSentence
    /// What to do, an imperative, the one command first; no full stop.
    var remedy: CauseSentence

    init(_ story: CauseStory, _ problem: String, _ remedy: String) {
        (self.story, self.problem) = (story, CauseSentence(problem))
        self.remedy = CauseSentence(remedy)
    }
}

/// Which story a cause belongs to.
public enum CauseStory: String, Sendable, CaseIterable {
    /// The network, a proxy, the provider's server: it is tried again by itself.
    case way
    /// The provider does not accept what is sent.
    case refusal
    /// A file or a setting of this host; nothing was sent.
    case setting
    /// The refresh token is no good any more.
    case signIn
    /// There never was one.
    case noRefreshToken
    case storage
    case output
    /// The state is a copy, old, or cannot be read.
    case untrusted
}

extension CauseKind {
    /// Its line. Every kind has one: a test goes through all of them.
    var row: CauseRow { CauseRow.all[self] ?? CauseRow.untold }

    public var story: CauseStory { row.story }
}

extension CauseRow {
    /// The one table of problems and remedies.
    static let all: [CauseKind: CauseRow] = [
        way, trust, answers, refusals, signIns, settings, storage, outputs,
    ].reduce(into: [.untold: untold]) { $0.merge($1) { first, _ in first } }

    static let untold = CauseRow(
        .way, "[{detail}|it failed]", "Run: evertoken refresh {credential}")
}

extension Cause {
    /// What happened, in words.
    public var problem: String { kind.row.problem.text(facts.text) }

    /// What a person should do next, as an imperative sentence without its full stop.
    public func remedy(for place: RemedyPlace) -> String {
        kind.row.remedy.text { place.text(of: $0) ?? facts.text(of: $0) }
    }
}

/// What a remedy must know of the credential.
public struct RemedyPlace: Sendable, Equatable {
    public var credential: String
    public var state: CredentialState
    /// Whether `evertoken login` works with its provider.
    public var hasSignIn: Bool

    public init(credential: String, state: CredentialState, hasSignIn: Bool) {
        (self.credential, self.state, self.hasSignIn) = (credential, state, hasSignIn)
    }

    public init(_ configuration: CredentialConfiguration, state: CredentialState) {
        let profile = configuration.profile
        self.init(
            credential: configuration.name, state: state,
            hasSignIn: profile.authorization != nil && profile.signInObstacle == nil)
    }

    func text(of name: String) -> String? {
        switch name {
        case "credential": credential
        case "login": hasSignIn ? "evertoken login \(credential)" : nil
        case "signin": signIn
        // Brackets are the sentence's own.
        case "service": "[Service]"
        default: nil
        }
    }

    /// What brings a new refresh token.
    var signInCommand: String {
        hasSignIn ? "evertoken login \(credential)" : "evertoken import \(credential)"
    }

    /// How the credential gets a new refresh token: the one command.
    var signIn: String {
        hasSignIn
            ? "Run: evertoken login \(credential)"
            : "Run: evertoken import \(credential), or put a new refresh token where the "
                + "configuration names it"
    }
}
