internal import Synchronization
internal import TokenFormats
internal import TokenProviders
internal import TokenSlots

/// One user of a credential's stored state at a time, in the order in which they came (I11). A gate
/// belongs to a name, whether it is configured or not. It serves:
///
/// - **an attempt**: a renewal, an import, the exchange of a sign-in. The lifecycle runs one at a
///   time, but the attempt of a removed credential may still run when its name is configured
///   again, or beside `accept` and `forget`;
/// - **a recovery**, at the start of a credential and after `accept` or `forget`: it reads the
///   state only when an attempt that is under way has reached the disk. That attempt may belong to
///   a former life of the name, or to the present one, whose state was replaced;
/// - **`accept` and `forget`**: they replace the state when no attempt uses it, also the state of a
///   removed credential whose last attempt still runs;
/// - **a release**: the refresh token that a removed credential held is free for others when its
///   last attempt has ended.
///
/// A credential that is removed is at once unknown to the credential set. Letting it stay there
/// until its attempt has ended would serve the first case of a recovery and the release alone; the
/// others would still need the gate.
actor CredentialGates {
    private var waiting: [String: [CheckedContinuation<Void, Never>]] = [:]

    func enter(_ credential: String) async {
        guard waiting[credential] != nil else {
            waiting[credential] = []
            return
        }
        await withCheckedContinuation { waiting[credential]?.append($0) }
    }

    func leave(_ credential: String) {
        assert(waiting[credential] != nil, "a gate is left that was not entered")
        guard var queue = waiting[credential] else { return }
        if queue.isEmpty {
            waiting[credential] = nil
        } else {
            let next = queue.removeFirst()
            waiting[credential] = queue
            next.resume()
        }
    }
}

/// Which credential holds which refresh token, and which ones are spent: a token that is configured
/// or imported twice would be spent twice (I11). By fingerprint; read from all slots at start.
final class RefreshTokenOwners: Sendable {
    private struct Book {
        var holder: [String: String] = [:]
        var spender: [String: String] = [:]
        /// Fingerprints of the refresh tokens that each credential holds and has spent.
        var held: [String: String] = [:]
        var spent: [String: [String]] = [:]
        /// Fingerprints of erased states.
        var traces: [String: SpentTraces] = [:]

        mutating func hold(_ fingerprint: String?, by credential: String) {
            if let old = held[credential], holder[old] == credential { holder[old] = nil }
            held[credential] = fingerprint
            if let fingerprint { holder[fingerprint] = credential }
        }
    }
    private let book = Mutex(Book())

    /// Takes over the stored state of a credential.
    ///
    /// - Parameter profile: `nil` for a credential that is no longer configured: it holds nothing.
    func learn(_ grant: CredentialRecord, of credential: String, at profile: ProviderProfile?) {
        book.withLock { book in
            let token = profile.flatMap { profile in
                grant.refreshToken.map { CredentialRecord.fingerprint(ofRefresh: $0, at: profile) }
            }
            // The first credential keeps the token.
            let isFree = token.flatMap { book.holder[$0] }.map { $0 == credential } ?? true
            book.hold(isFree ? token : nil, by: credential)
            let old = book.spent[credential] ?? []
            guard old != grant.spent else { return }
            for fingerprint in old where book.spender[fingerprint] == credential {
                book.spender[fingerprint] = nil
            }
            book.spent[credential] = grant.spent
            for fingerprint in grant.spent { book.spender[fingerprint] = credential }
        }
    }

    /// - Returns: Why this credential must not send or adopt the token; `nil` if it may.
    func objection(
        to token: Secret, at profile: ProviderProfile, by credential: String
    ) -> Cause? {
        let fingerprint = CredentialRecord.fingerprint(ofRefresh: token, at: profile)
        return book.withLock { book in
            if let owner = book.holder[fingerprint], owner != credential {
                return Cause(.tokenHeldByOther, CauseFacts(other: owner))
            }
            let spender =
                book.spender[fingerprint]
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
