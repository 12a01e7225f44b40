/// Why a directory, file or socket of this host could not be opened, read or written.
public struct StorageFailure: Error, Sendable, Equatable {
    public var cause: Cause
    /// Another process holds what was to be opened.
    public var isHeldByAnother = false

    public init(_ cause: Cause) { self.cause = cause }

    /// Of something that no system call said.
    public init(_ problem: String) {
        self.init(Cause(.stateFails, CauseFacts(detail: problem)))
    }

    public var problem: String { cause.problem }
    /// The user may not.
    public var isForbidden: Bool { cause.kind == .stateForbidden }
}
