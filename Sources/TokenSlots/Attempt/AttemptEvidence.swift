package import TokenProviders

/// What is stored of a credential, in the terms of the rotation protocol. Where it is stored is not
/// part of it.
package struct AttemptEvidence: Sendable, Equatable {
    /// The readable records, the newest first.
    package var records: [SlotRecord]
    /// The response to the newest record's request; `nil` while none is stored.
    package var response: StoredResponse?
    /// There was a state, but nothing of it is readable: only an operator can decide.
    package var isUnreadable: Bool
    /// Something is stored, readable or not.
    package var isStored: Bool
    /// The sequence of a record that was stored here, if all present records are older: the state
    /// was copied or restored from a backup. `nil` if the newest record is the last one stored.
    package var lostSequence: UInt64?

    /// - Parameters:
    ///   - records: The readable records, the newest first; empty without a state.
    ///   - response: The response to the newest record's request.
    ///   - isUnreadable: There was a state, but nothing of it is readable.
    ///   - isStored: Something is stored, readable or not.
    ///   - lostSequence: Of a later record that was stored here.
    package init(
        records: [SlotRecord] = [], response: StoredResponse? = nil, isUnreadable: Bool = false,
        isStored: Bool = false, lostSequence: UInt64? = nil
    ) {
        (self.records, self.response, self.isUnreadable) = (records, response, isUnreadable)
        (self.isStored, self.lostSequence) = (isStored, lostSequence)
    }

    /// The newest readable record; `nil` without one.
    package var latest: SlotRecord? { records.first }

    /// The newest record, if its request may have been sent.
    package var intent: SlotRecord? { latest?.state == .intent ? latest : nil }

    /// The resulting grant: a stored response is read again, an intent without one counts as sent.
    ///
    /// - Returns: `nil` without a readable record.
    package func grant(profile: ProviderProfile) -> CredentialRecord? {
        guard let intent else { return latest?.grant }
        return SlotContents(record: intent, response: response).grant(profile: profile)
    }

    /// The records with the access token that was left out of them, if it is that one.
    package func recalling(_ access: GrantedAccess?) -> AttemptEvidence {
        guard let access else { return self }
        var evidence = self
        for index in evidence.records.indices { evidence.records[index].grant.recall(access) }
        return evidence
    }
}

/// A configured refresh token that must not be adopted, because it is spent (``SpentTraces``).
package struct WithheldToken: Sendable, Equatable {
    package var token: InitialToken
    /// Whether it is known to be spent; otherwise the list of spent tokens is unreadable.
    package var isKnown: Bool

    package init(_ token: InitialToken, isKnown: Bool) {
        (self.token, self.isKnown) = (token, isKnown)
    }
}
