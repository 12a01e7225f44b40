/// A text that must never be printed: prints as `«secret»` however it is shown.
///
/// ``reveal()`` is the only way out, and easy to search for.
public struct Secret: Sendable {
    private let text: String

    public init(_ text: String) { self.text = text }

    /// The secret itself. For requests, state and outputs only.
    public func reveal() -> String { text }

    public var isEmpty: Bool { text.isEmpty }
}

/// By the bytes: a server chose them.
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
