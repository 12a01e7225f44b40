internal import Crypto
package import TokenFormats
package import TokenProviders

extension CredentialRecord {
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

    /// Adopts the configured initial token when there is no refresh token, or when this one was
    /// never seen before (after a new sign-in). It never replaces a token that the daemon obtained
    /// from it.
    ///
    /// - Parameter place: Where the attempt would send a refresh token, if known.
    mutating func adopt(
        initialToken: InitialToken?, for place: GrantBinding?, at now: Moment,
        profile: ProviderProfile
    ) {
        guard profile.usesRefreshToken else { return }
        if let place { returnTo(place, at: now, profile: profile) }
        if let initialToken { adopt(initialToken, at: now, profile: profile) }
        if let place { turnToCandidate(for: place, at: now, profile: profile) }
    }

    private mutating func adopt(
        _ initialToken: InitialToken, at now: Moment, profile: ProviderProfile
    ) {
        guard refreshToken != nil else {
            remember(Self.fingerprint(of: initialToken.token))
            return replaceRefreshToken(initialToken.token, at: now, profile: profile)
        }
        if isNew(initialToken) {
            // It must work once before it replaces one that works.
            guard candidate?.token != initialToken.token else { return }
            candidate = CandidateToken(initialToken.token, since: now)
        } else {
            // The configuration names an earlier, adopted token again.
            if candidate?.token != initialToken.token { candidate = nil }
            recognise(initialToken, at: now, profile)
        }
    }

    /// Whether the initial token was never adopted, under either reading of its text.
    package func isNew(_ initialToken: InitialToken) -> Bool {
        !initialToken.isKnown { initialTokenFingerprints.contains(Self.fingerprint(of: $0)) }
    }

    /// Records the present reading of an initial token that an earlier version adopted: its file
    /// may change next.
    private mutating func recognise(
        _ initialToken: InitialToken, at now: Moment, _ profile: ProviderProfile
    ) {
        let fingerprint = Self.fingerprint(of: initialToken.token)
        guard initialToken.former != nil || !initialTokenFingerprints.contains(fingerprint) else {
            return
        }
        remember(fingerprint)
        // No other token has replaced it: it is the same token, now read correctly.
        guard refreshToken != initialToken.token, initialToken.isKnown(by: { $0 == refreshToken })
        else { return }
        if isRefreshTokenRefused || attempts.isLoginRequired {
            replaceRefreshToken(initialToken.token, at: now, profile: profile)
        } else {
            refreshToken = initialToken.token
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
        (candidate, previousRefreshToken, boundTo) = (nil, nil, nil)
        (isPreviousRefreshTokenRefused, previousRefreshTokenUntil) = (false, 0)
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
        initialTokenFingerprints.removeAll { $0 == fingerprint }
        initialTokenFingerprints.append(fingerprint)
        initialTokenFingerprints = initialTokenFingerprints.suffix(
            Self.maximumInitialTokenFingerprints)
    }

    /// Marks an initial token that was spent before the state was erased: it never becomes a
    /// candidate.
    mutating func rememberSpent(_ initialToken: InitialToken) {
        for token in [initialToken.token, initialToken.former].compactMap({ $0 }) {
            let fingerprint = Self.fingerprint(of: token)
            remember(fingerprint)
            noteSpentInitialToken(fingerprint)
        }
    }

    private mutating func noteSpentInitialToken(_ fingerprint: String) {
        guard !spentInitialTokens.containsText(fingerprint) else { return }
        spentInitialTokens = (spentInitialTokens + [fingerprint]).suffix(
            Self.maximumInitialTokenFingerprints)
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
        let initial = Self.fingerprint(of: token)
        if initialTokenFingerprints.containsText(initial) { noteSpentInitialToken(initial) }
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

    static func fingerprint(of initialToken: Secret) -> String {
        hexadecimal(SHA256.hash(data: Array(("seed\n" + initialToken.reveal()).utf8)))
    }
}
