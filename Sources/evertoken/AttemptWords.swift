import TokenCore

// Describes an attempt of the history without the daemon's internal names.
extension PastAttempt {
    /// `refresh`, `acquire`, `sign-in`, `import`.
    var what: String { String(kind.rawValue.map { $0 == "_" ? "-" : $0 }) }

    /// `ok`, `refused (400 invalid_grant)`, `failed (503)`, `no answer`, `not sent`.
    var result: String {
        guard let failureClass else { return "ok" }
        guard let httpStatus else { return failureClass.unanswered }
        let code = errorCode(after: httpStatus).map { " " + $0 } ?? ""
        return "\(failureClass.answered(httpStatus)) (\(httpStatus)\(code))"
    }

    /// The error code after the status in the problem's text, such as `invalid_grant`.
    private func errorCode(after status: Int) -> String? {
        guard let problem, let found = problem.firstRange(of: "\(status) ") else { return nil }
        let word = problem[found.upperBound...].prefix { $0 == "_" || ("a"..."z").contains($0) }
        return word.contains("_") ? String(word) : nil
    }
}

extension FailureClass {
    fileprivate var unanswered: String {
        switch self {
        case .ambiguous: "no answer"
        case .output: "not written"
        case .reauth, .reacquire, .config, .tooEarly, .rateLimited, .transient, .storage:
            "not sent"
        }
    }

    fileprivate func answered(_ status: Int) -> String {
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
