internal import Crypto
package import TokenFormats
package import TokenProviders

/// One attempt as a slot keeps it: what was known before the request went out
/// (Durability step 1), to which the response is added later without touching this part.
package struct SlotRecord: Sendable, Equatable {
    /// Whether a request may be pending; the byte in the slot.
    package enum State: UInt8, Sendable {
        /// A request may have been sent; its response, if any, is stored beside the record.
        case intent = 1
        /// No request is pending: adopted, imported, or an attempt that is known not to have been
        /// sent.
        case settled = 2
    }
    /// Of two valid slots the higher sequence wins.
    package var sequence: UInt64
    /// Whether a request may be pending.
    package var state: State
    /// 16 random bytes in hexadecimal; matches a response to its request.
    package var attemptID: String
    /// Which exchange of the profile it is.
    package var kind: ExchangeKind
    /// The step's name; empty when the exchange is a single request.
    package var step: String
    /// The request sends the configured candidate instead of the stored refresh token.
    package var sendsCandidate = false
    /// The host of the request.
    package var host = ""
    /// The server and client for which a resulting or confirmed refresh token is valid.
    package var place: GrantBinding?
    /// Scheme, host and port of the request, for display; empty in records of earlier versions.
    package var origin = ""
    /// When the request was sent: a token's life counts from here.
    package var sentAt: Moment
    /// Everything known before the request, including the refresh token that it spends.
    package var grant: CredentialRecord

    package init(
        sequence: UInt64, state: State, attemptID: String, kind: ExchangeKind, step: String = "",
        sentAt: Moment, grant: CredentialRecord
    ) {
        (self.sequence, self.state, self.attemptID) = (sequence, state, attemptID)
        (self.kind, self.step, self.sentAt, self.grant) = (kind, step, sentAt, grant)
    }
}

/// The layout of one slot file: first the record, then the response, each with its own checksum.
/// The region of the response never overlaps the record's: a torn write of the response still
/// leaves "maybe spent" known (I3).
///
/// ```
/// 0         8 magic  8 version 4 · reserved 4 · length 8 · SHA-256 of all else 32 · payload …
/// response  the same header at `responseOffset`, payload: a line of JSON, then the body
/// ```
package enum SlotLayout {
    static let recordMagic = Array("EVTKREC1".utf8)
    static let responseMagic = Array("EVTKANS1".utf8)
    static let headerSize = 56
    static let version: UInt32 = 1
    /// Version of a record with an undecided candidate: a version that does not know candidates
    /// would send it and forget the token that works.
    static let candidateVersion: UInt32 = 2
    /// A longer body is truncated.
    package static let maximumBody = RawResponse.maximumStoredBody
    /// Headers that contain tokens may use this much of the body's space.
    static let maximumHeaders = 32 * 1024
    /// Writes cover whole blocks, so that a write never needs to read first.
    static let block = 512

    /// Offset of the response's region in a slot of this size: 49 KiB before the end.
    package static func responseOffset(slotSize: Int) -> Int { slotSize - 49 * 1024 }

    /// The bytes to write at offset 0; `nil` if the record is too large for its region. The oldest
    /// attempts of its history are dropped first.
    package static func encode(
        _ record: SlotRecord, credential: String, slotSize: Int
    ) -> [UInt8]? {
        var record = record
        while true {
            let bytes = sealed(
                recordMagic, payload(record, slotSize: slotSize), credential: credential,
                limit: responseOffset(slotSize: slotSize),
                version: record.grant.hasOpenCandidate ? candidateVersion : version)
            if bytes != nil || record.grant.recent.isEmpty { return bytes }
            record.grant.recent.removeFirst((record.grant.recent.count + 1) / 2)
        }
    }

    private static func payload(_ record: SlotRecord, slotSize: Int) -> [UInt8] {
        JSONNode.object([
            ("sequence", .integer(Int64(record.sequence))),
            ("state", .integer(Int64(record.state.rawValue))),
            ("attempt", .string(record.attemptID)), ("kind", .string(record.kind.storedName)),
            ("by_device", record.kind == .deviceCode ? true : nil),
            ("step", record.step.isEmpty ? nil : .string(record.step)),
            ("candidate", record.sendsCandidate ? true : nil),
            ("host", record.host.isEmpty ? nil : .string(record.host)),
            ("place", record.place.map { .string($0.fingerprint) }),
            ("origin", record.origin.isEmpty ? nil : .string(record.origin)),
            ("sent_at", record.sentAt.json), ("grant", record.grant.json()),
            ("answer_at", .integer(Int64(responseOffset(slotSize: slotSize)))),
        ]).serialized()
    }

    /// The bytes to write at ``responseOffset(slotSize:)``. Headers that do not fit are dropped.
    package static func encode(
        _ response: RawResponse, attemptID: String, roundTrip: Duration, credential: String,
        slotSize: Int
    ) -> [UInt8] {
        let limit = slotSize - responseOffset(slotSize: slotSize)
        let isCut = response.isTruncated || response.body.count > maximumBody
        let body = Array(response.body.prefix(maximumBody))
        var headers = response.headers
        while true {
            let line = JSONNode.object([
                ("attempt", .string(attemptID)), ("status", .integer(Int64(response.status))),
                ("cut", .bool(isCut)), ("round_trip", roundTrip.json),
                ("headers", .array(headers.map { [.string($0.name), .string($0.value)] })),
            ]).serialized()
            if let bytes = sealed(
                responseMagic, line + [0x0A] + body, credential: credential, limit: limit)
            {
                return bytes
            }
            // Without headers the line has less than 300 bytes, and 1 KiB is reserved for it.
            headers.removeLast()
        }
    }

    private static func sealed(
        _ magic: [UInt8], _ payload: [UInt8], credential: String, limit: Int,
        version: UInt32 = version
    ) -> [UInt8]? {
        guard headerSize + payload.count <= limit else { return nil }
        var bytes = magic + littleEndian(version) + [0, 0, 0, 0]
        bytes += littleEndian(UInt64(payload.count))
        bytes += checksum(head: bytes, payload: payload, credential: credential)
        bytes += payload
        let padding = (block - bytes.count % block) % block
        return bytes + Array(repeating: 0, count: min(padding, limit - bytes.count))
    }

    /// The checksum covers the credential's name: a slot of another credential is not valid.
    private static func checksum(
        head: [UInt8], payload: some Sequence<UInt8>, credential: String
    ) -> [UInt8] {
        var hash = SHA256()
        hash.update(data: head)
        hash.update(data: Array(SHA256.hash(data: Array(credential.utf8))))
        hash.update(data: Array(payload))
        return Array(hash.finalize())
    }

    static func unsealed(
        _ bytes: ArraySlice<UInt8>, magic: [UInt8], credential: String
    ) -> ArraySlice<UInt8>? {
        guard bytes.count >= headerSize, bytes.starts(with: magic) else { return nil }
        let start = bytes.startIndex
        let length = integer(bytes[start + 16..<start + 24])
        guard (1...2).contains(integer(bytes[start + 8..<start + 12])),
            length <= UInt64(bytes.count - headerSize)
        else { return nil }
        let payload = bytes[start + headerSize..<start + headerSize + Int(length)]
        let sum = checksum(
            head: Array(bytes[start..<start + 24]), payload: payload, credential: credential)
        return sum.elementsEqual(bytes[start + 24..<start + 56]) ? payload : nil
    }

    private static func littleEndian(_ value: some FixedWidthInteger) -> [UInt8] {
        withUnsafeBytes(of: value.littleEndian) { Array($0) }
    }

    private static func integer(_ bytes: ArraySlice<UInt8>) -> UInt64 {
        bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
}

/// A response as found in a slot.
package struct StoredResponse: Sendable, Equatable {
    /// The response as it came from the wire.
    package var raw: RawResponse
    /// From the request's first byte to the response's last one.
    package var roundTrip: Duration
}

/// The contents of one slot file.
package struct SlotContents: Sendable, Equatable {
    /// What was known before the request.
    package var record: SlotRecord
    /// Only set for a response to this record's own request.
    package var response: StoredResponse?

    /// - Parameters:
    ///   - record: The record.
    ///   - response: `nil` while none is saved.
    package init(record: SlotRecord, response: StoredResponse? = nil) {
        (self.record, self.response) = (record, response)
    }

    /// `nil` when the record is torn, damaged, of another credential, or was never written.
    package init?(bytes: [UInt8], credential: String) {
        guard
            let payload = SlotLayout.unsealed(
                bytes[...], magic: SlotLayout.recordMagic, credential: credential),
            let node = try? JSONReader.read(Array(payload)),
            let sequence = node["sequence"]?.integer, sequence >= 0,
            let state = node["state"]?.integer.flatMap({ UInt8(exactly: $0) })
                .flatMap(SlotRecord.State.init),
            let attempt = node["attempt"]?.text,
            let stored = node["kind"]?.text.flatMap(ExchangeKind.init),
            let sentAt = node["sent_at"].flatMap(Moment.init(json:)),
            let grant = node["grant"].flatMap(CredentialRecord.init(json:))
        else { return nil }
        let kind = node["by_device"]?.flag == true ? .deviceCode : stored
        record = SlotRecord(
            sequence: UInt64(sequence), state: state, attemptID: attempt, kind: kind,
            step: node["step"]?.text ?? "", sentAt: sentAt, grant: grant)
        record.host = node["host"]?.text ?? ""
        record.place = node["place"]?.text.map(GrantBinding.init(fingerprint:))
        record.origin = node["origin"]?.text ?? ""
        record.sendsCandidate = node["candidate"]?.flag ?? false
        // The record stores the offset, because slot_size may change between record and response.
        let offset = node["answer_at"]?.integer.flatMap { Int(exactly: $0) } ?? -1
        response =
            state == .intent && bytes.indices ~= offset
            ? Self.response(in: bytes[offset...], to: attempt, credential: credential) : nil
    }

    private static func response(
        in bytes: ArraySlice<UInt8>, to attempt: String, credential: String
    ) -> StoredResponse? {
        guard
            let payload = SlotLayout.unsealed(
                bytes, magic: SlotLayout.responseMagic, credential: credential),
            let newline = payload.firstIndex(of: 0x0A),
            let line = try? JSONReader.read(Array(payload[..<newline])),
            line["attempt"]?.text == attempt, let status = line["status"]?.integer,
            let roundTrip = line["round_trip"].flatMap(Duration.init(json:))
        else { return nil }
        let headers = (line["headers"]?.elements ?? []).compactMap { pair -> HeaderField? in
            guard let name = pair.elements?.first?.text, let value = pair.elements?.last?.text
            else { return nil }
            return HeaderField(name, value)
        }
        let raw = RawResponse(
            status: Int(clamping: status), headers: headers,
            body: Array(payload[newline...].dropFirst()),
            isTruncated: line["cut"]?.flag ?? false)
        return StoredResponse(raw: raw, roundTrip: roundTrip)
    }
}

extension ExchangeKind {
    /// The name in a slot. Versions without device codes read them as the other kind of sign-in,
    /// which is close enough; an unknown word would make the slot damaged for them.
    fileprivate var storedName: String {
        self == .deviceCode ? ExchangeKind.authorizationCode.rawValue : rawValue
    }
}

/// Both slots of a credential.
package struct SlotPair: Sendable, Equatable {
    /// Which of the two files.
    package enum Index: Int, Sendable, CaseIterable {
        case a = 0
        case b = 1
    }

    /// The contents of a slot file.
    package enum State: Sendable, Equatable {
        /// Never written.
        case empty
        case valid(SlotContents)
        /// Written once, and unreadable now.
        case damaged
    }

    /// Of `slotA`.
    package var a: State
    /// Of `slotB`.
    package var b: State
    /// The marks of both files.
    package var marks: SlotMarks

    /// Both slots as read, with their marks.
    package init(a: State, b: State, marks: SlotMarks = SlotMarks()) {
        (self.a, self.b, self.marks) = (a, b, marks)
    }

    /// - Parameters:
    ///   - bytes: `nil` when the file does not exist.
    ///   - credential: The name of the credential, which is part of the checksum.
    package static func state(of bytes: [UInt8]?, credential: String) -> State {
        guard let bytes, bytes.contains(where: { $0 != 0 }) else { return .empty }
        return SlotContents(bytes: bytes, credential: credential).map(State.valid) ?? .damaged
    }

    /// The slot with the highest sequence. The next attempt overwrites the other one.
    package var winner: (contents: SlotContents, index: Index)? {
        switch (a, b) {
        case (.valid(let a), .valid(let b)):
            a.record.sequence > b.record.sequence ? (a, .a) : (b, .b)
        case (.valid(let a), _): (a, .a)
        case (_, .valid(let b)): (b, .b)
        default: nil
        }
    }

    /// Both slots were written and neither is readable: only an operator can decide. A damaged slot
    /// beside one that was never written is a first write that a power cut interrupted: nothing was
    /// sent.
    package var isUnreadable: Bool { a == .damaged && b == .damaged }
}

extension SlotPair.Index {
    /// The other one of the two.
    package var other: SlotPair.Index { self == .a ? .b : .a }
    /// In the credential's folder of the state directory.
    package var fileName: String { self == .a ? "slotA" : "slotB" }
}
