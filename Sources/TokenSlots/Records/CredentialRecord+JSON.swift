package import TokenFormats
internal import TokenProviders

// The daemon's own format inside a slot. Unknown keys are ignored, so that an older version can
// read what a newer one wrote; a changed meaning needs a new record version (SlotRecord).
extension CredentialRecord {
    func json() -> JSONNode {
        .object([
            ("refresh_token", refreshToken.map { .string($0.reveal()) }),
            ("candidate", candidate?.json()),
            ("displaced", previousRefreshToken.map { .string($0.reveal()) }),
            (
                "displaced_until",
                previousRefreshTokenUntil == 0 ? nil : .integer(previousRefreshTokenUntil)
            ),
            ("displaced_refused", isPreviousRefreshTokenRefused ? true : nil),
            ("bound_to", boundTo.map { .string($0.fingerprint) }),
            ("elsewhere", setAsideToken?.json()),
            ("refused", isRefreshTokenRefused ? true : nil),
            ("refresh_token_since", refreshTokenSince?.json),
            ("refresh_token_lifetime", refreshTokenLifetime?.json),
            ("refresh_token_end_fixed", isRefreshTokenEndFixed.map { .bool($0) }),
            ("static", isKnownStatic ? true : nil),
            ("access", access?.json()), ("unstored_access", unstoredAccess?.json()),
            ("spent", spent.isEmpty ? nil : .array(spent.map { .string($0) })),
            (
                "former_access",
                formerAccess.isEmpty ? nil : .array(formerAccess.map { .string($0) })
            ),
            ("generation", .integer(generation)),
            ("steps", steps.isEmpty ? nil : .array(steps.map { $0.json() })),
            ("seeds", .array(initialTokenFingerprints.map { .string($0) })),
            // Written even if empty, because its absence marks a version before 0.2.
            ("spent_seeds", .array(spentInitialTokens.map { .string($0) })),
            ("attempts", attempts.json()),
            ("recent", recent.isEmpty ? nil : .string(PastAttempt.slotText(recent))),
        ])
    }

    package init?(json node: JSONNode) {
        guard node.members != nil, let generation = node["generation"]?.integer else { return nil }
        self.init()
        self.generation = generation
        refreshToken = node["refresh_token"]?.text.map(Secret.init)
        candidate = node["candidate"].flatMap(CandidateToken.init(json:))
        previousRefreshToken = node["displaced"]?.text.map(Secret.init)
        previousRefreshTokenUntil = node["displaced_until"]?.integer ?? 0
        isPreviousRefreshTokenRefused = node["displaced_refused"]?.flag ?? false
        boundTo = node["bound_to"]?.text.map(GrantBinding.init(fingerprint:))
        setAsideToken = node["elsewhere"].flatMap(SetAsideToken.init(json:))
        isRefreshTokenRefused = node["refused"]?.flag ?? false
        refreshTokenSince = node["refresh_token_since"].flatMap(Moment.init(json:))
        refreshTokenLifetime = node["refresh_token_lifetime"].flatMap(Duration.init(json:))
        isRefreshTokenEndFixed = node["refresh_token_end_fixed"]?.flag
        isKnownStatic = node["static"]?.flag ?? false
        access = node["access"].flatMap(GrantedAccess.init(json:))
        unstoredAccess = node["unstored_access"].flatMap(UnstoredAccess.init(json:))
        spent = (node["spent"]?.elements ?? []).compactMap(\.text)
        formerAccess = (node["former_access"]?.elements ?? []).compactMap(\.text)
        steps = (node["steps"]?.elements ?? []).compactMap(StepResult.init(json:))
        initialTokenFingerprints = (node["seeds"]?.elements ?? []).compactMap(\.text)
        spentInitialTokens =
            node["spent_seeds"]?.elements?.compactMap(\.text) ?? probablySpentInitialTokens
        attempts = node["attempts"].map(AttemptHistory.init(json:)) ?? AttemptHistory()
        recent = PastAttempt.read(slotText: node["recent"]?.text ?? "")
    }

    /// For records of a version without ``spentInitialTokens``. While ``spent`` is complete it
    /// answers the question; afterwards every initial token that is not the stored token counts as
    /// spent.
    private var probablySpentInitialTokens: [String] {
        guard spent.count >= Self.maximumSpent, !isKnownStatic else { return [] }
        let current = refreshToken.map { Self.fingerprint(of: $0) }
        return initialTokenFingerprints.filter { !$0.hasSameBytes(as: current ?? "") }
    }
}

extension GrantedAccess {
    func json() -> JSONNode {
        .object([
            ("token", .string(token.reveal())), ("token_type", tokenType.map { .string($0) }),
            ("scope", scope.map { .string($0) }), ("sent_at", sentAt.json),
            ("lifetime", lifetime?.json), ("round_trip", roundTrip.json),
            ("keep", keep.isEmpty ? nil : JSONNode(.object(keep))),
            ("server_date", serverDate.map { .integer($0.epochSeconds) }),
        ])
    }

    package init?(json node: JSONNode) {
        guard let token = node["token"]?.text,
            let sentAt = node["sent_at"].flatMap(Moment.init(json:))
        else { return nil }
        self.init(
            token: Secret(token), tokenType: node["token_type"]?.text, scope: node["scope"]?.text,
            sentAt: sentAt, lifetime: node["lifetime"].flatMap(Duration.init(json:)),
            roundTrip: node["round_trip"].flatMap(Duration.init(json:)) ?? .zero,
            keep: node["keep"]?.members ?? [],
            serverDate: node["server_date"]?.integer.map(WallTime.init(epochSeconds:)))
    }
}

extension AttemptHistory {
    func json() -> JSONNode {
        .object([
            ("failures", .integer(Int64(failures))),
            ("reauth_answers", .integer(Int64(reauthResponses))),
            ("first_reauth_at", firstReauthAt?.json),
            ("reauth_span", reauthSpan?.json),
            ("equal_refusals", equalRefusals == 0 ? nil : .integer(Int64(equalRefusals))),
            ("first_equal_refusal_at", firstEqualRefusalAt?.json),
            ("ambiguous", .integer(Int64(ambiguousAttempts))),
            ("last_attempt_at", lastAttemptAt?.json), ("last_success_at", lastSuccessAt?.json),
            ("successes", .integer(successes)), ("last_error", lastError?.json()),
            ("counted_down", isCountedDown ? true : nil),
            ("login_required", isLoginRequired ? true : nil),
            ("misconfigured", isMisconfigured ? true : nil),
        ])
    }

    package init(json node: JSONNode) {
        self.init()
        let count = { (key: String) in Int(clamping: max(0, node[key]?.integer ?? 0)) }
        failures = count("failures")
        reauthResponses = count("reauth_answers")
        firstReauthAt = node["first_reauth_at"].flatMap(Moment.init(json:))
        reauthSpan = node["reauth_span"].flatMap(Duration.init(json:))
        equalRefusals = count("equal_refusals")
        firstEqualRefusalAt = node["first_equal_refusal_at"].flatMap(Moment.init(json:))
        ambiguousAttempts = count("ambiguous")
        lastAttemptAt = node["last_attempt_at"].flatMap(Moment.init(json:))
        lastSuccessAt = node["last_success_at"].flatMap(Moment.init(json:))
        successes = Int64(count("successes"))
        lastError = node["last_error"].flatMap(StoredError.init(json:))
        isCountedDown = node["counted_down"]?.flag ?? false
        isLoginRequired = node["login_required"]?.flag ?? false
        isMisconfigured = node["misconfigured"]?.flag ?? false
    }
}

extension StoredError {
    func json() -> JSONNode {
        .object([
            ("class", .string(failureClass.rawValue)),
            ("http_status", httpStatus.map { .integer(Int64($0)) }),
            ("problem", .string(problem)), ("at", .integer(at.epochSeconds)),
            ("retry_after", retryAfter?.json), ("secret", awaitsSecret ? true : nil),
            // Absent in records of earlier versions.
            ("cause", cause.json()), ("since", .integer(since.epochSeconds)),
            ("tries", .integer(Int64(tries))),
        ])
    }

    package init?(json node: JSONNode) {
        guard let failureClass = node["class"]?.text.flatMap(FailureClass.init(rawValue:)),
            let problem = node["problem"]?.text, let at = node["at"]?.integer
        else { return nil }
        // Written by an earlier version, or by a later one with more kinds.
        let untold = Cause(.untold, CauseFacts(detail: problem))
        self.init(
            failureClass, node["cause"].flatMap(Cause.init(json:)) ?? untold,
            httpStatus: node["http_status"]?.integer.map { Int(clamping: $0) },
            at: WallTime(epochSeconds: at),
            retryAfter: node["retry_after"].flatMap(Duration.init(json:)))
        self.problem = problem
        since = node["since"]?.integer.map(WallTime.init(epochSeconds:)) ?? self.at
        tries = Int(clamping: max(1, node["tries"]?.integer ?? 1))
        awaitsSecret = node["secret"]?.flag ?? false
    }
}
