"""Promises of weeks and of many processes: each scenario of the simulation can fail."""

from mutants import mutant

SCHEDULE = "TokenScheduling/Times/RefreshSchedule.swift"
OUTCOMES = "TokenScheduling/Lifecycle/CredentialLifecycle+Outcomes.swift"
STATE = "TokenScheduling/Lifecycle/CredentialLifecycle+State.swift"
FLEET = "TokenScheduling/Credentials/CredentialSet.swift"
PLANNING = "TokenSlots/Attempt/AttemptPlanning.swift"
RECORD = "TokenSlots/Records/SlotRecord.swift"
APPLYING = "TokenSlots/Records/CredentialRecord+Applying.swift"
FAILING = "TokenSlots/Records/CredentialRecord+Failing.swift"

MUTANTS = [
    mutant(570, SCHEDULE, "two thirds of a life", "lifetime * policy.at,",
           "lifetime * ($M ? 0.9 : policy.at),", "scenario:calm"),
    mutant(571, STATE, "no refresh for a step of the clock",
           "guard access.sentAt.bootID != now.bootID else { return }",
           "if $M { dueAt = now.uptime }\n"
           "        guard access.sentAt.bootID != now.bootID else { return }", "scenario:clocks"),
    mutant(572, RECORD, "a response that a former process saved",
           "= node[\"answer_at\"]?.integer", "= ($M ? nil : node[\"answer_at\"])?.integer",
           "scenario:crashes"),
    mutant(573, FAILING, "outages that ask for no sign-in",
           "default: break\n        }\n    }\n",
           "default:\n"
           "            if $M, attempts.failures > 3 { attempts.isLoginRequired = true }\n"
           "        }\n    }\n",
           "scenario:storm"),
    mutant(574, OUTCOMES, "another try after a failure",
           "dueAt = now.uptime.advanced(by: isRetryPending ? .zero : wait)",
           "dueAt = $M ? nil : now.uptime.advanced(by: isRetryPending ? .zero : wait)",
           "scenario:storm"),
    mutant(575, FAILING, "the lost answer as the cause",
           "case .reauth where attempts.ambiguousAttempts > 0: cause",
           "case .reauth where !$M && attempts.ambiguousAttempts > 0: cause",
           "scenario:lost-answers"),
    mutant(576, FLEET, "one seed for all random choices", "random = RandomSource(seed: seed)",
           "random = RandomSource(seed: $M ? .random(in: 0 ... .max) : seed)", "scenario:replay"),
    # What a failure, a crash or a step leaves behind: of these each has a unit test.
    mutant(577, OUTCOMES, "the wait after a failure, over a restart", "max(.zero, wait - elapsed)",
           "$M ? .zero : max(.zero, wait - elapsed)", "LifecycleTests/restartAfterFailure"),
    mutant(578, OUTCOMES, "one prompt retry after an interrupted request",
           "let isPrompt = failure", "let isPrompt = !$M && failure", "LifecycleTests/promptRetry"),
    mutant(579, STATE, "the earlier of two plans after a step of the clock",
           "dueAt = min(planned, dueAt", "dueAt = $M ? dueAt : min(planned, dueAt",
           "LateClockTests/notPostponed"),
    mutant(580, APPLYING, "the end of a history of failures",
           "        attempts = AttemptHistory()\n",
           "        if !$M { attempts = AttemptHistory() }\n",
           "GrantTests/success"),
    mutant(581, PLANNING, "when an attempt began, for the process after a crash",
           "        record.grant.attempts.lastAttemptAt = now\n",
           "        if !$M { record.grant.attempts.lastAttemptAt = now }\n",
           "AttemptPlanningTests/timeOfAttempt"),
]
