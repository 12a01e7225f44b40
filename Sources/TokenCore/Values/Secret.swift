/// A text that must never be printed: every way to print it shows `«secret»`.
///
/// ``reveal()`` is the only access to the text, and easy to search for.
public struct Secret: Sendable {
    private let text: String

    public init(_ text: String) { self.text = text }

    /// The secret itself. For requests, state and outputs only.
    public func reveal() -> String { text }

    public var isEmpty: Bool { text.isEmpty }
}

/// Compared by bytes: a server chose them.
extension Secret: Hashable {
    public static func == (left: Secret, right: Secret) -> Bool {
        left.text.hasSameBytes(as: right.text)
    }
    public func hash(into hasher: inout Hasher) { hasher.combine(ByteText(text)) }
}

extension Secret: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String { "«secret»" }
    public var debugDescription: String { "«secret»" }
    public var customMirror: Mirror { Mirror(self, children: []) }
}
