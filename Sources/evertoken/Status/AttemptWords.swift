internal import TokenProviders
internal import TokenSlots

// Describes an attempt of the history without the daemon's internal names.
extension PastAttempt {
    /// `refresh`, `acquire`, `sign-in`, `import`.
    var what: String { String(kind.rawValue.map { $0 == "_" ? "-" : $0 }) }

    /// `ok`, `refused (400 invalid_grant)`, `failed (503)`, `no answer`, `not sent`.
    var result: String {
        guard let failureClass else { return "ok" }
        guard let httpStatus else { return failureClass.unanswered }
        let code = errorCode.map { " " + $0 } ?? ""
        return "\(failureClass.answered(httpStatus)) (\(httpStatus)\(code))"
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
