internal import TokenFormats

/// A word of a control message: one that this version knows, or one that a newer version sent. An
/// unknown word is kept, so that a client can show it.
package enum ControlWord<Known>: Sendable, Equatable
where Known: RawRepresentable & CaseIterable & Sendable & Equatable, Known.RawValue == String {
    /// A word of this version.
    case known(Known)
    /// A word of another version, as it was sent.
    case unknown(String)

    /// The word of this value.
    package init(_ known: Known) { self = .known(known) }

    /// The word of this text.
    package init(text: String) {
        self = Known(spelled: text).map { .known($0) } ?? .unknown(text)
    }

    /// The word as it is in a message.
    package var text: String {
        switch self {
        case .known(let known): known.rawValue
        case .unknown(let text): text
        }
    }

    /// The value; `nil` for a word of another version.
    package var known: Known? { if case .known(let known) = self { known } else { nil } }
}

// The forms of members that several control messages share. Reading takes what it can use (Contract
// 6.4): a member that is missing, `null` or of another type counts as absent.
extension JSONNode {
    /// `null` for none: a member that is always there, so that a script need not test for it.
    static func orNull(_ text: String?) -> JSONNode { text.map { .string($0) } ?? JSONNode(.null) }

    /// Whole seconds since 1970, `null` for none.
    static func orNull(_ time: WallTime?) -> JSONNode {
        time.map { .integer($0.epochSeconds) } ?? JSONNode(.null)
    }

    static func texts(_ texts: [String]) -> JSONNode { .array(texts.map { .string($0) }) }

    /// Elements that are not texts are left out.
    func texts(_ key: String) -> [String] { (self[key]?.elements ?? []).compactMap(\.text) }

    func count(_ key: String) -> Int? { self[key]?.integer.map { Int(clamping: $0) } }

    func word<Known>(_ key: String) -> ControlWord<Known>? {
        self[key]?.text.map { ControlWord(text: $0) }
    }
}
