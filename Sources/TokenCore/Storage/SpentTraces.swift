/// What is kept of a credential whose state was erased: the fingerprints of refresh tokens that
/// another one had replaced. The configuration may still name one of them, and a provider that
/// meets a spent token takes that for theft and ends the whole grant. Holds no token.
///
/// Only of tokens that are known to have rotated: a static one may be adopted again.
public struct SpentTraces: Sendable, Equatable {
    /// ``StoredGrant/fingerprint(ofRefresh:at:)``, newest last.
    public private(set) var tokens: [String] = []
    /// ``StoredGrant/fingerprint(of:)`` of those that the configuration or a person brought, newest
    /// last.
    public private(set) var seeds: [String] = []
    /// The record of them cannot be read: any token may be one.
    public var isUnreadable = false

    static let maximumTokens = 4 * StoredGrant.maximumSpent
    static let maximumSeeds = 4 * StoredGrant.maximumSeedFingerprints

    /// No traces.
    public init() {}

    /// Of a state that is about to be erased.
    public init(_ grant: StoredGrant) { (tokens, seeds) = (grant.spent, grant.spentSeeds) }

    /// Whether there is nothing to keep.
    public var isEmpty: Bool { tokens.isEmpty && seeds.isEmpty && !isUnreadable }
    /// How many spent tokens are known, at least.
    public var count: Int { max(tokens.count, seeds.count) }

    /// Adds those of a later life of the same name.
    public mutating func add(_ later: SpentTraces) {
        tokens = Self.joined(tokens, later.tokens, Self.maximumTokens)
        seeds = Self.joined(seeds, later.seeds, Self.maximumSeeds)
        isUnreadable = isUnreadable || later.isUnreadable
    }

    private static func joined(_ old: [String], _ new: [String], _ most: Int) -> [String] {
        (old.filter { !new.containsText($0) } + new).suffix(most)
    }

    /// Whether a token was spent before its state was erased.
    public func holds(_ token: Secret, at profile: ProviderProfile) -> Bool {
        tokens.containsText(StoredGrant.fingerprint(ofRefresh: token, at: profile))
            || seeds.containsText(StoredGrant.fingerprint(of: token))
    }
}

// As the file beside the slots has it.
extension SpentTraces {
    /// The content of `.NAME.spent`; holds fingerprints only.
    public var json: JSONNode {
        .object([
            ("version", 1), ("spent", .array(tokens.map { .string($0) })),
            ("seeds", .array(seeds.map { .string($0) })),
        ])
    }

    /// Bytes that are no such record make one that is ``isUnreadable``.
    public init(_ bytes: [UInt8]) {
        guard let node = try? JSONReader.read(bytes), let tokens = node["spent"]?.elements,
            let seeds = node["seeds"]?.elements
        else {
            isUnreadable = true
            return
        }
        self.tokens = tokens.compactMap(\.text)
        self.seeds = seeds.compactMap(\.text)
    }
}

extension StoredGrant {
    /// The configured refresh token is spent: it is not sent, and a person reads why.
    ///
    /// - Parameter isKnown: `false` where the record of the spent ones cannot be read.
    public mutating func noteWithheldSeed(isKnown: Bool, at now: Moment) {
        attempts.lastError = StoredError(
            .reauth, Cause(isKnown ? .configuredTokenSpent : .spentRecordUnreadable), at: now.wall)
    }
}
