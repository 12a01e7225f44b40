internal import Crypto
package import TokenFormats
package import TokenProviders

extension StoredGrant {
    /// Whether a refused refresh token may be tried once more although a sign-in is requested: the
    /// provider may have been wrong.
    func isDueAgain(at now: Moment) -> Bool {
        guard let last = attempts.lastAttemptAt, let elapsed = now.elapsed(since: last) else {
            return false
        }
        return elapsed >= AttemptHistory.slowRetryWait
    }

    /// The exchange that renews the token now; `nil` if only a sign-in can.
    func renewalKind(profile: ProviderProfile) -> ExchangeKind? {
        guard profile.usesRefreshToken else { return .refresh }
        if refreshToken != nil, !isRefreshTokenRefused { return .refresh }
        return profile.acquire == nil ? nil : .acquire
    }

    /// Adopts the configured seed when there is no refresh token, or when this seed was never seen
    /// before (after a new sign-in). It never replaces a token that the daemon obtained from it.
    ///
    /// - Parameter place: Where the attempt would send a refresh token, if known.
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
            // It must work once before it replaces one that works.
            guard candidate?.token != seed.token else { return }
            candidate = CandidateToken(seed.token, since: now)
        } else {
            // The configuration names an earlier, adopted token again.
            if candidate?.token != seed.token { candidate = nil }
            recognise(seed, at: now, profile)
        }
    }

    /// Whether the seed was never adopted, under either reading of its text.
    package func isNew(_ seed: InitialToken) -> Bool {
        !seed.isKnown { seedFingerprints.contains(Self.fingerprint(of: $0)) }
    }

    /// Records the present reading of a seed that an earlier version adopted: its file may change
    /// next.
    private mutating func recognise(
        _ seed: InitialToken, at now: Moment, _ profile: ProviderProfile
    ) {
        let fingerprint = Self.fingerprint(of: seed.token)
        guard seed.former != nil || !seedFingerprints.contains(fingerprint) else { return }
        remember(fingerprint)
        // No other token has replaced it: it is the same token, now read correctly.
        guard refreshToken != seed.token, seed.isKnown(by: { $0 == refreshToken }) else { return }
        if isRefreshTokenRefused || attempts.isLoginRequired {
            replaceRefreshToken(seed.token, at: now, profile: profile)
        } else {
            refreshToken = seed.token
        }
    }

    mutating func adopt(_ tokens: ImportedTokens, at now: Moment, profile: ProviderProfile) {
        // When the access token is its own refresh credential, either of them can be used.
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

    /// Marks a seed that was spent before the state was erased: it never becomes a candidate.
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

    /// Remembers a replaced access token; drops the oldest of eight.
    package mutating func noteFormer(_ token: Secret) {
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

    /// Includes the provider, because two providers may issue the same text.
    package static func fingerprint(
        ofRefresh token: Secret, at profile: ProviderProfile
    ) -> String {
        let text = "refresh\n\(profile.name)\n\(token.reveal())"
        return hexadecimal(SHA256.hash(data: Array(text.utf8)).prefix(8))
    }

    /// Short, because it only distinguishes tokens of one credential.
    package static func fingerprint(ofAccess token: Secret) -> String {
        hexadecimal(SHA256.hash(data: Array(("access\n" + token.reveal()).utf8)).prefix(8))
    }

    static func fingerprint(of seed: Secret) -> String {
        hexadecimal(SHA256.hash(data: Array(("seed\n" + seed.reveal()).utf8)))
    }
}
