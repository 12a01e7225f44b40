package import TokenFormats
package import TokenProviders

/// What remains of a credential whose state was erased: the fingerprints of refresh tokens that
/// were replaced by another one. The configuration may still name one of them, and a provider that
/// receives a spent token assumes theft and revokes the whole grant. Contains no token.
///
/// Only for tokens that are known to rotate: a static one may be adopted again.
package struct SpentTraces: Sendable, Equatable {
    /// `CredentialRecord/fingerprint(ofRefresh:at:)`, newest last.
    package private(set) var tokens: [String] = []
    /// `CredentialRecord/fingerprint(of:)` of the spent tokens that came from the configuration or
    /// an import, newest last.
    package private(set) var initialTokens: [String] = []
    /// The file with the fingerprints is unreadable: any token may be spent.
    package var isUnreadable = false

    static let maximumTokens = 4 * CredentialRecord.maximumSpent
    static let maximumInitialTokens = 4 * CredentialRecord.maximumInitialTokenFingerprints

    /// No traces.
    package init() {}

    /// The fingerprints of a state that is about to be erased.
    package init(_ grant: CredentialRecord) {
        (tokens, initialTokens) = (grant.spent, grant.spentInitialTokens)
    }

    /// Whether there is nothing to store.
    package var isEmpty: Bool { tokens.isEmpty && initialTokens.isEmpty && !isUnreadable }
    /// Minimum number of known spent tokens.
    package var count: Int { max(tokens.count, initialTokens.count) }

    /// Adds the fingerprints of a later credential of the same name.
    package mutating func add(_ later: SpentTraces) {
        tokens = Self.joined(tokens, later.tokens, Self.maximumTokens)
        initialTokens = Self.joined(initialTokens, later.initialTokens, Self.maximumInitialTokens)
        isUnreadable = isUnreadable || later.isUnreadable
    }

    private static func joined(_ old: [String], _ new: [String], _ most: Int) -> [String] {
        (old.filter { !new.containsText($0) } + new).suffix(most)
    }

    /// Whether a token was spent before its state was erased.
    package func holds(_ token: Secret, at profile: ProviderProfile) -> Bool {
        tokens.containsText(CredentialRecord.fingerprint(ofRefresh: token, at: profile))
            || initialTokens.containsText(CredentialRecord.fingerprint(of: token))
    }
}

// The format of the file beside the slots.
extension SpentTraces {
    /// The content of `.NAME.spent`; holds fingerprints only.
    package var json: JSONNode {
        .object([
            ("version", 1), ("spent", .array(tokens.map { .string($0) })),
            ("seeds", .array(initialTokens.map { .string($0) })),
        ])
    }

    /// Bytes that are not such a file give an ``isUnreadable`` value.
    package init(_ bytes: [UInt8]) {
        guard let node = try? JSONReader.read(bytes), let tokens = node["spent"]?.elements,
            let initialTokens = node["seeds"]?.elements
        else {
            isUnreadable = true
            return
        }
        self.tokens = tokens.compactMap(\.text)
        self.initialTokens = initialTokens.compactMap(\.text)
    }
}

extension CredentialRecord {
    /// The configured refresh token is spent: it is not sent, and the status says why.
    ///
    /// - Parameters:
    ///   - isKnown: `false` when the file with the fingerprints is unreadable.
    ///   - now: The present time.
    package mutating func noteWithheldInitialToken(isKnown: Bool, at now: Moment) {
        attempts.lastError = StoredError(
            .reauth, Cause(isKnown ? .configuredTokenSpent : .spentRecordUnreadable), at: now.wall)
    }
}
