/// How to read an answer.
public struct ResponseSpecification: Sendable, Equatable {
    /// What a body is; `auto` looks at it.
    public enum Format: String, Sendable, CaseIterable { case auto, json, form, text }
    /// What an end of zero means.
    public enum ZeroLifetime: String, Sendable, CaseIterable { case never, unknown, error }
    /// How long a token lives whose answer does not say.
    public enum DefaultLifetime: Sendable, Equatable {
        case never
        case duration(Duration)
    }

    /// What the body is.
    public var format = Format.auto
    /// All must hold. Without any: a 2xx status and no non-empty `/error`.
    public var success: [ResponseCondition] = []
    /// Where the fields below start.
    public var root: JSONPointer?
    /// `nil` only for a step that gives none.
    public var accessToken: ResponseSelector?
    /// The new refresh token; `nil` never looks for one.
    public var refreshToken: ResponseSelector?
    /// How the token is presented (RFC 6749 section 7.1).
    public var tokenType: ResponseSelector?
    /// The scope that was granted.
    public var scope: ResponseSelector?
    /// The earliest of them rules.
    public var expires: [ExpirySpecification] = []
    /// Ends of the refresh token; the first that resolves counts.
    public var refreshExpires: [ExpirySpecification] = []
    /// Assumed where the answer names no end; `nil` assumes five minutes.
    public var defaultLifetime: DefaultLifetime?
    /// What a lifetime of zero means; `nil`: the token has ended.
    public var zeroLifetime: ZeroLifetime?
    /// Whether the claim `exp` of an access token that is a JWT counts.
    public var readsJWTExpiry = true
    /// Other values worth publishing.
    public var keep: [NamedSelector] = []
}

/// A further value of an answer, with its name in `token.json`.
public struct NamedSelector: Sendable, Equatable {
    /// The name in `token.json`.
    public var name: String
    /// Where the value stands.
    public var selector: ResponseSelector
}

/// Where in an answer a value stands.
public indirect enum ResponseSelector: Sendable, Equatable {
    case pointer(JSONPointer)
    case firstOf([ResponseSelector])
    case header(name: String, pattern: Pattern?)
    case matching(JSONPointer, Pattern)
    /// A constant, or what earlier steps gave.
    case value(Template)
    /// In the answer of an earlier step.
    case step(String, JSONPointer)
    /// A claim of a JWT, by its name or by a JSON Pointer; of the access token if nothing is said.
    /// The signature is not checked: what it says schedules, and grants nothing.
    case jwtClaim(JSONPointer, of: ResponseSelector?)
}

extension ResponseSelector {
    /// Whether it lets only texts pass that its pattern describes from end to end.
    var isAnchored: Bool {
        switch self {
        case .matching(_, let pattern), .header(_, let pattern?):
            pattern.isAnchored
        default: false
        }
    }

    /// Whether its pattern, if it has one, describes a text.
    func lets(_ text: String) -> Bool {
        switch self {
        case .matching(_, let pattern), .header(_, let pattern?): pattern.matches(text)
        default: true
        }
    }

    /// The header it reads, in lower case.
    public var headerName: String? {
        if case .header(let name, _) = self { name.asciiLowercased } else { nil }
    }

    var stepPointer: (step: String, pointer: JSONPointer)? {
        if case .step(let id, let pointer) = self { (id, pointer) } else { nil }
    }

    /// Itself and the selectors inside it.
    public var parts: [ResponseSelector] {
        switch self {
        case .firstOf(let parts): [self] + parts.flatMap(\.parts)
        case .jwtClaim(_, let of?): [self] + of.parts
        default: [self]
        }
    }
}

extension ResponseSpecification {
    /// All of them, those inside others too.
    public var selectors: [ResponseSelector] {
        let single = [accessToken, refreshToken, tokenType, scope] + success.map(\.path)
        let all = single.compactMap { $0 } + (expires + refreshExpires).map(\.from)
        return (all + keep.map(\.selector)).flatMap(\.parts)
    }

    /// What it reads of earlier steps' answers.
    var stepPointers: [(step: String, pointer: JSONPointer)] {
        selectors.compactMap(\.stepPointer)
    }

    var templateVariables: Set<String> {
        selectors.reduce(into: []) { names, part in
            if case .value(let template) = part { names.formUnion(template.variables) }
        }
    }
}

/// When an answer says something expires.
public struct ExpirySpecification: Sendable, Equatable {
    /// How an end is written.
    public enum Encoding: Sendable, Equatable {
        case seconds, milliseconds, minutes, hours
        case epochSeconds, epochMilliseconds
        case rfc3339, iso8601Duration, textDuration, daysHoursMinutes, auto
        /// By a pattern, in this zone (seconds east of UTC) where the text does not say.
        case dateTime(DateTimePattern, zone: Int)
    }
    /// Where the end stands.
    public var from: ResponseSelector
    /// How it is written.
    public var encoding = Encoding.seconds
}

/// One condition on an answer; every part given must hold.
public struct ResponseCondition: Sendable, Equatable {
    /// A status code, or a class of them (RFC 9110 section 15).
    public enum Status: Sendable, Equatable {
        case exactly(Int)
        /// `5xx` is 5.
        case hundred(Int)
    }
    /// The answer's status is one of these.
    public var status: [Status]?
    /// The value that the other parts look at.
    public var path: ResponseSelector?
    /// Canonical texts.
    public var isIn: [String]?
    /// The value is none of these, compared as canonical texts.
    public var notIn: [String]?
    /// The value matches somewhere.
    public var matches: Pattern?
    /// The value is there, or is not.
    public var exists: Bool?

    /// A condition that always holds.
    public init() {}
}

/// What an answer that is no success means for the credential (contract section 3).
public enum FailureClass: String, Sendable, CaseIterable, Equatable {
    /// A person must sign in.
    case reauth
    /// The refresh token is refused, and kept; acquire a new one.
    case reacquire
    /// The request itself is wrong.
    case config
    case tooEarly = "too_early"
    case rateLimited = "rate_limited"
    case transient
    /// Sent, and not answered completely: the refresh token may be spent.
    case ambiguous
    /// The state could not be written, so nothing was sent; or an answer could not be saved.
    case storage
    /// A token file could not be written.
    case output
}

/// What an answer that fulfils its conditions means; the first rule that does wins.
public struct ErrorRule: Sendable, Equatable {
    /// All must hold.
    public var conditions: [ResponseCondition]
    /// What the answer means for the credential.
    public var failureClass: FailureClass
    /// Where the answer says when to try again.
    public var retryAfter: ExpirySpecification?

    /// What it looks at in earlier steps' answers.
    var stepPointers: [(step: String, pointer: JSONPointer)] {
        (conditions.compactMap(\.path) + [retryAfter?.from].compactMap { $0 }).flatMap(\.parts)
            .compactMap(\.stepPointer)
    }
}
