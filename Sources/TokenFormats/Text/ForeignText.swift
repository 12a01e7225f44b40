// Text from outside: servers, socket peers, files of other users.
//
// Swift compares and hashes a String by canonical equivalence (Unicode Standard Annex 15): it sorts
// the combining marks of both strings, in quadratic time when they are out of order. One response
// of 47 KB took four seconds. RFC 8259 section 8.3 compares names by their code units anyway, so
// text from outside is compared, hashed and searched by its UTF-8 bytes, only through this file (a
// house rule forbids the String operators in the files that handle such text).

/// A text as the key of a set or a dictionary: equal when the UTF-8 bytes are equal.
package struct ByteText: Hashable, Sendable {
    package let text: String

    package init(_ text: String) { self.text = text }

    package static func == (left: ByteText, right: ByteText) -> Bool {
        left.text.hasSameBytes(as: right.text)
    }

    package func hash(into hasher: inout Hasher) {
        var text = text
        text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
        hasher.combine(text.utf8.count)
    }
}

extension ByteText: ExpressibleByStringLiteral {
    package init(stringLiteral value: String) { self.init(value) }
}

extension StringProtocol {
    /// Whether both texts are the same bytes.
    package func hasSameBytes(as other: some StringProtocol) -> Bool {
        guard utf8.count == other.utf8.count else { return false }
        // Contiguous buffers where possible: an iterator over UTF-8 costs ten times as much.
        let areSame = utf8.withContiguousStorageIfAvailable { left in
            other.utf8.withContiguousStorageIfAvailable { right in left.elementsEqual(right) }
        }
        return areSame.flatMap { $0 } ?? utf8.elementsEqual(other.utf8)
    }

    /// Whether the text begins with these bytes; the next ones may be a combining mark.
    package func hasBytePrefix(_ prefix: some StringProtocol) -> Bool {
        utf8.starts(with: prefix.utf8)
    }

    /// A to Z as a to z, every other byte as it is: the same in every locale, and linear.
    package var asciiLowercased: String {
        String(decoding: utf8.map { 0x41...0x5A ~= $0 ? $0 + 32 : $0 }, as: UTF8.self)
    }

    /// Whether every byte is printable ASCII (RFC 20): blanks are, line ends are not.
    package var isPrintableASCII: Bool { utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7F } }

    /// Whether these bytes occur in the text.
    ///
    /// In time proportional to both lengths (Knuth, Morris, Pratt 1977): a server chooses both.
    package func containsBytes(of needle: some StringProtocol) -> Bool {
        let wanted = Array(needle.utf8)
        guard !wanted.isEmpty else { return true }
        var fallback = [Int](repeating: 0, count: wanted.count)
        var matched = 0
        for index in wanted.indices.dropFirst() {
            while matched > 0, wanted[index] != wanted[matched] { matched = fallback[matched - 1] }
            if wanted[index] == wanted[matched] { matched += 1 }
            fallback[index] = matched
        }
        matched = 0
        for byte in utf8 {
            while matched > 0, byte != wanted[matched] { matched = fallback[matched - 1] }
            if byte == wanted[matched] { matched += 1 }
            if matched == wanted.count { return true }
        }
        return false
    }
}

extension String {
    /// Without blanks, tabs and line ends at both ends (the white space of RFC 8259 section 2).
    package var trimmedOfSpace: Substring {
        guard let first = utf8.firstIndex(where: { !isJSONSpace($0) }),
            let last = utf8.lastIndex(where: { !isJSONSpace($0) })
        else { return self[startIndex..<startIndex] }
        return self[first..<utf8.index(after: last)]
    }
}

extension Sequence where Element: StringProtocol {
    /// Whether one of the texts is these bytes.
    package func containsText(_ text: some StringProtocol) -> Bool {
        contains { $0.hasSameBytes(as: text) }
    }
}

extension RawRepresentable where Self: CaseIterable, RawValue == String {
    /// The case whose raw value has these bytes; `init(rawValue:)` would compare as String does.
    package init?(spelled text: some StringProtocol) {
        guard let found = Self.allCases.first(where: { $0.rawValue.hasSameBytes(as: text) }) else {
            return nil
        }
        self = found
    }
}
