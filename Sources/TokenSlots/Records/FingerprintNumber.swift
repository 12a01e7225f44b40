internal import TokenFormats

// A fingerprint of a token as a number, 8 bytes: as a text it takes 64.
extension UInt64 {
    /// The 64 bits of a fingerprint; `nil` for any other text, such as one that another program
    /// wrote into a record.
    package init?(fingerprint text: String) {
        let isDigit = { (byte: UInt8) in
            (0x30...0x39).contains(byte) || (0x61...0x66).contains(byte)
        }
        guard text.utf8.count == 16, text.utf8.allSatisfy(isDigit) else { return nil }
        self.init(text, radix: 16)
    }

    /// The text that has these bits.
    package var fingerprint: String {
        hexadecimal((0..<8).map { UInt8(truncatingIfNeeded: self >> (56 - 8 * $0)) })
    }
}
