/// Something odd about an answer that a person may want to know. Never holds a token.
public enum AnswerNote: Sendable, Equatable {
    /// The ends that the answer gives differ by this much; the earliest one rules.
    case expiryDisagrees(by: Duration)
    /// The expiry was missing or unusable; the default was taken.
    case expiryAssumed(Duration)
    /// An end that cannot be meant, such as a JWT's that lies before its issue, was left out.
    case expiryIgnored
    /// The answer was cut, and its refresh token was found in what there is.
    case refreshTokenSalvaged
    /// The answer breaks a rule, and its tokens were read all the same.
    case forgiven(Forgiveness)

    /// For the journal and the history.
    public var text: String {
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

extension AnswerReading {
    /// All notes in one line; `nil` without any.
    var noteText: String? {
        notes.isEmpty ? nil : notes.map(\.text).joined(separator: "; ")
    }
}
