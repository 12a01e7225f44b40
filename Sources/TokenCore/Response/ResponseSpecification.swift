/// How to read a response.
public struct ResponseSpecification: Sendable, Equatable {
    /// The format of a body; `auto` detects it.
    public enum Format: String, Sendable, CaseIterable { case auto, json, form, text }
    /// The meaning of an expiry of zero.
    public enum ZeroLifetime: String, Sendable, CaseIterable { case never, unknown, error }
    /// The lifetime of a token without an expiry in its response.
    public enum DefaultLifetime: Sendable, Equatable {
        case never
        case duration(Duration)
    }

    /// The format of the body.
    public var format = Format.auto
    /// All conditions must hold. Without conditions: a 2xx status and no non-empty `/error`.
    public var success: [ResponseCondition] = []
    /// The pointer that the fields below are relative to.
    public var root: JSONPointer?
    /// `nil` only for a step that returns no token.
    public var accessToken: ResponseSelector?
    /// The new refresh token; `nil` never looks for one.
    public var refreshToken: ResponseSelector?
    /// How the token is presented (RFC 6749 section 7.1).
    public var tokenType: ResponseSelector?
    /// The scope that was granted.
    public var scope: ResponseSelector?
    /// The earliest of them is used.
    public var expires: [ExpirySpecification] = []
    /// Ends of the refresh token; the first that resolves counts.
    public var refreshExpires: [ExpirySpecification] = []
    /// Used when the response has no expiry; `nil` means five minutes.
    public var defaultLifetime: DefaultLifetime?
    /// The meaning of a lifetime of zero; `nil`: the token has expired.
    public var zeroLifetime: ZeroLifetime?
    /// Whether the claim `exp` of an access token that is a JWT counts.
    public var readsJWTExpiry = true
    /// Other values to publish.
    public var keep: [NamedSelector] = []
}

/// A further value of an answer, with its name in `token.json`.
public struct NamedSelector: Sendable, Equatable {
    /// The name in `token.json`.
    public var name: String
    /// Where the value is.
    public var selector: ResponseSelector
}

/// Where in a response a value is.
public indirect enum ResponseSelector: Sendable, Equatable {
    case pointer(JSONPointer)
    case firstOf([ResponseSelector])
    case header(name: String, pattern: Pattern?)
    case matching(JSONPointer, Pattern)
    /// A constant, or a result of earlier steps.
    case value(Template)
    /// A value in the response of an earlier step.
    case step(String, JSONPointer)
    /// A claim of a JWT, by its name or by a JSON Pointer; by default of the access token. The
    /// signature is not checked: the claim only schedules, it authorizes nothing.
    case jwtClaim(JSONPointer, of: ResponseSelector?)
}

extension ResponseSelector {
    /// Whether its pattern matches only whole texts.
    var isAnchored: Bool {
        switch self {
        case .matching(_, let pattern), .header(_, let pattern?):
            pattern.isAnchored
        default: false
        }
    }

    /// Whether its pattern, if any, matches a text.
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

    /// This selector and those inside it.
    public var parts: [ResponseSelector] {
        switch self {
        case .firstOf(let parts): [self] + parts.flatMap(\.parts)
        case .jwtClaim(_, let of?): [self] + of.parts
        default: [self]
        }
    }
}

extension ResponseSpecification {
    /// All selectors, including nested ones.
    public var selectors: [ResponseSelector] {
        let single = [accessToken, refreshToken, tokenType, scope] + success.map(\.path)
        let all = single.compactMap { $0 } + (expires + refreshExpires).map(\.from)
        return (all + keep.map(\.selector)).flatMap(\.parts)
    }

    /// The parts of earlier responses that it reads.
    var stepPointers: [(step: String, pointer: JSONPointer)] {
        selectors.compactMap(\.stepPointer)
    }

    var templateVariables: Set<String> {
        selectors.reduce(into: []) { names, part in
            if case .value(let template) = part { names.formUnion(template.variables) }
        }
    }
}

/// Where a response gives an expiry.
public struct ExpirySpecification: Sendable, Equatable {
    /// The encoding of an expiry.
    public enum Encoding: Sendable, Equatable {
        case seconds, milliseconds, minutes, hours
        case epochSeconds, epochMilliseconds
        case rfc3339, iso8601Duration, textDuration, daysHoursMinutes, auto
        /// By a pattern; the zone (seconds east of UTC) applies when the text has none.
        case dateTime(DateTimePattern, zone: Int)
    }
    /// Where the expiry is.
    public var from: ResponseSelector
    /// Its encoding.
    public var encoding = Encoding.seconds
}

/// One condition on a response; every given part must hold.
public struct ResponseCondition: Sendable, Equatable {
    /// A status code, or a class of them (RFC 9110 section 15).
    public enum Status: Sendable, Equatable {
        case exactly(Int)
        /// A status class: `5xx` is 5.
        case hundred(Int)
    }
    /// The answer's status is one of these.
    public var status: [Status]?
    /// The value that the other parts check.
    public var path: ResponseSelector?
    /// In canonical form (``JSONNode/canonicalText``).
    public var isIn: [String]?
    /// The value is none of these, compared in canonical form.
    public var notIn: [String]?
    /// The pattern matches somewhere in the value.
    public var matches: Pattern?
    /// Whether the value must exist.
    public var exists: Bool?

    /// A condition that always holds.
    public init() {}
}

/// What an answer that is no success means for the credential (Contract 3.2).
public enum FailureClass: String, Sendable, CaseIterable, Equatable {
    /// A user must sign in.
    case reauth
    /// The refresh token was refused and is kept; acquire a new one.
    case reacquire
    /// The request itself is wrong.
    case config
    case tooEarly = "too_early"
    case rateLimited = "rate_limited"
    case transient
    /// The request was sent and the response is incomplete: the refresh token may be spent.
    case ambiguous
    /// The state could not be written, so nothing was sent; or a response could not be saved.
    case storage
    /// A token file could not be written.
    case output
}

/// What an answer that fulfils its conditions means; the first rule that does wins.
public struct ErrorRule: Sendable, Equatable {
    /// All must hold.
    public var conditions: [ResponseCondition]
    /// The meaning of the response for the credential.
    public var failureClass: FailureClass
    /// Where the response says when to retry.
    public var retryAfter: ExpirySpecification?

    /// The parts of earlier responses that it reads.
    var stepPointers: [(step: String, pointer: JSONPointer)] {
        (conditions.compactMap(\.path) + [retryAfter?.from].compactMap { $0 }).flatMap(\.parts)
            .compactMap(\.stepPointer)
    }
}
