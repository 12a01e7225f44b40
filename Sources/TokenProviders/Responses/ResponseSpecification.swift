package import TokenFormats

/// How to read a response.
package struct ResponseSpecification: Sendable, Equatable {
    /// The format of a body; `auto` detects it.
    package enum Format: String, Sendable, CaseIterable { case auto, json, form, text }
    /// The meaning of an expiry of zero.
    package enum ZeroLifetime: String, Sendable, CaseIterable { case never, unknown, error }
    /// The lifetime of a token without an expiry in its response.
    package enum DefaultLifetime: Sendable, Equatable {
        case never
        case duration(Duration)
    }

    /// The format of the body.
    package var format = Format.auto
    /// All conditions must hold. Without conditions: a 2xx status and no non-empty `/error`.
    package var success: [ResponseCondition] = []
    /// The pointer that the fields below are relative to.
    package var root: JSONPointer?
    /// `nil` only for a step that returns no token.
    package var accessToken: ResponseSelector?
    /// The new refresh token; `nil` never looks for one.
    package var refreshToken: ResponseSelector?
    /// How the token is presented (RFC 6749 section 7.1).
    package var tokenType: ResponseSelector?
    /// The scope that was granted.
    package var scope: ResponseSelector?
    /// The earliest of them is used.
    package var expires: [ExpirySpecification] = []
    /// Ends of the refresh token; the first that resolves counts.
    package var refreshExpires: [ExpirySpecification] = []
    /// Used when the response has no expiry; `nil` means five minutes.
    package var defaultLifetime: DefaultLifetime?
    /// The meaning of a lifetime of zero; `nil`: the token has expired.
    package var zeroLifetime: ZeroLifetime?
    /// Whether the claim `exp` of an access token that is a JWT counts.
    package var readsJWTExpiry = true
    /// Other values to publish.
    package var keep: [NamedSelector] = []
}

/// A further value of an answer, with its name in `token.json`.
package struct NamedSelector: Sendable, Equatable {
    /// The name in `token.json`.
    package var name: String
    /// Where the value is.
    package var selector: ResponseSelector
}

/// Where in a response a value is.
package indirect enum ResponseSelector: Sendable, Equatable {
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
    package var headerName: String? {
        if case .header(let name, _) = self { name.asciiLowercased } else { nil }
    }

    var stepPointer: (step: String, pointer: JSONPointer)? {
        if case .step(let id, let pointer) = self { (id, pointer) } else { nil }
    }

    /// This selector and those inside it.
    package var parts: [ResponseSelector] {
        switch self {
        case .firstOf(let parts): [self] + parts.flatMap(\.parts)
        case .jwtClaim(_, let of?): [self] + of.parts
        default: [self]
        }
    }
}

extension ResponseSpecification {
    /// All selectors, including nested ones.
    package var selectors: [ResponseSelector] {
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
package struct ExpirySpecification: Sendable, Equatable {
    /// The encoding of an expiry.
    package enum Encoding: Sendable, Equatable {
        case seconds, milliseconds, minutes, hours
        case epochSeconds, epochMilliseconds
        case rfc3339, iso8601Duration, textDuration, daysHoursMinutes, auto
        /// By a pattern; the zone (seconds east of UTC) applies when the text has none.
        case dateTime(DateTimePattern, zone: Int)
    }
    /// Where the expiry is.
    package var from: ResponseSelector
    /// Its encoding.
    package var encoding = Encoding.seconds
}

/// One condition on a response; every given part must hold.
package struct ResponseCondition: Sendable, Equatable {
    /// A status code, or a class of them (RFC 9110 section 15).
    package enum Status: Sendable, Equatable {
        case exactly(Int)
        /// A status class: `5xx` is 5.
        case hundred(Int)
    }
    /// The answer's status is one of these.
    package var status: [Status]?
    /// The value that the other parts check.
    package var path: ResponseSelector?
    /// In canonical form (`JSONNode/canonicalText`).
    package var isIn: [String]?
    /// The value is none of these, compared in canonical form.
    package var notIn: [String]?
    /// The pattern matches somewhere in the value.
    package var matches: Pattern?
    /// Whether the value must exist.
    package var exists: Bool?

    /// A condition that always holds.
    package init() {}
}

/// What an answer that fulfils its conditions means; the first rule that does wins.
package struct ErrorRule: Sendable, Equatable {
    /// All must hold.
    package var conditions: [ResponseCondition]
    /// The meaning of the response for the credential.
    package var failureClass: FailureClass
    /// Where the response says when to retry.
    package var retryAfter: ExpirySpecification?

    /// The parts of earlier responses that it reads.
    var stepPointers: [(step: String, pointer: JSONPointer)] {
        (conditions.compactMap(\.path) + [retryAfter?.from].compactMap { $0 }).flatMap(\.parts)
            .compactMap(\.stepPointer)
    }
}
