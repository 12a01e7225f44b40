/// Why a directory, file or socket of this host could not be opened, read or written.
package struct StorageFailure: Error, Sendable, Equatable {
    package var cause: Cause
    /// Another process holds the file or directory.
    package var isHeldByAnother = false

    package init(_ cause: Cause) { self.cause = cause }

    /// For a failure that no system call reported.
    package init(_ problem: String) {
        self.init(Cause(.stateFails, CauseFacts(detail: problem)))
    }

    package var problem: String { cause.problem }
    /// Access was denied.
    package var isForbidden: Bool { cause.kind == .stateForbidden }
}
