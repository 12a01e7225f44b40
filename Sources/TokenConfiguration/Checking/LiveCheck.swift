package import TokenFormats
package import TokenProviders

/// The result of testing one credential's provider from this host (`evertoken check --live`). The
/// test spends nothing.
package struct LiveCheck: Sendable, Equatable {
    package enum Step: String, Sendable, Equatable, CaseIterable {
        /// Secrets and variables suffice for a request.
        case settings
        case name
        case connection
        case tls
        /// This host's clock compared with the provider's.
        case clock
        /// Whether the provider accepts the client.
        case client
    }

    package enum Outcome: String, Sendable, Equatable, CaseIterable {
        case fine = "ok"
        case notTried = "not_tried"
        /// A setting of this host is wrong.
        case wrongHere = "wrong_here"
        /// The provider, or the network path to it, fails.
        case wrongThere = "wrong_there"
    }

    package struct Line: Sendable, Equatable {
        package var step: Step
        package var outcome: Outcome
        /// What was tested, what is wrong, or why it was not tested. Never a server's text.
        package var text: String
        package var remedy: String?

        package init(_ step: Step, _ outcome: Outcome, _ text: String, remedy: String? = nil) {
            (self.step, self.outcome, self.text, self.remedy) = (step, outcome, text, remedy)
        }
    }

    package var credential: String
    package private(set) var lines: [Line] = []

    package init(credential: String) { self.credential = credential }

    package mutating func note(_ line: Line) { lines.append(line) }

    /// Adds a step with the texts of the table of causes.
    package mutating func note(_ step: Step, _ outcome: Outcome, _ cause: Cause) {
        let place = RemedyPlace(credential: credential, state: .pending, hasSignIn: false)
        note(Line(step, outcome, cause.problem, remedy: cause.remedy(for: place)))
    }
}

/// How far a test connection got, over which nothing is sent.
package enum ConnectionOutcome: Sendable, Equatable {
    package enum Stage: Sendable, Equatable, CaseIterable {
        case name, connection, tls
        /// Files of this host: certificate authorities, or the client's certificate.
        case files
    }
    /// Established, with a certificate that is valid for the host.
    case stands
    case failed(Stage, Cause)
}

extension LiveCheck {
    /// Adds one line for each stage that was reached.
    package mutating func note(_ outcome: ConnectionOutcome, to host: String) {
        let steps: [(Step, ConnectionOutcome.Stage)] = [
            (.name, .name), (.connection, .connection), (.tls, .tls),
        ]
        for (step, stage) in steps {
            switch outcome {
            case .stands: note(Line(step, .fine, host))
            case .failed(let failed, let cause) where failed == stage:
                return note(step, .wrongThere, cause)
            case .failed(.files, let cause) where stage == .tls:
                return note(step, .wrongHere, cause)
            case .failed: note(Line(step, .fine, host))
            }
        }
    }

    /// With a larger difference, tokens and assertions have wrong dates.
    static let largestClockDifference: Duration = .seconds(30)

    /// Compares this host's clock with a `Date` header.
    ///
    /// - Parameters:
    ///   - date: The provider's time, in whole seconds.
    ///   - sent: This host's clock before the request; `received` is that after the response.
    ///   - received: This host's clock after the response.
    package mutating func noteClock(date: WallTime?, sent: WallTime, received: WallTime) {
        guard let date else {
            return note(Line(.clock, .notTried, "the provider does not tell its own"))
        }
        let (ahead, behind) = (date.duration(to: sent), received.duration(to: date))
        let (difference, word) = ahead > behind ? (ahead, "ahead of") : (behind, "behind")
        guard difference > Self.largestClockDifference else {
            return note(
                Line(
                    .clock, .fine, "as the provider's, to \(Self.largestClockDifference.shortText)")
            )
        }
        let seconds = Duration.seconds(difference.components.seconds)
        note(
            Line(
                .clock, .wrongHere,
                "this host's clock is \(seconds.shortText) \(word) the provider's",
                remedy: "See: timedatectl"))
    }

    /// What the response to a made-up refresh token says about the client.
    package mutating func noteClient(_ result: Result<TokenResponse, Refusal>, isTruncated: Bool) {
        switch result {
        case .success:
            note(
                Line(
                    .client, .wrongThere, "the provider granted a refresh token that was made up",
                    remedy: "Take \"probe\" out of the provider's \"lifecycle\""))
        case .failure(let refusal) where refusal.hasNoErrorBody || isTruncated:
            note(
                Line(
                    .client, .notTried,
                    "the response does not say whether the client or the made-up token was refused")
            )
        case .failure(let refusal):
            if refusal.failureClass.tokenVerdict == .refused {
                note(
                    Line(
                        .client, .fine,
                        "accepted; a made-up refresh token was refused, as it should"))
            } else {
                let isOurs = refusal.failureClass == .config
                note(.client, isOurs ? .wrongHere : .wrongThere, refusal.cause)
            }
        }
    }
}
