package import TokenFormats

extension WireResult {
    /// Why there is no response; `nil` if there is one.
    package var failure: Cause? {
        switch self {
        case .answered: nil
        case .notSent(let fault), .unanswered(let fault): fault.cause
        }
    }
}
