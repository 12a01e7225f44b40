internal import TokenCore

// What an attempt writes, and in which order (durability.md section 3).
extension AttemptRunner {
    func forgetSteps(
        _ slots: any OpenSlots, _ credential: CredentialConfiguration
    ) async {
        guard let pair = try? await slots.read(), let winner = pair.winner else { return }
        var grant = await world.grant(in: winner.contents, of: credential)
        grant.steps = []
        let record = winner.contents.record.settled(grant)
        try? await write(record, to: winner.index.other, of: slots, credential.name)
    }

    /// What was understood goes to the other slot: a profile that is changed later must not have to
    /// understand an answer to the old one. Where nothing new was granted the answer stays the last
    /// word, for a corrected profile may find more in it. Without this record recovery reads the
    /// answer again, so a disk that does not take it costs nothing now; it is said all the same.
    ///
    /// - Returns: What the disk had against it.
    func settle(_ grant: StoredGrant, after attempt: Attempt) async -> Cause? {
        let before = attempt.record.grant
        guard attempt.isLast,
            grant.generation != before.generation || grant.refreshToken != before.refreshToken
        else { return nil }
        // Only whole: the answer beside it holds all that it says.
        let name = attempt.credential.name
        let record = attempt.record.settled(grant)
        guard
            let bytes = SlotLayout.encode(
                record, credential: name, slotSize: world.slots.slotSize)
        else { return nil }
        do throws(AttemptStop) {
            try await write(
                bytes, record.sequence, to: attempt.index.other, of: attempt.slots, name)
            return nil
        } catch { return error.refusal.cause }
    }

    /// Step 4, the commit point. An answer that cannot be saved is held and tried again until the
    /// disk takes it: asking the server again could only lose it (I6).
    func save(_ raw: RawAnswer, of attempt: Attempt, roundTrip: Duration) async {
        let size = world.slots.slotSize
        let bytes = SlotLayout.encode(
            raw, attemptID: attempt.record.attemptID, roundTrip: roundTrip,
            credential: attempt.credential.name, slotSize: size)
        let offset = SlotLayout.answerOffset(slotSize: size)
        var slots = attempt.slots
        var isPublished = false
        while true {
            do throws(StorageFailure) {
                try await slots.write(bytes, at: offset, to: attempt.index, sequence: nil)
                if slots as AnyObject !== attempt.slots as AnyObject { slots.close() }
                return
            } catch {
                let token =
                    isPublished
                    ? nil : await urgentToken(raw, of: attempt, roundTrip: roundTrip)
                if token != nil { isPublished = true }
                onUnsaved(attempt.credential.name, error.cause, token)
                await world.pause(.seconds(1))
                // The same pages are no proof after an error (I5): through a new descriptor.
                if let fresh = try? await world.slots.open(attempt.credential.name) {
                    if slots as AnyObject !== attempt.slots as AnyObject { slots.close() }
                    slots = fresh
                }
            }
        }
    }

    /// The token of an answer that no disk holds, when the one before it ends within seconds: then
    /// other programs are better off with it.
    private func urgentToken(
        _ raw: RawAnswer, of attempt: Attempt, roundTrip: Duration
    ) async -> GrantedAccess? {
        guard attempt.isLast else { return nil }
        let now = world.clock.now()
        if let old = attempt.record.grant.access {
            guard let lifetime = old.lifetime, let age = now.elapsed(since: old.sentAt),
                lifetime - age < min(.seconds(3), max(lifetime / 4, .milliseconds(1200)))
            else { return nil }
        }
        let (grant, end) = await read(raw, of: attempt, roundTrip: roundTrip)
        guard case .granted = end else { return nil }
        return grant.access
    }

    func write(
        _ record: SlotRecord, to index: SlotPair.Index, of slots: any OpenSlots, _ name: String
    ) async throws(AttemptStop) {
        let size = world.slots.slotSize
        var record = record
        var bytes = SlotLayout.encode(record, credential: name, slotSize: size)
        if bytes == nil {
            // What is kept beside the tokens goes first, then the access token, which can be had
            // again, and what is not in use; the refresh token in use cannot.
            record.grant.access?.keep = []
            bytes = SlotLayout.encode(record, credential: name, slotSize: size)
            if bytes == nil {
                record.grant.leaveAccessOut()
                record.grant.elsewhere = nil
                bytes = SlotLayout.encode(record, credential: name, slotSize: size)
            }
        }
        guard let bytes else {
            throw AttemptStop(.storage, Cause(.slotTooSmall))
        }
        try await write(bytes, record.sequence, to: index, of: slots, name)
    }

    private func write(
        _ bytes: [UInt8], _ sequence: UInt64, to index: SlotPair.Index,
        of slots: any OpenSlots, _ name: String
    ) async throws(AttemptStop) {
        do throws(StorageFailure) {
            try await slots.write(bytes, at: 0, to: index, sequence: sequence)
            await distrusted.trust(name)
        } catch {
            await distrusted.distrust(index, of: name)
            throw AttemptStop(.storage, error.cause)
        }
    }
}
