/// Why a directory, file or socket of this host could not be opened, read or written.
public struct StorageFailure: Error, Sendable, Equatable {
    public var cause: Cause
    /// Another process holds the file or directory.
    public var isHeldByAnother = false

    public init(_ cause: Cause) { self.cause = cause }

    /// For a failure that no system call reported.
    public init(_ problem: String) {
        self.init(Cause(.stateFails, CauseFacts(detail: problem)))
    }

    public var problem: String { cause.problem }
    /// Access was denied.
    public var isForbidden: Bool { cause.kind == .stateForbidden }
}
