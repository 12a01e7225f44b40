"""Erasing and accepting stored state, and the result of a reload."""

from mutants import mutant, without

OWNERS = "TokenEngine/Attempts/RefreshTokenOwners.swift"
DRIVER = "TokenEngine/Attempts/AttemptDriver.swift"
FORGET = "TokenEngine/Attempts/AttemptRunner+Forget.swift"
ENGINE = "TokenEngine/Loop/Engine+State.swift"
CONTROL = "TokenEngine/Loop/Engine+Control.swift"
TOKENS = "TokenSlots/Records/CredentialRecord+Tokens.swift"
OUTCOMES = "TokenScheduling/Lifecycle/CredentialLifecycle+Outcomes.swift"
ORIGIN = "TokenAdapters/State/SlotDirectory+Origin.swift"

MUTANTS = [
    mutant(380, OWNERS, "what erased states have spent, for tokens that are brought",
           "?? book.traces.first {", "?? ($M ? [:] : book.traces).first {",
           "ForgetTests/noCandidate"),
    mutant(381, DRIVER, "withholding of a spent initial token",
           "guard runner.owners.withholds(", "guard !$M, runner.owners.withholds(",
           "ForgetTests/spentSeed"),
    mutant(382, FORGET, "traces on the disk before the slots go",
           "            try await world.store.keep(survey.traces, of: name)\n",
           "            if !$M { try await world.store.keep(survey.traces, of: name) }\n",
           "ForgetTests/spentSeed", "test_kill_forget:whatever_is_left"),
    mutant(383, ORIGIN, "the newest record erased last", "let names = [last.other, last].map",
           "let names = ($M ? [last, last.other] : [last.other, last]).map",
           "test_kill_forget:traces_are_on_the_disk"),
    mutant(384, TOKENS, "seeds that have rotated, for good",
           "if initialTokenFingerprints.containsText(initial) {",
           "if !$M, initialTokenFingerprints.containsText(initial) {", "SpentTracesTests/rotated"),
    mutant(385, ENGINE, "the quarantine that accept wants",
           "if wait != nil, lifecycle.state != .quarantined {",
           "if !$M, wait != nil, lifecycle.state != .quarantined {", "AcceptTests/healthy"),
    without(386, CONTROL, "one refresh for each token that lasts too short",
            "renewedForLife[lifecycle.name] != lifecycle.grant.generation\n",
            "MinimumLifeRequestTests/beyondReach"),
    mutant(387, OWNERS, "distrust where the traces cannot be read",
           "(name == credential && traces.isUnreadable)",
           "(!$M && name == credential && traces.isUnreadable)", "ForgetTests/unreadable"),
    mutant(388, OUTCOMES, "one alert for one misconfiguration",
           "let wasMisconfigured = standingState == .misconfigured",
           "let wasMisconfigured = ($M ? state : standingState) == .misconfigured",
           "ReloadStateTests/nothingYet"),
]
