/// An IP address as text spells it: four octets in decimal (RFC 6943 section 3.1.1, the strict
/// form), or RFC 4291 section 2.2. Without a zone.
package struct NetworkAddress: Sendable, Equatable {
    /// 4 or 16, in network order.
    var bytes: [UInt8]

    package init?(_ text: some StringProtocol) {
        if let bytes = Self.version4(text) ?? Self.version6(text) {
            self.bytes = bytes
        } else {
            return nil
        }
    }

    package var bitCount: Int { bytes.count * 8 }

    /// Whether the first bits are those of another address of the same version.
    package func hasPrefix(_ other: NetworkAddress, bits: Int) -> Bool {
        guard bytes.count == other.bytes.count, bits <= bitCount else { return false }
        let whole = bits / 8
        guard bytes.prefix(whole) == other.bytes.prefix(whole) else { return false }
        guard bits % 8 > 0 else { return true }
        return (bytes[whole] ^ other.bytes[whole]) >> UInt8(8 - bits % 8) == 0
    }

    private static func version4(_ text: some StringProtocol) -> [UInt8]? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        let octets = parts.compactMap { part -> UInt8? in
            // Some parsers read a leading zero as octal.
            guard part.utf8.allSatisfy(isDigit), part.utf8.count == 1 || part.utf8.first != 0x30
            else { return nil }
            return UInt8(part)
        }
        return parts.count == 4 && octets.count == 4 ? octets : nil
    }

    private static func version6(_ text: some StringProtocol) -> [UInt8]? {
        guard let gap = text.firstRange(of: "::") else {
            guard let bytes = groups(text), bytes.count == 16 else { return nil }
            return bytes
        }
        let (head, tail) = (text[..<gap.lowerBound], text[gap.upperBound...])
        guard let first = head.isEmpty ? [] : groups(head),
            let last = tail.isEmpty ? [] : groups(tail), first.count + last.count <= 14
        else { return nil }
        return first + [UInt8](repeating: 0, count: 16 - first.count - last.count) + last
    }

    /// The last group may be a dotted IPv4 address.
    private static func groups(_ text: some StringProtocol) -> [UInt8]? {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        var bytes: [UInt8] = []
        for (index, part) in parts.enumerated() {
            if index == parts.count - 1, let octets = version4(part) {
                bytes += octets
            } else if (1...4).contains(part.utf8.count), let group = UInt16(part, radix: 16),
                part.utf8.first != 0x2B
            {
                bytes += [UInt8(group >> 8), UInt8(group & 0xFF)]
            } else {
                return nil
            }
        }
        return bytes
    }
}
