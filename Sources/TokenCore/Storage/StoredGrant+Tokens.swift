import Crypto

extension StoredGrant {
    /// Whether a refused refresh token may be tried once more although a person was asked for: a
    /// provider may have been wrong.
    func isDueAgain(at now: Moment) -> Bool {
        guard let last = attempts.lastAttemptAt, let elapsed = now.elapsed(since: last) else {
            return false
        }
        return elapsed >= RetryPolicy.slowWait
    }

    /// Which exchange renews the token now; `nil` if only a person can.
    func renewalKind(profile: ProviderProfile) -> ExchangeKind? {
        guard profile.usesRefreshToken else { return .refresh }
        if refreshToken != nil, !isRefreshTokenRefused { return .refresh }
        return profile.acquire == nil ? nil : .acquire
    }

    /// Adopts the configured seed when there is no refresh token, or when this seed was never seen
    /// before (the operator signed in again). It never replaces what the daemon obtained from it.
    ///
    /// - Parameter place: Where the attempt would send a refresh token, if that is known.
    mutating func adopt(
        seed: InitialToken?, for place: GrantPlace?, at now: Moment, profile: ProviderProfile
    ) {
        guard profile.usesRefreshToken else { return }
        if let place { returnTo(place, at: now, profile: profile) }
        if let seed { adopt(seed, at: now, profile: profile) }
        if let place { turnToCandidate(for: place, at: now, profile: profile) }
    }

    private mutating func adopt(
        _ seed: InitialToken, at now: Moment, profile: ProviderProfile
    ) {
        guard refreshToken != nil else {
            remember(Self.fingerprint(of: seed.token))
            return replaceRefreshToken(seed.token, at: now, profile: profile)
        }
        if isNew(seed) {
            // It must prove itself before it takes the place of one that works.
            guard candidate?.token != seed.token else { return }
            candidate = CandidateToken(seed.token, since: now)
        } else {
            // The configuration went back to a token that has done its work.
            if candidate?.token != seed.token { candidate = nil }
            recognise(seed, at: now, profile)
        }
    }

    /// Whether the operator has signed in since: it was never adopted before, however it was read.
    public func isNew(_ seed: InitialToken) -> Bool {
        !seed.isKnown { seedFingerprints.contains(Self.fingerprint(of: $0)) }
    }

    /// A seed of a former version is known as it reads now too: its file may be tidied up next.
    private mutating func recognise(
        _ seed: InitialToken, at now: Moment, _ profile: ProviderProfile
    ) {
        let fingerprint = Self.fingerprint(of: seed.token)
        guard seed.former != nil || !seedFingerprints.contains(fingerprint) else { return }
        remember(fingerprint)
        // Nothing has replaced it yet: it is the same token, and now spelled right.
        guard refreshToken != seed.token, seed.isKnown(by: { $0 == refreshToken }) else { return }
        if isRefreshTokenRefused || attempts.isLoginRequired {
            replaceRefreshToken(seed.token, at: now, profile: profile)
        } else {
            refreshToken = seed.token
        }
    }

    mutating func adopt(_ tokens: ImportedTokens, at now: Moment, profile: ProviderProfile) {
        // Where the access token is its own refresh credential either will do.
        let isOwn = profile.lifecycle.refreshToken == .accessToken
        if let refreshToken = tokens.refreshToken ?? (isOwn ? tokens.accessToken : nil) {
            remember(Self.fingerprint(of: refreshToken))
            replaceRefreshToken(refreshToken, at: now, profile: profile)
        }
        if let token = tokens.accessToken {
            replaceAccess(
                GrantedAccess(
                    token: token, tokenType: tokens.tokenType, scope: tokens.scope, sentAt: now,
                    lifetime: tokens.lifetime))
            generation += 1
            if isOwn { refreshTokenLifetime = tokens.lifetime }
        }
        note(PastAttempt(.imported, at: now.wall))
    }

    mutating func replaceRefreshToken(
        _ token: Secret, at now: Moment, profile: ProviderProfile
    ) {
        refreshToken = token
        (candidate, displaced, boundTo) = (nil, nil, nil)
        (isDisplacedRefused, displacedUntil) = (false, 0)
        isRefreshTokenRefused = false
        isKnownStatic = false
        refreshTokenSince = now
        refreshTokenLifetime = profile.lifecycle.refreshTokenLifetime
        isRefreshTokenEndFixed = nil
        let (successes, lastAttempt, lastSuccess) = (
            attempts.successes, attempts.lastAttemptAt, attempts.lastSuccessAt
        )
        attempts = AttemptHistory()
        attempts.successes = successes
        (attempts.lastAttemptAt, attempts.lastSuccessAt) = (lastAttempt, lastSuccess)
    }

    mutating func remember(_ fingerprint: String) {
        seedFingerprints.removeAll { $0 == fingerprint }
        seedFingerprints.append(fingerprint)
        seedFingerprints = seedFingerprints.suffix(Self.maximumSeedFingerprints)
    }

    /// A seed that a former life of this credential has spent: it is known, and never a candidate.
    mutating func rememberSpent(_ seed: InitialToken) {
        for token in [seed.token, seed.former].compactMap({ $0 }) {
            let fingerprint = Self.fingerprint(of: token)
            remember(fingerprint)
            noteSpentSeed(fingerprint)
        }
    }

    private mutating func noteSpentSeed(_ fingerprint: String) {
        guard !spentSeeds.containsText(fingerprint) else { return }
        spentSeeds = (spentSeeds + [fingerprint]).suffix(Self.maximumSeedFingerprints)
    }

    mutating func replaceAccess(_ new: GrantedAccess) {
        if let access { noteFormer(access.token) }
        if let unstoredAccess { noteFormer(fingerprint: unstoredAccess.fingerprint) }
        (access, unstoredAccess) = (new, nil)
    }

    /// Remembers an access token that another one replaces; the oldest of eight is forgotten.
    public mutating func noteFormer(_ token: Secret) {
        noteFormer(fingerprint: Self.fingerprint(ofAccess: token))
    }

    private mutating func noteFormer(fingerprint: String) {
        formerAccess =
            (formerAccess.filter { $0 != fingerprint } + [fingerprint])
            .suffix(Self.maximumFormer)
    }

    mutating func noteSpent(_ token: Secret, at profile: ProviderProfile) {
        let fingerprint = Self.fingerprint(ofRefresh: token, at: profile)
        spent = (spent.filter { $0 != fingerprint } + [fingerprint]).suffix(Self.maximumSpent)
        let seed = Self.fingerprint(of: token)
        if seedFingerprints.containsText(seed) { noteSpentSeed(seed) }
    }

    /// Two providers may give the same text.
    public static func fingerprint(
        ofRefresh token: Secret, at profile: ProviderProfile
    ) -> String {
        let text = "refresh\n\(profile.name)\n\(token.reveal())"
        return hexadecimal(SHA256.hash(data: Array(text.utf8)).prefix(8))
    }

    /// Short: it only tells one's own tokens apart.
    public static func fingerprint(ofAccess token: Secret) -> String {
        hexadecimal(SHA256.hash(data: Array(("access\n" + token.reveal()).utf8)).prefix(8))
    }

    static func fingerprint(of seed: Secret) -> String {
        hexadecimal(SHA256.hash(data: Array(("seed\n" + seed.reveal()).utf8)))
    }
}
