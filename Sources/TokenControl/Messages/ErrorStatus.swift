package import TokenFormats
package import TokenProviders
internal import TokenSlots

/// The unresolved problem of a credential, as `status` shows it (Contract 5.3).
package struct ErrorStatus: Sendable, Equatable {
    /// The class that decides how the daemon goes on; `nil` where a daemon sends none.
    package var failureClass: ControlWord<FailureClass>?
    /// The status code of the response, if there was one.
    package var httpStatus: Int?
    /// A word of the table of causes; earlier versions did not send one.
    package var cause: ControlWord<CauseKind>?
    /// What is wrong, in one line.
    package var problem: String
    /// The next action, as an imperative sentence without its full stop.
    package var remedy: String?
    /// When it occurred last.
    package var at: WallTime?
    /// The first of the consecutive equal failures.
    package var since: WallTime?
    /// How often the same problem has occurred in a row.
    package var tries: Int?
    /// When the operator is notified if the failure continues; `nil` when it is final already.
    package var until: WallTime?
    /// It is older than the last reload, and its retry is pending.
    package var isBeforeReload = false

    /// A problem of which nothing else is known.
    package init(problem: String) { self.problem = problem }

    /// - Parameters:
    ///   - error: The problem as it is stored.
    ///   - place: The facts for its remedy.
    ///   - until: When the operator is notified if the failure continues.
    ///   - isBeforeReload: It is older than the last reload.
    init(_ error: StoredError, for place: RemedyPlace, until: WallTime?, isBeforeReload: Bool) {
        failureClass = ControlWord(error.failureClass)
        httpStatus = error.httpStatus
        cause = ControlWord(error.cause.kind)
        problem = error.problem
        remedy = error.remedy(for: place)
        (at, since, tries) = (error.at, error.since, error.tries)
        (self.until, self.isBeforeReload) = (until, isBeforeReload)
    }

    /// The member `last_error`: every key is always present but `before_reload`.
    package var json: JSONNode {
        .object([
            ("class", .orNull(failureClass?.text)),
            ("http_status", httpStatus.map { .integer(Int64($0)) } ?? JSONNode(.null)),
            ("cause", .orNull(cause?.text)),
            ("problem", .string(problem)), ("remedy", .orNull(remedy)),
            ("at", .orNull(at)), ("since", .orNull(since)),
            ("tries", tries.map { .integer(Int64($0)) } ?? JSONNode(.null)),
            ("until", .orNull(until)), ("before_reload", isBeforeReload ? true : nil),
        ])
    }

    /// - Returns: `nil` for a value without a problem.
    package init?(json: JSONNode) {
        guard let problem = json["problem"]?.text else { return nil }
        self.init(problem: problem)
        (failureClass, httpStatus) = (json.word("class"), json.count("http_status"))
        (cause, remedy) = (json.word("cause"), json["remedy"]?.text)
        (at, since) = (json.time("at"), json.time("since"))
        (tries, until) = (json.count("tries"), json.time("until"))
        isBeforeReload = json["before_reload"]?.flag ?? false
    }
}
