/// What an answer that is no success means for the credential (Contract 3.2).
package enum FailureClass: String, Sendable, CaseIterable, Equatable {
    /// A user must sign in.
    case reauth
    /// The refresh token was refused and is kept; acquire a new one.
    case reacquire
    /// The request itself is wrong.
    case config
    /// The provider renews this token only near its end.
    case tooEarly = "too_early"
    /// The provider wants fewer requests.
    case rateLimited = "rate_limited"
    /// The provider could not be asked, or could not answer.
    case transient
    /// The request was sent and the response is incomplete: the refresh token may be spent.
    case ambiguous
    /// The state could not be written, so nothing was sent; or a response could not be saved.
    case storage
    /// A token file could not be written.
    case output
}

extension FailureClass {
    /// Those that a profile's error rules may name.
    static let ofErrorRules: [FailureClass] = [
        .reauth, .config, .transient, .rateLimited, .tooEarly, .reacquire,
    ]

    /// What a failure says of the refresh token that its request sent.
    package enum TokenVerdict: Sendable {
        /// It is not valid any more.
        case refused
        /// It may have been spent by the request.
        case maybeSpent
        /// Nothing.
        case unknown
    }

    /// Of the refresh token that the request sent.
    package var tokenVerdict: TokenVerdict {
        switch self {
        case .reauth, .reacquire: .refused
        case .ambiguous: .maybeSpent
        case .config, .tooEarly, .rateLimited, .transient, .storage, .output: .unknown
        }
    }

    /// The result of an attempt that no response ended, for a list of attempts.
    package var resultWithoutResponse: String {
        switch self {
        case .ambiguous: "no answer"
        case .output: "not written"
        case .reauth, .reacquire, .config, .tooEarly, .rateLimited, .transient, .storage:
            "not sent"
        }
    }

    /// The result of an attempt that a response with this HTTP status ended.
    package func result(ofStatus status: Int) -> String {
        switch self {
        case .reauth, .reacquire, .config: "refused"
        case .tooEarly: "too early"
        case .rateLimited: "put off"
        case .transient, .ambiguous: 200...299 ~= status ? "not understood" : "failed"
        case .storage: "not saved"
        case .output: "not written"
        }
    }
}
