package import TokenFormats
package import TokenSlots

/// A configured refresh token that is not in use, for the status; never the token itself.
package struct CandidateStatus: Sendable, Equatable {
    /// The provider's reaction so far.
    package var state: ControlWord<CandidateToken.State>
    /// When it was first seen in the configuration.
    package var since: WallTime?
    /// When it was sent last; `nil` before the first time.
    package var triedAt: WallTime?
    /// Why it is not in use; `nil` when unknown.
    package var problem: String?
    /// The next action, as an imperative sentence without its full stop.
    package var remedy: String?

    /// What `status` shows of this candidate.
    package init(_ candidate: CandidateToken) {
        state = ControlWord(candidate.state)
        (since, triedAt) = (candidate.since.wall, candidate.triedAt?.wall)
        (problem, remedy) = (candidate.problem, candidate.state.remedy)
    }

    /// The member `candidate`: every key is always present.
    package var json: JSONNode {
        .object([
            ("state", .string(state.text)), ("since", .orNull(since)),
            ("tried_at", .orNull(triedAt)), ("problem", .orNull(problem)),
            ("remedy", .orNull(remedy)),
        ])
    }

    /// - Returns: `nil` for a value without a state.
    package init?(json: JSONNode) {
        guard let state: ControlWord<CandidateToken.State> = json.word("state") else { return nil }
        self.state = state
        (since, triedAt) = (json.time("since"), json.time("tried_at"))
        (problem, remedy) = (json["problem"]?.text, json["remedy"]?.text)
    }
}

extension CandidateToken {
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
    package var remedy: String {
        switch self {
        case .untried: "Wait: it is tried beside the stored one, which goes on"
        case .refused:
            "Put a refresh token in place that the provider gave to this client, or the former one"
        case .maybeSpent:
            "Sign in again and put the new refresh token in place: answers to this one were lost"
        }
    }
}

extension SetAsideToken {
    /// One line of the credential's warnings.
    var warning: String {
        "the stored refresh token is of another server or client than the one configured now; "
            + "it is kept, and sent again if the configuration goes back to that"
    }
}
