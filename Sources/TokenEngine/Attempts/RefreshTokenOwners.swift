internal import Synchronization
internal import TokenFormats
internal import TokenProviders
internal import TokenSlots

/// Which credential holds which refresh token, and which ones are spent: a token that is configured
/// or imported twice would be spent twice (I11). By fingerprint; read from all slots at start.
final class RefreshTokenOwners: Sendable {
    private struct Book {
        /// Small numbers instead of names, for what is kept of every token. A name keeps its
        /// number.
        private var numbers: [String: Int32] = [:]
        private var names: [String] = []
        private var holder: [UInt64: Int32] = [:]
        private var spender: [UInt64: Int32] = [:]
        /// By number: the fingerprints of the refresh tokens that each credential holds and has
        /// spent.
        private var held: [UInt64?] = []
        private var spent: [[UInt64]] = []
        /// Fingerprints of erased states.
        var traces: [String: SpentTraces] = [:]

        private mutating func number(of credential: String) -> Int32 {
            if let known = numbers[credential] { return known }
            let number = Int32(names.count)
            numbers[credential] = number
            names.append(credential)
            held.append(nil)
            spent.append([])
            return number
        }

        mutating func hold(_ fingerprint: UInt64?, by credential: String) {
            // A credential that never held a token needs no entry.
            guard fingerprint != nil || numbers[credential] != nil else { return }
            let number = number(of: credential)
            if let old = held[Int(number)], holder[old] == number { holder[old] = nil }
            held[Int(number)] = fingerprint
            if let fingerprint { holder[fingerprint] = number }
        }

        mutating func replaceSpent(_ fingerprints: [UInt64], of credential: String) {
            guard !fingerprints.isEmpty || numbers[credential] != nil else { return }
            let number = number(of: credential)
            let old = spent[Int(number)]
            guard old != fingerprints else { return }
            for fingerprint in old where spender[fingerprint] == number {
                spender[fingerprint] = nil
            }
            spent[Int(number)] = fingerprints
            for fingerprint in fingerprints { spender[fingerprint] = number }
        }

        func holder(of fingerprint: UInt64) -> String? {
            holder[fingerprint].map { names[Int($0)] }
        }

        func spender(of fingerprint: UInt64) -> String? {
            spender[fingerprint].map { names[Int($0)] }
        }
    }
    private let book = Mutex(Book())

    /// Takes over the stored state of a credential.
    ///
    /// - Parameter profile: `nil` for a credential that is no longer configured: it holds nothing.
    func learn(_ grant: CredentialRecord, of credential: String, at profile: ProviderProfile?) {
        book.withLock { book in
            let token = profile.flatMap { profile in
                grant.refreshToken.map {
                    number(CredentialRecord.fingerprint(ofRefresh: $0, at: profile))
                }
            }
            // The first credential keeps the token.
            let isFree =
                token.flatMap { book.holder(of: $0) }.map { $0 == credential } ?? true
            book.hold(isFree ? token : nil, by: credential)
            book.replaceSpent(grant.spent.map(number), of: credential)
        }
    }

    /// - Returns: Why this credential must not send or adopt the token; `nil` if it may.
    func objection(
        to token: Secret, at profile: ProviderProfile, by credential: String
    ) -> Cause? {
        let fingerprint = number(CredentialRecord.fingerprint(ofRefresh: token, at: profile))
        return book.withLock { book in
            if let owner = book.holder(of: fingerprint), owner != credential {
                return Cause(.tokenHeldByOther, CauseFacts(other: owner))
            }
            let spender =
                book.spender(of: fingerprint)
                ?? book.traces.first { $0.value.holds(token, at: profile) }?.key
            guard let spender else {
                book.hold(fingerprint, by: credential)
                return nil
            }
            return spender == credential
                ? Cause(.tokenSpentHere)
                : Cause(.tokenSpentByOther, CauseFacts(other: spender))
        }
    }

    /// A credential that is no longer configured holds nothing; what it has spent stays spent.
    func release(_ credential: String) {
        book.withLock { book in book.hold(nil, by: credential) }
    }

    /// Only these traces remain stored of the credential.
    func forget(_ credential: String, leaving traces: SpentTraces) {
        learn(CredentialRecord(), of: credential, at: nil)
        learn(traces, of: credential)
    }

    /// Takes over the traces of an erased state.
    func learn(_ traces: SpentTraces, of credential: String) {
        book.withLock { $0.traces[credential] = traces.isEmpty ? nil : traces }
    }

    func traces(of credential: String) -> SpentTraces {
        book.withLock { $0.traces[credential] } ?? SpentTraces()
    }

    /// Whether a configured refresh token must not be adopted: it was spent before a state was
    /// erased, of this credential or another, or that is unknown.
    func withholds(_ initialToken: InitialToken, at profile: ProviderProfile, by credential: String)
        -> Bool
    {
        book.withLock { book in
            book.traces.contains { name, traces in
                (name == credential && traces.isUnreadable)
                    || [initialToken.token, initialToken.former].compactMap { $0 }
                        .contains { traces.holds($0, at: profile) }
            }
        }
    }
}

/// The 64 bits of a fingerprint of a refresh token. What is no such text, in a record that another
/// program wrote, gets other bits.
private func number(_ fingerprint: String) -> UInt64 {
    if let number = UInt64(fingerprint: fingerprint) { return number }
    // FNV-1a
    return fingerprint.utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
}
