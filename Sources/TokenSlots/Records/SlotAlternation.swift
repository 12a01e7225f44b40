package import TokenProviders

/// One write to a slot file. It is durable before the next one begins.
package struct SlotWrite: Sendable, Equatable {
    /// What is written, in whole blocks.
    package var bytes: [UInt8]
    /// Where in the file, in bytes.
    package var offset: Int
    /// The slot to write to.
    package var slot: SlotPair.Index
    /// The sequence of the written record; `nil` for a response.
    package var sequence: UInt64?
}

/// Which slot and which offset each write of an attempt goes to. Two records alternate: a new one
/// overwrites the older, so that the newest complete one survives a failed write of its successor.
///
/// It writes nothing: the caller performs each write, and notes it when it is durable.
package struct SlotAlternation: Sendable {
    private let credential: String
    private let slotSize: Int
    /// Which slot has the newest record; `nil` while there is none.
    private var newest: SlotPair.Index?
    private var newestSequence: UInt64 = 0

    /// - Parameters:
    ///   - credential: The name of the credential, which is part of every checksum.
    ///   - slotSize: Bytes of one slot file; this limits records and responses.
    package init(credential: String, slotSize: Int) {
        (self.credential, self.slotSize) = (credential, slotSize)
    }

    /// Continues from these slots.
    package mutating func note(_ pair: SlotPair) {
        let winner = pair.winner
        newest = winner?.index
        newestSequence = winner?.contents.record.sequence ?? 0
    }

    /// Continues from this write, which is durable.
    package mutating func note(_ write: SlotWrite) {
        guard let sequence = write.sequence else { return }
        (newest, newestSequence) = (write.slot, sequence)
    }

    /// Beside the newest record.
    ///
    /// - Returns: `nil` if the record does not fit, even without what can be left out.
    package func intent(_ record: SlotRecord) -> SlotWrite? {
        beside(record, encodedWithRoom(record))
    }

    /// Behind the newest record, in its slot.
    ///
    /// - Parameters:
    ///   - raw: The response, as it was received.
    ///   - record: The record of its request.
    ///   - roundTrip: From the request's first byte to the response's last one.
    package func response(
        _ raw: RawResponse, to record: SlotRecord, roundTrip: Duration
    ) -> SlotWrite {
        SlotWrite(
            bytes: SlotLayout.encode(
                raw, attemptID: record.attemptID, roundTrip: roundTrip, credential: credential,
                slotSize: slotSize),
            offset: SlotLayout.responseOffset(slotSize: slotSize), slot: newest ?? .a)
    }

    /// A record without a pending request.
    ///
    /// - Returns: `nil` if the record does not fit.
    package func settled(
        _ record: SlotRecord, as purpose: AttemptMachine.RecordWrite
    ) -> SlotWrite? {
        switch purpose {
        case .notice, .adoption: beside(record, encodedWithRoom(record))
        case .withdrawal: write(record, encodedWithRoom(record), to: newest ?? .a)
        case .outcome: beside(record, encoded(record))
        }
    }

    private func beside(_ record: SlotRecord, _ bytes: [UInt8]?) -> SlotWrite? {
        assert(
            record.sequence > newestSequence, "a record is not newer than the one that it follows")
        // Without a readable record the sequence decides: it is the first one, or follows the
        // record in memory, which would be in the first slot.
        let first: SlotPair.Index = record.sequence % 2 == 0 ? .b : .a
        return write(record, bytes, to: newest?.other ?? first)
    }

    private func write(
        _ record: SlotRecord, _ bytes: [UInt8]?, to slot: SlotPair.Index
    ) -> SlotWrite? {
        bytes.map { SlotWrite(bytes: $0, offset: 0, slot: slot, sequence: record.sequence) }
    }

    private func encoded(_ record: SlotRecord) -> [UInt8]? {
        SlotLayout.encode(record, credential: credential, slotSize: slotSize)
    }

    /// Leaves out first the kept values, then the access token, which can be obtained again, then
    /// tokens that are not in use; never the refresh token in use.
    private func encodedWithRoom(_ record: SlotRecord) -> [UInt8]? {
        if let bytes = encoded(record) { return bytes }
        var record = record
        record.grant.access?.keep = []
        if let bytes = encoded(record) { return bytes }
        record.grant.leaveAccessOut()
        record.grant.setAsideToken = nil
        return encoded(record)
    }
}

extension SlotPair {
    /// What the slots say of the credential.
    package var evidence: AttemptEvidence {
        let winner = winner
        let other = winner.map { $0.index == .a ? b : a }
        var records = winner.map { [$0.contents.record] } ?? []
        if case .valid(let contents)? = other { records.append(contents.record) }
        return AttemptEvidence(
            records: records, response: winner?.contents.response, isUnreadable: isUnreadable,
            isStored: a != .empty || b != .empty, lostSequence: lostSequence)
    }
}
