internal import TokenProviders
internal import TokenSlots

// Describes an attempt of the history without the daemon's internal names.
extension PastAttempt {
    /// `refresh`, `acquire`, `sign-in`, `import`.
    var what: String { String(kind.rawValue.map { $0 == "_" ? "-" : $0 }) }

    /// `ok`, `refused (400 invalid_grant)`, `failed (503)`, `no answer`, `not sent`.
    var result: String {
        guard let failureClass else { return "ok" }
        guard let httpStatus else { return failureClass.resultWithoutResponse }
        let code = errorCode.map { " " + $0 } ?? ""
        return "\(failureClass.result(ofStatus: httpStatus)) (\(httpStatus)\(code))"
    }
}
