/// How to read an answer.
public struct ResponseSpecification: Sendable, Equatable {
    public enum Format: String, Sendable, CaseIterable { case auto, json, form, text }
    public enum ZeroLifetime: String, Sendable, CaseIterable { case never, unknown, error }
    public enum DefaultLifetime: Sendable, Equatable {
        case never
        case duration(Duration)
    }

    public var format = Format.auto
    /// All must hold. Without any: a 2xx status and no non-empty `/error`.
    public var success: [ResponseCondition] = []
    /// Where the fields below start.
    public var root: JSONPointer?
    public var accessToken: ResponseSelector
    public var refreshToken: ResponseSelector?
    public var tokenType: ResponseSelector?
    public var scope: ResponseSelector?
    /// The first that resolves rules.
    public var expires: [ExpirySpecification] = []
    public var refreshExpires: [ExpirySpecification] = []
    public var defaultLifetime: DefaultLifetime?
    public var zeroLifetime = ZeroLifetime.unknown
    /// Other values worth publishing.
    public var keep: [NamedSelector] = []
}

public struct NamedSelector: Sendable, Equatable {
    public var name: String
    public var selector: ResponseSelector
}

/// Where in an answer a value stands.
public indirect enum ResponseSelector: Sendable, Equatable {
    case pointer(JSONPointer)
    case firstOf([ResponseSelector])
    case header(name: String, pattern: Pattern?)
    case matching(JSONPointer, Pattern)
    /// A constant.
    case value(String)
}

/// When an answer says something expires.
public struct ExpirySpecification: Sendable, Equatable {
    public enum Encoding: String, Sendable, CaseIterable {
        case seconds, milliseconds, minutes, hours
        case epochSeconds = "epoch_seconds"
        case epochMilliseconds = "epoch_milliseconds"
        case rfc3339, auto
    }
    public var from: ResponseSelector
    public var encoding = Encoding.seconds
}

/// One condition on an answer; every part given must hold.
public struct ResponseCondition: Sendable, Equatable {
    public enum Status: Sendable, Equatable {
        case exactly(Int)
        /// `5xx` is 5.
        case hundred(Int)
    }
    public var status: [Status]?
    public var path: ResponseSelector?
    /// Canonical texts.
    public var isIn: [String]?
    public var notIn: [String]?
    public var matches: Pattern?
    public var exists: Bool?

    public init() {}
}

/// A regular expression with its text, so that it can be compared and sent between tasks.
public struct Pattern: Sendable, Equatable {
    public let text: String

    /// `nil` unless the text is a valid regular expression.
    public init?(_ text: String) {
        guard (try? Regex<AnyRegexOutput>(text)) != nil else { return nil }
        self.text = text
    }

    /// The first capture of the first match, or all of it; `nil` without a match.
    public func firstMatch(in subject: String) -> String? {
        guard let regex = try? Regex<AnyRegexOutput>(text),
            let match = try? regex.firstMatch(in: subject)
        else { return nil }
        let captured = match.output.count > 1 ? match.output[1] : match.output[0]
        return captured.substring.map(String.init)
    }

    public func matches(_ subject: String) -> Bool { firstMatch(in: subject) != nil }

    public func matchesWhole(_ subject: String) -> Bool {
        guard let regex = try? Regex<AnyRegexOutput>(text) else { return false }
        return (try? regex.wholeMatch(in: subject)) != nil
    }
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

public struct ErrorRule: Sendable, Equatable {
    public var conditions: [ResponseCondition]
    public var failureClass: FailureClass
    public var retryAfter: ExpirySpecification?
}
