/// Replaces values that must not or cannot be shown when a request is only displayed. The mask
/// survives every encoding, and a function of a masked value is masked too.
package struct RequestMask: Sendable {
    private static let opening = "EVTK~"
    private static let closing = "~KTVE"

    package init() {}

    package var secret: String { name("secret") }
    package func name(_ name: String) -> String { Self.opening + name + Self.closing }
    func isIn(_ text: String) -> Bool { text.contains(Self.opening) }

    /// The mask for a function's result: a secret if one argument contains a secret, unknown if one
    /// is unknown, `nil` if all are known.
    func result(of values: [String]) -> String? {
        if values.contains(where: { $0.contains(secret) }) { return secret }
        return values.first(where: isIn)
    }

    /// Shows `«secret»` in place of the mask.
    package func shown(_ text: String) -> String {
        text.replacing(Self.opening, with: "«").replacing(Self.closing, with: "»")
    }
}
