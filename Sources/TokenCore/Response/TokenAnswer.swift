/// An answer as it came from the wire, and as it is kept until it has been read.
public struct RawAnswer: Sendable, Equatable {
    /// The status code (RFC 9110 section 15).
    public var status: Int
    /// As they came, in order; of a stored answer those that are kept.
    public var headers: [HeaderField]
    /// At most as many bytes as a slot can hold.
    public var body: [UInt8]
    /// The connection ended early, or the body was larger than is kept.
    public var isTruncated: Bool

    /// An answer that came whole, if nothing else is said.
    public init(status: Int, headers: [HeaderField] = [], body: [UInt8], isTruncated: Bool = false)
    {
        (self.status, self.headers, self.body) = (status, headers, body)
        self.isTruncated = isTruncated
    }

    /// The server's clock, if it told.
    public var date: WallTime? {
        header("Date").flatMap(CivilTime.epochSeconds(httpDate:))
            .map { WallTime(epochSeconds: $0) }
    }

    /// The value of the first field of a name; names are compared without regard to case.
    public func header(_ name: String) -> String? {
        headers(name).first
    }

    /// The values of every field of a name, in their order.
    public func headers(_ name: String) -> [String] {
        let wanted = name.asciiLowercased
        return headers.filter { $0.name.asciiLowercased.hasSameBytes(as: wanted) }
            .map(\.value)
    }
}

/// How long a new access token lives, counted from when the request was sent: the token may be
/// younger than that, never older.
public enum TokenLifetime: Sendable, Equatable {
    case never
    case limited(Duration)

    /// `nil` for ``never``.
    public var duration: Duration? {
        if case .limited(let duration) = self { duration } else { nil }
    }
}

/// What a successful answer granted.
public struct TokenAnswer: Sendable, Equatable {
    /// The server's clock, if it told.
    public var date: WallTime?
    /// Empty only in the answer to a step that gives none.
    public var accessToken: Secret
    /// How the token is presented (RFC 6749 section 7.1).
    public var tokenType: String?
    /// The scope that was granted, if the answer says (RFC 6749 section 5.1).
    public var scope: String?
    /// The earliest end that the answer gives, or what is assumed.
    public var lifetime: TokenLifetime
    /// Of the refresh token, when the answer says.
    public var refreshLifetime: Duration?
    /// In the profile's order.
    public var keep: [JSONMember]
    /// What later steps read of this answer, by JSON Pointer.
    public var pointed: [JSONMember] = []
}

/// Why there is no token, for code and for people.
public struct Refusal: Error, Sendable, Equatable {
    /// What it means for the next attempt.
    public var failureClass: FailureClass
    /// What happened, as a kind with its facts.
    public var cause: Cause
    /// The answer's status code; `nil` where none came.
    public var httpStatus: Int?
    /// How long the provider asks to wait; at most an hour.
    public var retryAfter: Duration?
    /// A 4xx whose body says nothing.
    public var isBare: Bool
    /// The answer's `error`, if it is one of the registered names.
    public var errorCode: String?

    public init(
        _ failureClass: FailureClass, _ cause: Cause, httpStatus: Int? = nil,
        retryAfter: Duration? = nil, isBare: Bool = false, errorCode: String? = nil
    ) {
        (self.failureClass, self.cause, self.httpStatus) = (failureClass, cause, httpStatus)
        (self.retryAfter, self.isBare, self.errorCode) = (retryAfter, isBare, errorCode)
    }

    /// What happened, in words. Never a server's raw text.
    public var problem: String { cause.problem }
    /// Nothing was sent, for a secret cannot be read.
    public var awaitsSecret: Bool { cause.kind.awaitsSecret }
}

/// All that can be learnt from one answer. A pure function of the answer and the profile, so that
/// recovery reads a stored answer exactly as the daemon did when it came.
public struct AnswerReading: Sendable, Equatable {
    /// The grant, or why there is none.
    public var result: Result<TokenAnswer, Refusal>
    /// A refresh token to keep from now on, even where the rest of the answer is unusable;
    /// `nil` means: keep the one there is (I9).
    public var refreshToken: Secret?
    /// Whether an answer without a refresh token says that the one that was sent goes on: one that
    /// ends too early, or has something unreadable in its place, does not.
    public var tellsRotation = true
    /// Refresh tokens that the same answer replaced by a later one: none of them is ever sent.
    public var otherRefreshTokens: [Secret] = []
    /// A refresh token in an answer that refuses the one that was sent.
    public var offeredRefreshToken: Secret?
    /// The access token of an answer that says it has ended already. It is never published; a
    /// server that hands out one cached token may have handed it out before.
    public var endedToken: Secret?
    /// What was odd about the answer and was forgiven.
    public var notes: [AnswerNote]
}
