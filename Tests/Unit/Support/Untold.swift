@testable import TokenFormats
@testable import TokenProviders
@testable import TokenSlots

// Failures whose cause does not matter to a test, in the form of earlier versions: a sentence.
extension Cause {
    static func untold(_ problem: String) -> Cause { Cause(.untold, CauseFacts(detail: problem)) }
}

extension Refusal {
    init(
        _ failureClass: FailureClass, httpStatus: Int? = nil, problem: String,
        retryAfter: Duration? = nil, hasNoErrorBody: Bool = false, errorCode: String? = nil
    ) {
        self.init(
            failureClass, .untold(problem), httpStatus: httpStatus, retryAfter: retryAfter,
            hasNoErrorBody: hasNoErrorBody, errorCode: errorCode)
    }
}

extension StoredError {
    init(
        failureClass: FailureClass, httpStatus: Int? = nil, problem: String, at: WallTime,
        retryAfter: Duration? = nil
    ) {
        self.init(
            failureClass, .untold(problem), httpStatus: httpStatus, at: at, retryAfter: retryAfter)
    }
}
