internal import TokenFormats

/// Something unusual in a response that the operator may want to know. Never contains a token.
package enum ResponseNote: Sendable, Equatable {
    /// The expiry times in the response differ by this much; the earliest one is used.
    case expiryDisagrees(by: Duration)
    /// The expiry was missing or unusable; the default was taken.
    case expiryAssumed(Duration)
    /// An implausible expiry was ignored, such as that of a JWT that expires before its issue.
    case expiryIgnored
    /// The response was truncated, and its refresh token was found in the part that arrived.
    case refreshTokenSalvaged
    /// The response violates a rule, and its tokens were used anyway.
    case forgiven(Forgiveness)

    /// For the journal and the history.
    package var text: String {
        switch self {
        case .expiryDisagrees(let difference):
            "the ends that the response gives differ by \(describe(difference)); the earliest holds"
        case .expiryAssumed(let duration):
            "no usable expiry; assumed \(describe(duration))"
        case .expiryIgnored: "an end in the response cannot be meant and was left out"
        case .refreshTokenSalvaged: "the answer was cut; its refresh token was saved"
        case .forgiven(let forgiveness): "the response was read although \(forgiveness.rawValue)"
        }
    }
}

extension ResponseOutcome {
    /// All notes in one line; `nil` without any.
    package var noteText: String? {
        notes.isEmpty ? nil : notes.map(\.text).joined(separator: "; ")
    }
}
