/// A text that must never be printed: every way to print it shows `«secret»`.
///
/// ``reveal()`` is the only access to the text, and easy to search for.
package struct Secret: Sendable {
    private let text: String

    package init(_ text: String) { self.text = text }

    /// The secret itself. For requests, state and outputs only.
    package func reveal() -> String { text }

    package var isEmpty: Bool { text.isEmpty }
}

/// Compared by bytes: a server chose them.
extension Secret: Hashable {
    package static func == (left: Secret, right: Secret) -> Bool {
        left.text.hasSameBytes(as: right.text)
    }
    package func hash(into hasher: inout Hasher) { hasher.combine(ByteText(text)) }
}

extension Secret: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String { "«secret»" }
    package var debugDescription: String { "«secret»" }
    package var customMirror: Mirror { Mirror(self, children: []) }
}
