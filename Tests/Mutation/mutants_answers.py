"""Reading, trusting, keeping and dropping: slots, answers, JSON."""

from mutants import mutant, without

RECORD = "TokenSlots/Records/SlotRecord.swift"
PLANNING = "TokenSlots/Attempt/AttemptPlanning.swift"
APPLYING = "TokenSlots/Records/CredentialRecord+Applying.swift"
FAILING = "TokenSlots/Records/CredentialRecord+Failing.swift"
TOKENS = "TokenSlots/Records/CredentialRecord+Tokens.swift"
READER = "TokenProviders/Responses/ResponseReader.swift"
RULES = "TokenProviders/Responses/ErrorRules.swift"
CAUSES = "TokenProviders/Responses/ResponseReader+Causes.swift"
JSON = "TokenFormats/JSON/JSONReader.swift"

MUTANTS = [
    # Slots.
    without(100, RECORD, "the checksum", "sum.elementsEqual(", "SlotTests/bitRot"),
    mutant(101, RECORD, "the credential's name in the checksum",
           "hash.update(data: Array(SHA256.hash(", "if !$M { hash.update(data: Array(SHA256.hash(",
           "SlotTests/foreign",
           also=(("data: Array(credential.utf8))))\n", "data: Array(credential.utf8)))) }\n"),)),
    without(102, RECORD, "the version",
            "(1...2).contains(integer(", "SlotFormatTests/laterVersion"),
    without(103, RECORD, "the length", "length <= UInt64(", "SlotTests/bitRot"),
    mutant(105, RECORD, "the higher sequence wins", "a.record.sequence > b.record.sequence ?",
           "(a.record.sequence > b.record.sequence) != $M ?", "SlotFormatTests/winner"),
    without(106, RECORD, "the attempt that an answer is for", 'line["attempt"]?.text == attempt',
            "SlotTests/staleAnswer"),
    mutant(107, RECORD, "quarantine when neither slot can be read",
           "a == .damaged && b == .damaged", "!$M && a == .damaged && b == .damaged",
           "SlotTests/states"),
    mutant(108, RECORD, "the padding to whole blocks", "(block - bytes.count % block) % block",
           "$M ? 0 : (block - bytes.count % block) % block", "SlotFormatTests/wholeBlocks"),
    # The refresh token.
    mutant(110, APPLYING, "keeping of a refresh token that an answer omits",
           "let answered = try? reading.result.get()\n",
           "let answered = try? reading.result.get()\n"
           "        if $M, answered != nil, reading.refreshToken == nil { refreshToken = nil }\n",
           "GrantTests/staticTokens"),
    mutant(111, FAILING, "keeping of a refresh token that is refused", "attempts.failures += 1\n",
           "attempts.failures += 1\n        if $M, effective == .reauth { refreshToken = nil }\n",
           "GrantTests/neverErased"),
    mutant(112, APPLYING, "the memory of what is spent", "if let old = refreshToken { noteSpent",
           "if let old = refreshToken, !$M { noteSpent",
           "test_exclusion_tokens:the_other_has_spent"),
    without(113, TOKENS, "the memory of initial tokens", "isNew(initialToken) {",
            "CandidateTokenTests/changeme",
            "AttemptPlanningTests/loginRequired"),
    mutant(114, PLANNING, "silence while a person must sign in",
           "isManual || !grant.attempts.isLoginRequired",
           "$M || isManual || !grant.attempts.isLoginRequired",
           "AttemptPlanningTests/loginRequired"),
    # When a sign-in is requested.
    mutant(115, FAILING, "three answers before a person is asked", "attempts.reauthResponses >= 3",
           "attempts.reauthResponses >= ($M ? 1 : 3)", "ReauthTests/twoAnswers"),
    mutant(116, FAILING, "ten minutes before a person is asked", "?? span) >= span",
           "?? span) >= ($M ? .zero : span)", "GrantTests/threeAnswers"),
    mutant(117, FAILING, "asking at once after a lost answer",
           "if attempts.ambiguousAttempts > 0 ||",
           "if !$M, attempts.ambiguousAttempts > 0 ||", "GrantTests/afterAmbiguity"),
    # Answers.
    mutant(120, READER, "a refresh token out of a cut answer",
           "let found = salvaged(response)", "let found = $M ? [] : salvaged(response)",
           "ResponseReaderTests/salvage"),
    mutant(121, READER, "tokens of printable characters only", "&& token.isPrintableASCII",
           "&& ($M || token.isPrintableASCII)", "ResponseReaderTests/"),
    mutant(122, READER, "doubt after a cut refusal", "if raw.isTruncated {",
           "if !$M, raw.isTruncated {", "ResponseReaderTests/cutRefusal"),
    mutant(123, READER, "doubt after an unreadable success",
           "let isAmbiguous = refreshToken == nil && spendsGrant",
           "let isAmbiguous = !$M && refreshToken == nil && spendsGrant",
           "ResponseReaderTests/cutAnywhere"),
    without(124, CAUSES, "silence about what servers write",
            "knownErrorCodes.contains(ByteText(text))",
            "ResponseReaderTests/noEcho"),
    mutant(125, RULES, "the longest Retry-After",
           "min(max(.zero, duration), Self.maximumRetryAfter)",
           "$M ? max(.zero, duration) : min(max(.zero, duration), Self.maximumRetryAfter)",
           "ResponseReaderTests/retryAfter"),
    mutant(126, APPLYING, "removal of a refresh token that other fields repeat",
           ".withoutEchoes(of: echoes)", ".withoutEchoes(of: $M ? [] : echoes)",
           "test_secrecy_faults:comes_back_as_something_else"),
    mutant(127, JSON, "refusal of keys given twice", "if place != nil, forgiven",
           "if !$M, place != nil, forgiven", "JSONReaderTests/duplicate"),
    without(128, JSON, "the limit of depth", "depth <= Self.maximumDepth", "JSONReaderTests/deep"),
    mutant(129, JSON, "refusal of text after the value", "guard reader.at == bytes.count",
           "guard $M || reader.at == bytes.count", "JSONReaderTests/"),
    without(130, "TokenFormats/Text/EndpointURL.swift", "https only",
            "isSecure || isLoopback(authority)", "StepTests/sameDomain"),
    mutant(131, "TokenProviders/Requests/RequestURL.swift",
           "hosts of answers in the same domain only",
           "guard EndpointURL.isSameSite(host, origin)",
           "guard $M || EndpointURL.isSameSite(host, origin)", "StepTests/sameDomain"),
]
