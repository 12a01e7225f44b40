package import TokenFormats

/// A response as received, and as stored until it has been read.
package struct RawResponse: Sendable, Equatable {
    /// A longer body is truncated, in bytes: what a slot can store.
    package static let maximumStoredBody = 48 * 1024

    /// The status code (RFC 9110 section 15).
    package var status: Int
    /// In the received order; for a stored response only the stored ones.
    package var headers: [HeaderField]
    /// At most as many bytes as a slot can store.
    package var body: [UInt8]
    /// The connection ended early, or the body was larger than the limit.
    package var isTruncated: Bool

    /// A response, by default a complete one.
    package init(status: Int, headers: [HeaderField] = [], body: [UInt8], isTruncated: Bool = false)
    {
        (self.status, self.headers, self.body) = (status, headers, body)
        self.isTruncated = isTruncated
    }

    /// The server's clock, if the response has a `Date`.
    package var date: WallTime? {
        header("Date").flatMap(CivilTime.epochSeconds(httpDate:))
            .map { WallTime(epochSeconds: $0) }
    }

    /// The value of the first field of a name; names are compared without regard to case.
    package func header(_ name: String) -> String? {
        headers(name).first
    }

    /// The values of every field with this name, in order.
    package func headers(_ name: String) -> [String] {
        let wanted = name.asciiLowercased
        return headers.filter { $0.name.asciiLowercased.hasSameBytes(as: wanted) }
            .map(\.value)
    }
}

/// Lifetime of a new access token, counted from when the request was sent: the token may be
/// younger, never older.
package enum TokenLifetime: Sendable, Equatable {
    case never
    case limited(Duration)

    /// `nil` for ``never``.
    package var duration: Duration? {
        if case .limited(let duration) = self { duration } else { nil }
    }
}

/// What a successful response granted.
package struct TokenResponse: Sendable, Equatable {
    /// The server's clock, if the response has a `Date`.
    package var date: WallTime?
    /// Empty only for a step that returns no token.
    package var accessToken: Secret
    /// How the token is presented (RFC 6749 section 7.1).
    package var tokenType: String?
    /// The scope that was granted, if the answer says (RFC 6749 section 5.1).
    package var scope: String?
    /// The earliest expiry in the response, or the assumed one.
    package var lifetime: TokenLifetime
    /// Lifetime of the refresh token, if the response gives it.
    package var refreshLifetime: Duration?
    /// In the profile's order.
    package var keep: [JSONMember]
    /// The values that later steps read from this response, by JSON Pointer.
    package var pointed: [JSONMember] = []
}

/// Why there is no token, for code and for operators.
package struct Refusal: Error, Sendable, Equatable {
    /// The meaning for the next attempt.
    package var failureClass: FailureClass
    /// The kind of failure with its facts.
    package var cause: Cause
    /// The response's status code; `nil` without a response.
    package var httpStatus: Int?
    /// How long the provider asks to wait; at most an hour.
    package var retryAfter: Duration?
    /// A 4xx response whose body gives no error.
    package var hasNoErrorBody: Bool
    /// The response's `error`, if it is a registered name.
    package var errorCode: String?

    package init(
        _ failureClass: FailureClass, _ cause: Cause, httpStatus: Int? = nil,
        retryAfter: Duration? = nil, hasNoErrorBody: Bool = false, errorCode: String? = nil
    ) {
        (self.failureClass, self.cause, self.httpStatus) = (failureClass, cause, httpStatus)
        self.retryAfter = retryAfter
        self.hasNoErrorBody = hasNoErrorBody
        self.errorCode = errorCode
    }

    /// The failure in words. Never a server's raw text.
    package var problem: String { cause.problem }
    /// Nothing was sent because a secret cannot be read.
    package var awaitsSecret: Bool { cause.kind.awaitsSecret }
}

/// Everything that one response tells. A pure function of the response and the profile, so that
/// recovery reads a stored response exactly as the daemon did when it arrived.
package struct ResponseOutcome: Sendable, Equatable {
    /// The grant, or why there is none.
    package var result: Result<TokenResponse, Refusal>
    /// A refresh token to keep from now on, even where the rest of the answer is unusable;
    /// `nil` means: keep the one there is (I9).
    package var refreshToken: Secret?
    /// Whether a response without a refresh token means that the sent one remains valid: not when
    /// the response is truncated, or has something unreadable in that field.
    package var tellsRotation = true
    /// Refresh tokens that the same response replaced by a later one: they are never sent.
    package var otherRefreshTokens: [Secret] = []
    /// A refresh token in an error response to the one that was sent.
    package var offeredRefreshToken: Secret?
    /// The access token of a response that says it has already expired. It is never published; a
    /// server that returns one cached token may have returned it before.
    package var endedToken: Secret?
    /// Unusual parts of the response that were tolerated.
    package var notes: [ResponseNote]
}
