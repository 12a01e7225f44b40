"""What servers do in the field: broken responses, ends that disagree, new seeds, odd refusals."""

from mutants import mutant, without

DECODED = "TokenCore/Response/DecodedBody.swift"
TOLERANT = "TokenCore/Response/TolerantBody.swift"
READER = "TokenCore/Response/AnswerReader.swift"
RULES = "TokenCore/Response/ErrorRules.swift"
ENDS = "TokenCore/Response/TokenEnds.swift"
JSON = "TokenCore/JSON/JSONReader.swift"
FORGIVING = "TokenCore/JSON/JSONReader+Forgiving.swift"
RECORD = "TokenCore/Storage/SlotRecord.swift"
PLANNING = "TokenCore/Storage/AttemptPlanning.swift"
CANDIDATE = "TokenCore/Storage/CandidateToken.swift"
TOKENS = "TokenCore/Storage/StoredGrant+Tokens.swift"
APPLYING = "TokenCore/Storage/StoredGrant+Applying.swift"
FAILING = "TokenCore/Storage/StoredGrant+Failing.swift"
NAMED = "TokenCore/Lifecycle/CredentialLifecycle+Candidate.swift"
LIFE = "TokenCore/Lifecycle/CredentialLifecycle.swift"
PLACE = "TokenCore/Storage/GrantPlace.swift"
INITIAL = "TokenCore/Storage/InitialToken.swift"
RETRY = "TokenCore/Lifecycle/RetryPolicy.swift"
FILTER = "TokenCore/Causes/PeerFilter.swift"
CAUSES = "TokenCore/Response/AnswerReader+Causes.swift"
ERROR = "TokenCore/Storage/StoredGrant.swift"

MUTANTS = [
    # Tolerant reading.
    mutant(260, DECODED, "compression undone", "if isGzip || isZlib {",
           "if !$M, isGzip || isZlib {", "TolerantReadingTests/compressed"),
    mutant(261, DECODED, "UTF-16", "guard isLittle || isBig else",
           "guard !$M, isLittle || isBig else", "TolerantReadingTests/utf16"),
    mutant(262, TOLERANT, "text around the JSON", "        node = chosen.node\n",
           "        if $M, chosen.start > 0 || chosen.end < bytes.count { return }\n"
           "        node = chosen.node\n", "TolerantReadingTests/surrounded"),
    mutant(263, TOLERANT, "refusal of pages", "if Self.isPage(bytes[..<chosen.start]) {",
           "if !$M, Self.isPage(bytes[..<chosen.start]) {", "TolerantReadingTests/pages"),
    mutant(264, TOLERANT, "neither of two candidates published", "if candidates.count == 1 {",
           "if candidates.count == 1 || ($M && !candidates.isEmpty) {",
           "TolerantReadingTests/twoCandidates"),
    without(265, READER, "the alphabet of tokens in guessed text",
            "!answer.forgiven.contains(where: \\.isGuess) ||", "TolerantReadingTests/guessed"),
    mutant(266, JSON, "the last of values with one name", "members[place] = member\n",
           "if !$M { members[place] = member }\n", "TolerantReadingTests/twice"),
    mutant(267, READER, "the replaced refresh tokens of a response",
           "let others = replacedRefreshTokens(answer, by: refreshToken)",
           "let others = $M ? [] : replacedRefreshTokens(answer, by: refreshToken)",
           "TolerantReadingTests/twice"),
    mutant(268, FORGIVING, "the whole values of JSON that was cut",
           "guard forgiven != nil, at >= bytes.count else",
           "guard !$M, forgiven != nil, at >= bytes.count else",
           "TolerantReadingTests/endsEarly"),
    # Ends.
    mutant(270, ENDS, "the earliest end", "guard let shortest = lives.min() else",
           "guard let shortest = $M ? lives.first : lives.min() else", "TokenEndTests/pairs"),
    without(271, ENDS, "the end of what has ended already", "shortest >= .seconds(1) else",
            "TokenEndTests/pairs"),
    mutant(272, ENDS, "disbelief in this host's clock beside a relative end",
           "} else if lives.isEmpty {", "} else if $M || lives.isEmpty {",
           "TokenEndTests/undated"),
    mutant(273, ENDS, "disbelief in a JWT that ended before its issue",
           "issue.map({ $0 < end }) ?? true", "$M || (issue.map({ $0 < end }) ?? true)",
           "TokenEndTests/pairs"),
    mutant(274, ENDS, "no end of a refresh token that lives zero or less",
           "return lives.filter { $0 > .zero }.min()",
           "return ($M ? lives : lives.filter { $0 > .zero }).min()",
           "TokenEndTests/refreshEnds",
           also=(("case .zero?, .unusable?, nil: break",
                  "case .zero?: if $M { relative.append(.zero) }\n"
                  "            case .unusable?, nil: break"),)),
    mutant(275, ENDS, "disbelief in constants", "filter { !lasts || $0 >",
           "filter { $M || !lasts || $0 >", "TokenEndTests/pairs"),
    # Candidates.
    mutant(276, TOKENS, "the proof of a new seed before it replaces what works",
           "candidate = CandidateToken(seed.token, since: now)",
           "if $M { return replaceRefreshToken(seed.token, at: now, profile: profile) }\n"
           "            candidate = CandidateToken(seed.token, since: now)",
           "CandidateTokenTests/changeme"),
    mutant(277, CANDIDATE, "the memory of a candidate that was refused",
           "tried.state = .refused", "tried.state = $M ? .untried : .refused",
           "CandidateTokenTests/changeme"),
    mutant(278, CANDIDATE, "keeping of what a candidate displaces",
           "else if old != candidate.token { displaced = old }",
           "else if !$M, old != candidate.token { displaced = old }",
           "CandidateTokenTests/displaced"),
    mutant(279, CANDIDATE, "the end of tries after two lost answers",
           "if tried.lostAnswers > 1 {", "if !$M, tried.lostAnswers > 1 {",
           "CandidateTokenTests/lost"),
    mutant(280, RECORD, "the version that hides candidates from former versions",
           "record.grant.hasOpenCandidate ?", "record.grant.hasOpenCandidate && !$M ?",
           "CandidateTokenTests/formerVersion"),
    mutant(281, APPLYING, "a refresh token that a refusal brings",
           "if let offered = reading.offeredRefreshToken,",
           "if !$M, let offered = reading.offeredRefreshToken,", "CandidateTokenTests/offered"),
    mutant(282, CANDIDATE, "the last try of a candidate before a person is asked",
           "guard attempts.isLoginRequired, var last",
           "guard !$M, attempts.isLoginRequired, var last",
           "CandidateTokenTests/lastResort"),
    mutant(283, CANDIDATE, "the way back to what was displaced",
           "if let displaced, let old = refreshToken,",
           "if !$M, let displaced, let old = refreshToken,", "CandidateTokenTests/displaced"),
    without(284, CANDIDATE, "no way back beside a lost answer",
            "attempts.ambiguousAttempts == 0 else", "CandidateTokenTests/offered"),
    mutant(290, NAMED, "a try of a candidate at once", "} else { tryCandidate(now: now) }\n        return",
           "} else if !$M { tryCandidate(now: now) }\n        return", "CandidateTokenTests/life"),
    # Where a refresh token may be sent.
    mutant(340, PLACE, "setting aside of a token of another place",
           "guard let candidate, let boundTo, boundTo != place else",
           "guard !$M, let candidate, let boundTo, boundTo != place else",
           "GrantPlaceTests/candidateElsewhere"),
    mutant(341, PLACE, "the way back to a token that was set aside",
           "guard let kept = elsewhere, kept.place == place,",
           "guard !$M, let kept = elsewhere, kept.place == place,", "GrantPlaceTests/back"),
    mutant(342, PLACE, "a token that works before one that never did",
           "if let elsewhere, elsewhere.successes", "if !$M, let elsewhere, elsewhere.successes",
           "GrantPlaceTests/twoWrongTurns"),
    mutant(343, APPLYING, "the place of a grant", "{\n            boundTo = record.place",
           "{\n            if !$M { boundTo = record.place }", "GrantPlaceTests/withoutCandidate"),
    mutant(344, PLACE, "the place of a first request", "        grant.boundTo = place\n",
           "        if !$M { grant.boundTo = place }\n", "GrantPlaceTests/unproved"),
    mutant(345, CANDIDATE, "no second try with a token of another place", "if isElsewhere {",
           "if !$M, isElsewhere {", "GrantPlaceTests/quarantined"),
    mutant(346, INITIAL, "what people leave around a token", 'return ["",',
           'return !$M && ["",', "InitialTokenTests/tidied"),
    mutant(347, PLACE, "the client in a place", "\\(origin)\\n\\(clientID)",
           '\\(origin)\\n\\($M ? "" : clientID)', "GrantPlaceTests/rendered"),
    mutant(348, PLACE, "the results of steps of another place",
           "(self.boundTo, elsewhere, steps) = (place, left, [])",
           "(self.boundTo, elsewhere, steps) = (place, left, $M ? steps : [])",
           "GrantPlaceTests/steps"),
    mutant(349, APPLYING, "keeping of a former token until the new one was refreshed once",
           "successes > elsewhere.successes + 1", "successes > elsewhere.successes + ($M ? 0 : 1)",
           "GrantPlaceTests/adopted"),
    mutant(350, NAMED, "one try of a place for each change", "        triedPlace = place\n",
           "        if !$M { triedPlace = place }\n", "GrantPlaceTests/tried"),
    mutant(351, LIFE, "the refresh that was asked for after a refused candidate",
           "if !isMet { isRenewalWished", "if !$M, !isMet { isRenewalWished",
           "CandidateTokenTests/wished"),
    mutant(352, CANDIDATE, "the last tries of a new sign-in that was refused once",
           "!isDisplacedRefused || attempts.isLoginRequired",
           "!isDisplacedRefused || (!$M && attempts.isLoginRequired)",
           "CandidateTokenTests/bothRefused"),
    # Retry by cause.
    mutant(291, RETRY, "half of what is left", "remaining.map { min(soon, $0.life / 2) }",
           "remaining.map { $M ? soon : min(soon, $0.life / 2) }", "RetryByCauseTests/soon"),
    mutant(292, FAILING, "three minutes of refusals before they are tried slowly",
           "?? Self.spanUntilSlow) >= Self.spanUntilSlow",
           "?? Self.spanUntilSlow) >= ($M ? .zero : Self.spanUntilSlow)",
           "RetryByCauseTests/slow"),
    without(293, FAILING, "the count of equal refusals only",
            "last?.failureClass == .config && last?.cause", "RetryByCauseTests/unequal"),
    mutant(294, RULES, "the words of invalid_request", "if !isOwn, failureClass == .config, spends",
           "if !isOwn, !$M, failureClass == .config, spends", "RetryByCauseTests/invalidRequest"),
    mutant(295, RULES, "the words of a request that lacks something",
           '!holds(["missing", "required", "parameter", "unsupported"])',
           '($M || !holds(["missing", "required", "parameter", "unsupported"]))',
           "RetryByCauseTests/invalidRequest"),
    mutant(296, RETRY, "the wait after a lost answer", "guard isRotating, isUnsaid,",
           "guard !$M, isRotating, isUnsaid,", "RetryByCauseTests/ambiguity"),
    mutant(297, FAILING, "a person asked after half of what is left",
           "return min(max((lifetime - age) / 2,",
           "return $M ? .seconds(600) : min(max((lifetime - age) / 2,",
           "RetryByCauseTests/login"),
    mutant(298, RETRY, "waiting for the end of a token that is counted down",
           "let end = history.isCountedDown ?", "let end = history.isCountedDown && !$M ?",
           "RetryByCauseTests/countedDown"),
    mutant(299, RETRY, "looks for a secret every few seconds",
           "isNew ? Self.longestWaitForSecret", "isNew && !$M ? Self.longestWaitForSecret",
           "RetryByCauseTests/secrets"),
    mutant(300, PLANNING, "a try each half hour while a person must sign in",
           "grant.isDueAgain(at: now)\n", "(!$M && grant.isDueAgain(at: now))\n",
           "RetryByCauseTests/afterLogin"),
    # Causes, and what a peer says of itself. Numbers from 320: other work has those between.
    mutant(320, FILTER, "secrets that a peer echoes", "return isTold ? nil : text",
           "return isTold && !$M ? nil : text", "PeerFilterTests/parts"),
    mutant(321, FILTER, "decoding of what a peer says",
           "for _ in 0..<2 { readings", "for _ in 0..<($M ? 0 : 2) { readings",
           "PeerFilterTests/encoded"),
    mutant(322, FILTER, "characters that a peer may not use",
           "text.utf8.allSatisfy(Self.isAllowed)", "($M || text.utf8.allSatisfy(Self.isAllowed))",
           "PeerFilterTests/shape"),
    mutant(323, CAUSES, "the filter of a redirect",
           "guard let target = filter.passed(PeerText(String(target))) else { return (nil, nil) }",
           "guard let target = $M ? String(target) : filter.passed(PeerText(String(target)))\n"
           "        else { return (nil, nil) }", "PeerFilterTests/canary"),
    mutant(324, CAUSES, "pages that are no refusal", "isPage(answer) {\n            return Cause",
           "!$M, isPage(answer) {\n            return Cause", "CauseOfAnswerTests/pages"),
    mutant(325, ERROR, "the count of the same trouble",
           "former.cause.isSameTrouble(as: cause) else",
           "$M || former.cause.isSameTrouble(as: cause) else", "CauseTests/sameTrouble"),
]
