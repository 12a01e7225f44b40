/// Text from a peer: a server, a proxy, a certificate. It prints as `«peer»`; only
/// ``PeerFilter/passed(_:)`` can reveal it.
package struct PeerText: Sendable, Equatable {
    fileprivate let text: String

    package init(_ text: String) { self.text = text }

    package static func == (left: PeerText, right: PeerText) -> Bool {
        left.text.hasSameBytes(as: right.text)
    }
}

extension PeerText: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String { "«peer»" }
    package var debugDescription: String { "«peer»" }
    package var customMirror: Mirror { Mirror(self, children: []) }
}

/// The check that every fact from a peer must pass before it appears in a message, a record or the
/// journal: a peer may echo what it received, and chooses the names in redirects and certificates.
package struct PeerFilter: Sendable {
    /// Longest fact, in bytes.
    static let longest = 64
    /// This many consecutive bytes of a secret must not appear; a shorter secret counts as a whole.
    static let part = 8
    /// A shorter secret cannot be distinguished from a word.
    private static let shortest = 4

    /// All known secrets; `nil` when unknown: then no text passes. Evaluated only when a peer has
    /// sent text, which most responses have not.
    private let secrets: (@Sendable () -> [Secret])?

    /// Passes no text: for a response that is read again when the secrets are not available.
    package static let closed = PeerFilter()

    /// - Parameter secrets: All secrets of the credential, sent or not.
    package init(_ secrets: @escaping @autoclosure @Sendable () -> [Secret]) {
        self.secrets = secrets
    }

    private init() { secrets = nil }

    /// - Returns: The text if it is short, of plain characters, and contains no part of a secret.
    package func passed(_ peer: PeerText?) -> String? {
        guard let secrets, let text = peer?.text, 1...Self.longest ~= text.utf8.count,
            text.utf8.allSatisfy(Self.isAllowed)
        else { return nil }
        let readings = Self.readings(of: Array(text.utf8))
        let spellings = secrets().flatMap { Self.spellings(of: Array($0.reveal().utf8)) }
        let isTold = spellings.contains { secret in
            readings.contains { Self.shares($0, secret) }
        }
        return isTold ? nil : text
    }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        isDigit(byte) || (0x61...0x7A).contains(byte | 0x20) || " .,-_:=/@*()+%".utf8.contains(byte)
    }

    /// Whether the text contains a part of the secret; both in lower case.
    private static func shares(_ text: [UInt8], _ secret: [UInt8]) -> Bool {
        let size = min(part, secret.count)
        guard size >= shortest, text.count >= size else { return false }
        let parts = Set((0...(text.count - size)).map { text[$0..<($0 + size)] })
        return (0...(secret.count - size)).contains { start in
            parts.contains(secret[start..<(start + size)])
        }
    }

    /// The text as it is and decoded, twice, because one coding may be inside the other.
    private static func readings(of text: [UInt8]) -> [[UInt8]] {
        var readings: Set<[UInt8]> = [text]
        for _ in 0..<2 { readings.formUnion(readings.flatMap(decoded)) }
        return readings.map(lowered)
    }

    /// Percent- and base64-decoded, from every possible start of a group. Invalid characters do not
    /// stop the decoding: a peer could insert them on purpose.
    private static func decoded(_ text: [UInt8]) -> [[UInt8]] {
        var found = [percentDecoded(text)]
        for run in text.split(whereSeparator: { base64Value($0) == nil }) where run.count >= part {
            for start in 0..<4 { found.append(base64Decoded(run.dropFirst(start))) }
        }
        return found
    }

    private static func percentDecoded(_ text: [UInt8]) -> [UInt8] {
        var out: [UInt8] = []
        var at = 0
        while at < text.count {
            if text[at] == UInt8(ascii: "%"), at + 2 < text.count,
                let high = hexadecimalValue(text[at + 1]), let low = hexadecimalValue(text[at + 2])
            {
                out.append(high << 4 | low)
                at += 3
            } else {
                out.append(text[at])
                at += 1
            }
        }
        return out
    }

    private static func base64Decoded(_ text: ArraySlice<UInt8>) -> [UInt8] {
        var (out, word, bits): ([UInt8], UInt32, Int) = ([], 0, 0)
        for value in text.lazy.compactMap(base64Value) {
            word = (word << 6 | UInt32(value)) & 0xFFFF
            bits += 6
            if bits >= 8 {
                bits -= 8
                out.append(UInt8(truncatingIfNeeded: word >> UInt32(bits)))
            }
        }
        return out
    }

    /// A digit of either alphabet (RFC 4648 sections 4 and 5).
    private static func base64Value(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x41...0x5A: byte - 0x41
        case 0x61...0x7A: byte - 0x61 + 26
        case 0x30...0x39: byte - 0x30 + 52
        case UInt8(ascii: "+"), UInt8(ascii: "-"): 62
        case UInt8(ascii: "/"), UInt8(ascii: "_"): 63
        default: nil
        }
    }

    /// A secret as it is, decoded, and in base 64 for every alignment: a host name is returned in
    /// lower case, which no decoder accepts.
    private static func spellings(of secret: [UInt8]) -> [[UInt8]] {
        var spellings = [secret, percentDecoded(secret)]
        if secret.count >= part {
            for start in 0..<3 {
                let text = base64(Array(secret.dropFirst(start)), urlSafe: true)
                // The last characters of a group depend on the bytes that follow.
                spellings.append(Array(text.utf8.dropLast(2)))
                spellings.append(
                    text.utf8.dropLast(2).map { $0 == 0x2D ? 0x2B : $0 == 0x5F ? 0x2F : $0 })
            }
        }
        return spellings.filter { $0.count >= shortest }.map(lowered)
    }

    private static func lowered(_ bytes: [UInt8]) -> [UInt8] {
        bytes.map { 0x41...0x5A ~= $0 ? $0 + 32 : $0 }
    }
}
