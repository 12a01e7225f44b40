internal import TokenFormats
package import TokenProviders

/// Which headers of a response are stored beside its body, by lower-case name.
package struct HeadersOfInterest: Sendable {
    /// Headers that may contain a token: stored completely, at the expense of the body.
    package var whole: Set<String>
    /// Headers that only help to interpret the response: each is stored if it fits.
    package var others: Set<String>

    /// - Parameters:
    ///   - whole: Names of headers whose value is kept in full.
    ///   - others: Names of headers of which only a short value is kept.
    package init(whole: Set<String>, others: Set<String>) {
        (self.whole, self.others) = (whole, others)
    }
}

extension RawResponse {
    /// Bytes for the helpful headers.
    private static let roomForOthers = 600

    /// The response as a slot can store it, so that the live reading and a later one see the same.
    package func storable(_ interest: HeadersOfInterest) -> RawResponse {
        var kept = self
        var (room, taken) = (Self.roomForOthers, 0)
        kept.headers = headers.filter { header in
            let name = header.name.asciiLowercased
            let size = header.spelledSize
            if interest.whole.contains(name), taken + size <= SlotLayout.maximumHeaders {
                taken += size
                return true
            }
            guard interest.others.contains(name), size <= room else { return false }
            room -= size
            return true
        }
        let limit = SlotLayout.maximumBody - taken
        if body.count > limit {
            kept.body = Array(body.prefix(limit))
            kept.isTruncated = true
        }
        return kept
    }
}

extension HeaderField {
    /// Upper bound of its bytes in the JSON line before the body: each byte may be escaped.
    fileprivate var spelledSize: Int {
        8 + name.utf8.count
            + value.utf8.reduce(0) { sum, byte in
                sum + (byte < 0x20 || byte == 0x7F ? 6 : byte == 0x22 || byte == 0x5C ? 2 : 1)
            }
    }
}
