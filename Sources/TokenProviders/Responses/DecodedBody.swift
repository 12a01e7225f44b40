internal import CInflate
internal import TokenFormats

/// A body after decoding its content coding (RFC 9110 section 8.4) and its character encoding.
/// libcurl decodes neither, so the stored bytes are those that were received.
struct DecodedBody {
    /// Maximum bytes after decompression: a small body can expand to a very large one.
    static let maximumLength = 256 * 1024

    private(set) var bytes: [UInt8]
    private(set) var forgiven: [Forgiveness] = []
    private(set) var problem: BodyProblem?
    /// The end of the body is missing.
    private(set) var isCut = false

    init(_ raw: RawResponse) {
        bytes = raw.body
        let named = raw.header("Content-Encoding")?.asciiLowercased ?? ""
        // A proxy may compress a response that the server has compressed already.
        for _ in 0..<2 where problem == nil { uncompress(named: named) }
        if problem == nil { decodeCharacters() }
    }

    private mutating func uncompress(named: String) {
        let isGzip = bytes.starts(with: [0x1F, 0x8B])
        let isZlib =
            bytes.count > 2 && bytes[0] & 0x0F == 8
            && (Int(bytes[0]) << 8 | Int(bytes[1])) % 31 == 0
        if isGzip || isZlib {
            return inflate(isRaw: false, isSure: isGzip || named.containsBytes(of: "deflate"))
        }
        if named.containsBytes(of: "deflate"), forgiven.isEmpty {
            return inflate(isRaw: true, isSure: !isText)
        }
        let isZstd = bytes.starts(with: [0x28, 0xB5, 0x2F, 0xFD])
        let namesOther = ["br", "zstd"].contains { named.trimmedOfSpace.hasSameBytes(as: $0) }
        if isZstd || (namesOther && !isText) { problem = .unreadCoding }
    }

    /// - Parameter isSure: Whether the body must be compressed, so that a failure means damage.
    private mutating func inflate(isRaw: Bool, isSure: Bool) {
        var written = 0
        var result = EVERTOKEN_INFLATED_NOT
        let input = bytes
        let output = [UInt8](unsafeUninitializedCapacity: Self.maximumLength) { room, count in
            result = evertoken_inflate(
                input, input.count, isRaw ? 1 : 0, room.baseAddress, room.count, &written)
            count = written
        }
        switch result {
        case EVERTOKEN_INFLATED_WHOLE: break
        case EVERTOKEN_INFLATED_CUT where isSure: isCut = true
        case EVERTOKEN_INFLATED_FULL where isSure: (isCut, problem) = (true, .tooLong)
        default:
            // The beginning may be intact although the end is damaged.
            guard isSure else { return }
            (isCut, problem) = (true, .damagedCoding)
        }
        bytes = output
        if !forgiven.contains(.compressed) { forgiven.append(.compressed) }
    }

    /// Whether the body looks like uncompressed text.
    private var isText: Bool { !bytes.contains { $0 < 0x20 && ![0x09, 0x0A, 0x0D].contains($0) } }

    private mutating func decodeCharacters() {
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { return bytes.removeFirst(3) }
        guard bytes.count >= 4 else { return }
        let isLittle = bytes.starts(with: [0xFF, 0xFE]) || (bytes[0] != 0 && bytes[1] == 0)
        let isBig = bytes.starts(with: [0xFE, 0xFF]) || (bytes[0] == 0 && bytes[1] != 0)
        guard isLittle || isBig else { return }
        var units: [UInt16] = []
        units.reserveCapacity(bytes.count / 2)
        for index in stride(from: 0, to: bytes.count - 1, by: 2) {
            let (first, second) = (UInt16(bytes[index]), UInt16(bytes[index + 1]))
            units.append(isLittle ? second << 8 | first : first << 8 | second)
        }
        if units.first == 0xFEFF { units.removeFirst() }
        bytes = Array(String(decoding: units, as: UTF16.self).utf8)
        forgiven.append(.utf16)
    }
}
