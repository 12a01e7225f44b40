/// Why a text, a key or a request cannot be used, and what to do. Names variables, never their
/// values.
package struct RequestError: Error, Equatable, Sendable {
    /// The subject of the problem, such as `the issuer`; `nil` while it is unknown, and when the
    /// problem is a whole clause.
    package private(set) var subject: String?
    private let predicate: String
    /// An imperative clause without a full stop.
    package let remedy: String

    /// - Parameters:
    ///   - problem: A whole clause, or what follows a subject: `has no https scheme`.
    ///   - remedy: What to do, as an imperative sentence without its full stop.
    package init(problem: String, remedy: String) { (predicate, self.remedy) = (problem, remedy) }

    /// A clause without a full stop.
    package var problem: String { subject.map { "\($0) \(predicate)" } ?? predicate }

    /// Problem and remedy in one line.
    package var text: String { "\(problem); \(remedy)" }

    /// The same with this subject.
    package func of(_ subject: String) -> RequestError {
        var error = self
        error.subject = subject
        return error
    }

    /// For a request that cannot be made; nothing was sent.
    package var cause: Cause {
        Cause(.requestNotMade, CauseFacts(detail: problem, advice: remedy))
    }
}
