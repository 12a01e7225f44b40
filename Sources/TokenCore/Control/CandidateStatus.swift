// A configured refresh token that is not in use, for the status; never the token itself.
extension CandidateToken {
    var statusJSON: JSONNode {
        .object([
            ("state", .string(state.rawValue)), ("since", .integer(since.wall.epochSeconds)),
            ("tried_at", triedAt.map { .integer($0.wall.epochSeconds) } ?? JSONNode(.null)),
            ("problem", problem.map { .string($0) } ?? JSONNode(.null)),
            ("remedy", .string(state.remedy)),
        ])
    }

    /// One line of the credential's warnings.
    var warning: String {
        let reason = problem.map { " (\($0))" } ?? ""
        return switch state {
        case .untried: "a new refresh token is configured and not proved yet\(reason)"
        case .refused:
            "the configured refresh token was refused\(reason); the stored one goes on. "
                + state.remedy
        case .maybeSpent:
            "the configured refresh token may be spent\(reason); the stored one goes on. "
                + state.remedy
        }
    }
}

extension CandidateToken.State {
    /// The next action, as an imperative sentence without its full stop.
    public var remedy: String {
        switch self {
        case .untried: "Wait: it is tried beside the stored one, which goes on"
        case .refused:
            "Put a refresh token in place that the provider gave to this client, or the former one"
        case .maybeSpent:
            "Sign in again and put the new refresh token in place: answers to this one were lost"
        }
    }
}

extension TokenElsewhere {
    /// One line of the credential's warnings.
    var warning: String {
        "the stored refresh token is of another server or client than the one configured now; "
            + "it is kept, and sent again if the configuration goes back to that"
    }
}
