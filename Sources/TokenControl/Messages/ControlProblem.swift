package import TokenFormats
package import TokenProviders

/// The reply to a request that failed: problem details (RFC 9457).
package struct ControlProblem: Error, Sendable, Equatable {
    /// The HTTP status (Contract 6.3).
    package var status: Int
    /// What is wrong, in one line.
    package var title: String
    /// What to do next; `nil` where nothing helps.
    package var detail: String?
    /// A registered error code of the provider's response.
    package var error: String?
    /// What the user can do about a failed sign-in.
    package var kind: ControlWord<SignInFailure.Kind>?
    /// The cause of the failure.
    package var cause: ControlWord<CauseKind>?
    /// The mistakes of a refused reload; `nil` from a daemon that does not list them.
    package var mistakes: [ReportedMistake]?

    /// - Parameters:
    ///   - status: The HTTP status.
    ///   - title: What is wrong, in one line.
    ///   - detail: What to do next.
    package init(_ status: Int, _ title: String, detail: String? = nil) {
        (self.status, self.title, self.detail) = (status, title, detail)
    }

    /// Whether the provider refused the client: a retry does not help, its settings are wrong.
    package var isOfClient: Bool { error.map(isClientError) ?? false }

    /// Only the members that are known are there.
    package var json: JSONNode {
        .object([
            ("type", "about:blank"), ("title", .string(title)),
            ("status", .integer(Int64(status))),
            ("detail", detail.map { .string($0) }), ("error", error.map { .string($0) }),
            ("kind", kind.map { .string($0.text) }), ("cause", cause.map { .string($0.text) }),
            ("mistakes", mistakes.map { .array($0.map(\.json)) }),
        ])
    }

    /// - Parameter status: The HTTP status of the reply, for a value that does not repeat it.
    /// - Returns: `nil` for a value without a title.
    package init?(json: JSONNode, status: Int) {
        guard let title = json["title"]?.text else { return nil }
        self.init(json.count("status") ?? status, title, detail: json["detail"]?.text)
        error = json["error"]?.text
        (kind, cause) = (json.word("kind"), json.word("cause"))
        mistakes = json["mistakes"]?.elements?.map(ReportedMistake.init(json:))
    }
}

/// Whether an error code of RFC 6749 section 5.2 blames the client itself.
func isClientError(_ code: String) -> Bool {
    ["invalid_client", "unauthorized_client"].containsText(code)
}

/// A mistake of a refused configuration, as a reload reports it.
package struct ReportedMistake: Sendable, Equatable {
    /// The path of the file.
    package var file: String?
    /// From 1; 0 when the file could not be read at all.
    package var line: Int
    /// See ``line``.
    package var column: Int
    /// `PATH: what is wrong; what to write instead`.
    package var text: String

    /// - Parameters:
    ///   - file: The path of the file.
    ///   - line: From 1; 0 when the file could not be read.
    ///   - column: From 1.
    ///   - text: What is wrong and what to write instead.
    package init(file: String?, line: Int, column: Int, text: String) {
        (self.file, self.line, self.column, self.text) = (file, line, column, text)
    }

    /// An element of `mistakes`.
    package var json: JSONNode {
        .object([
            ("file", file.map { .string($0) }), ("line", .integer(Int64(line))),
            ("column", .integer(Int64(column))), ("text", .string(text)),
        ])
    }

    /// Takes what it can use.
    package init(json: JSONNode) {
        self.init(
            file: json["file"]?.text, line: json.count("line") ?? 0,
            column: json.count("column") ?? 0, text: json["text"]?.text ?? "")
    }
}
