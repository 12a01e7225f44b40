package import TokenConfiguration
package import TokenFormats

/// The reply to `POST /v1/credentials/NAME/check`: the steps of a `LiveCheck`.
package struct LiveCheckReport: Sendable, Equatable {
    /// A step and its outcome.
    package struct Line: Sendable, Equatable {
        /// What was tested.
        package var step: ControlWord<LiveCheck.Step>
        /// What the test showed; `nil` where a daemon sends none.
        package var outcome: ControlWord<LiveCheck.Outcome>?
        /// What was tested, what is wrong, or why it was not tested.
        package var text: String
        /// The next action, as an imperative sentence without its full stop.
        package var remedy: String?

        /// The line of a step.
        package init(_ line: LiveCheck.Line) {
            (step, outcome) = (ControlWord(line.step), ControlWord(line.outcome))
            (text, remedy) = (line.text, line.remedy)
        }

        var json: JSONNode {
            .object([
                ("step", .string(step.text)), ("outcome", outcome.map { .string($0.text) }),
                ("text", .string(text)), ("remedy", .orNull(remedy)),
            ])
        }

        init(json: JSONNode) {
            step = json.word("step") ?? .unknown("")
            outcome = json.word("outcome")
            (text, remedy) = (json["text"]?.text ?? "", json["remedy"]?.text)
        }
    }

    /// The name of the credential.
    package var credential: String
    /// In the order of the tests.
    package var steps: [Line]

    /// The report of a check.
    package init(_ check: LiveCheck) {
        (credential, steps) = (check.credential, check.lines.map { Line($0) })
    }

    /// In the order of the tests.
    package var json: JSONNode {
        .object([
            ("credential", .string(credential)), ("steps", .array(steps.map(\.json))),
        ])
    }

    /// Takes what it can use.
    package init(json: JSONNode) {
        credential = json["credential"]?.text ?? ""
        steps = (json["steps"]?.elements ?? []).map(Line.init(json:))
    }
}
