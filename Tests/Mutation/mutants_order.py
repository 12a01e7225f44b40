"""The order of steps in an attempt, permissions, and the daemon's start and stop."""

from mutants import mutant, without

DRIVER = "TokenEngine/Attempts/AttemptDriver.swift"
EXCHANGE = "TokenSlots/Attempt/AttemptMachine+Exchange.swift"
FAILING = "TokenSlots/Attempt/AttemptMachine+Failing.swift"
MACHINE = "TokenSlots/Attempt/AttemptMachine.swift"
STORAGE = "TokenEngine/Attempts/SlotStore.swift"
ALTERNATION = "TokenSlots/Records/SlotAlternation.swift"
KNOWN = "TokenEngine/Attempts/LastKnown.swift"
ORIGIN = "TokenEngine/Attempts/AttemptRunner+Origin.swift"
GATES = "TokenEngine/Attempts/CredentialGates.swift"
OWNERS = "TokenEngine/Attempts/RefreshTokenOwners.swift"
ENGINE = "TokenEngine/Loop/Engine.swift"
LIFE = "TokenScheduling/Lifecycle/CredentialLifecycle.swift"
STATE = "TokenScheduling/Lifecycle/CredentialLifecycle+State.swift"
OUTCOMES = "TokenScheduling/Lifecycle/CredentialLifecycle+Outcomes.swift"
FLEET = "TokenScheduling/Credentials/CredentialSet.swift"
SCHEDULE = "TokenScheduling/Times/RefreshSchedule.swift"
WINDOW = "TokenScheduling/Credentials/RateWindow.swift"
PLANNING = "TokenSlots/Attempt/AttemptPlanning.swift"
TIME = "TokenFormats/Time/Time.swift"
ORDER = "EngineTests/order"
STEPPED = "publishDueAt = now.uptime\n            isOutputChangePending = job != .none\n"

MUTANTS = [
    # From the slots to the slots.
    mutant(50, DRIVER, "intent before request", "try await open.beginIntent(record)",
           "if !$M { try await open.beginIntent(record) }", ORDER),
    mutant(51, DRIVER, "saving of the answer before it is read and settled",
           "await save(raw, to: record, roundTrip: roundTrip)\n            return",
           "if !$M { await save(raw, to: record, roundTrip: roundTrip) }\n            return",
           ORDER),
    mutant(52, EXCHANGE, "settling in the other slot", "guard let outcome = record.outcome(",
           "guard !$M, let outcome = record.outcome(", ORDER),
    mutant(53, DRIVER, "saving before publishing",
           "case .saveResponse(let raw, let record, let roundTrip):",
           "case .saveResponse(let raw, let record, let roundTrip):\n            if $M {\n"
           "                let early = await runner.read(\n"
           "                    raw, to: record, of: credential, roundTrip: roundTrip).0.access\n"
           "                onUnsaved(Cause(.stateFails), early)\n"
           "                await world.pause(.milliseconds(50))\n            }", ORDER),
    mutant(54, DRIVER, "tries to save an answer again", "await world.pause(Self.savePause)",
           "if $M { return }\n                await world.pause(Self.savePause)",
           "EngineTests/unsaved"),
    without(55, DRIVER, "holding back of an unsaved token while the old one lives",
            "lifetime - age <", "fault_injected:published_before_readers_have_none"),
    mutant(56, STORAGE, "distrust of a slot whose write failed",
           "await store.distrusted.distrust(write.slot, of: credential)",
           "if !$M { await store.distrusted.distrust(write.slot, of: credential) }",
           "fault_flushes:counts_as_damaged"),
    mutant(57, ALTERNATION, "writing to the other slot", "to: newest?.other ?? first",
           "to: ($M ? newest : newest?.other) ?? first", "AttemptStorageTests/alternate"),
    mutant(58, PLANNING, "a higher sequence for each attempt",
           "sequence: (latest?.sequence ?? 0) + 1, state",
           "sequence: (latest?.sequence ?? 0) + ($M ? 0 : 1), state",
           "AttemptPlanningTests/seeds"),
    mutant(59, PLANNING, "ambiguity that outlives the process",
           "grant.fail(refusal, of: record, profile: profile)",
           "if !$M { grant.fail(refusal, of: record, profile: profile) }", "SlotTests/tornWrites"),
    mutant(60, KNOWN, "reading of the disk before each attempt, not of memory",
           "if stored.latest == nil, let kept", "if $M || stored.latest == nil, let kept",
           "ForeignStateTests/behindMemory"),
    mutant(61, KNOWN, "the record in memory when slots vanish",
           "guard grant.refreshToken != nil, grant.generation > 0",
           "guard !$M, grant.refreshToken != nil, grant.generation > 0",
           "fault_real_state:removed_slots"),
    # A state that went back.
    mutant(62, ORIGIN, "the fence of what memory knows",
           "guard grant.generation < memory.grant.generation,",
           "guard !$M, grant.generation < memory.grant.generation,",
           "ForeignStateTests/behindMemory"),
    mutant(63, ORIGIN, "the fence of marks", "if let lost, grant.isEndangered",
           "if !$M, let lost, grant.isEndangered", "ForeignStateTests/wentBack"),
    mutant(64, ORIGIN, "the fence of copied slots",
           "        case .foreign(let cause) = try await world.store.origin",
           "        !$M, case .foreign(let cause) = try await world.store.origin",
           "test_rollback:second_daemon_on_a_copy"),
    mutant(65, ORIGIN, "the look at the origin before each request",
           "            let cause = try await foreignCause(of: grant, credential, world)",
           "            let cause = try await $M ? nil "
           ": foreignCause(of: grant, credential, world)",
           "ForeignStateTests/copy"),
    # One at a time.
    mutant(66, EXCHANGE, "the claim to a refresh token before it is sent",
           "return next(.claimingSent, .claim(token))",
           "return $M ? next(.beginning, .beginIntent(record))\n"
           "                : next(.claimingSent, .claim(token))", "EngineTests/sameToken"),
    mutant(67, OWNERS, "who holds a refresh token", "owner != credential {",
           "owner != credential, !$M {", "EngineTests/sameToken"),
    mutant(68, OWNERS, "who has spent a refresh token",
           "guard let spender else", "guard !$M, let spender else",
           "test_exclusion_tokens:the_other_has_spent"),
    mutant(69, GATES, "one attempt at a time for each name",
           "guard waiting[credential] != nil else",
           "guard !$M, waiting[credential] != nil else", "GateTests/oneAtATime"),
    mutant(70, LIFE, "one job at a time of a credential",
           "guard job == .none else { return actions }",
           "guard $M || job == .none else { return actions }",
           "CredentialSetTests/orderWhileAsking",
           also=(("guard job == .none else { return false }",
                  "guard $M || job == .none else { return false }"),)),
    without(71, LIFE, "tickets", "job == .attempting(ticket) else", "LifecycleTests/staleTicket"),
    mutant(72, FLEET, "waiting until all slots are read", "&& recovering == 0",
           "&& ($M || recovering == 0)", "LifecycleRuleTests/window"),
    mutant(73, FLEET, "no new attempt while stopping", "&& !isStopping }",
           "&& ($M || !isStopping) }", "CredentialSetTests/stopping"),
    mutant(74, FLEET, "the limit of requests in flight", "{ inFlight < maxInFlight",
           "{ ($M || inFlight < maxInFlight)", "CredentialSetTests/inFlight"),
    # How often.
    mutant(75, SCHEDULE, "the floor between two refreshes",
           "return max(delay, minimumInterval", "return $M ? delay : max(delay, minimumInterval",
           "RefreshScheduleTests/rules"),
    mutant(76, STATE, "the floor for those who ask by hand",
           "elapsed < floor else { return now.uptime }",
           "elapsed < floor, !$M else { return now.uptime }", "CredentialSetTests/floorByHand"),
    mutant(77, STATE, "the wait that a provider asked for", "elapsed < asked\n",
           "elapsed < asked, !$M\n", "LifecycleTests/tokenWanted"),
    mutant(78, OUTCOMES, "the floor after a restart", "max(.zero, floor - elapsed)",
           "$M ? .zero : max(.zero, floor - elapsed)", "LifecycleTests/crashLoop"),
    mutant(79, WINDOW, "the rate limit", "guard times.count >= limit.count",
           "guard !$M, times.count >= limit.count", "LifecycleRuleTests/window"),
    mutant(80, FLEET, "what a former life sent, in the rate limit",
           "note(Uptime(now.uptime.sinceBoot - elapsed)",
           "if !$M { note(Uptime(now.uptime.sinceBoot - elapsed)", "CredentialSetTests/formerLife",
           also=((", by: lifecycle, index)\n    }\n\n    /// Counts one exchange",
                  ", by: lifecycle, index) }\n    }\n\n    /// One exchange"),)),
    # Start, stop, clocks.
    mutant(81, ENGINE, "readiness only when every credential is settled",
           "if credentials.mayReportReadiness ||",
           "if $M || credentials.mayReportReadiness ||", ORDER),
    mutant(82, ENGINE, "the watchdog", "world.supervisor.watchdog()",
           "if !$M { world.supervisor.watchdog() }", "fault_injected:starves_no_watchdog"),
    mutant(83, ENGINE, "waiting of a stop for what is in flight", "&& !credentials.isBusy }",
           "&& ($M || !credentials.isBusy) }", "test_steps_kill:stop_during_the_second_step"),
    mutant(84, "evertokend/Assembly.swift", "a stop in order",
           "inbox.yield(.stop) }),\n            (SIGINT",
           "if $M { exit(0) } else { inbox.yield(.stop) } }),\n            (SIGINT",
           "test_steps_kill:stop_during_the_first_step"),
    mutant(85, STATE, "publishing anew after a step of the clock", STEPPED,
           STEPPED.replace("= now.uptime", "= $M ? publishDueAt : now.uptime"),
           "test_clocks:told_by_the_new_clock"),
    mutant(86, TIME, "no belief in a time that lies in the future",
           "return elapsed < .zero ? nil", "return elapsed < .zero && !$M ? nil",
           "ValueTests/elapsed"),
    mutant(87, "TokenProviders/Responses/GrantedAccess.swift",
           "the server's clock against a reset one of ours",
           "guard sentAt.bootID != now.bootID, let serverDate",
           "guard !$M, sentAt.bootID != now.bootID, let serverDate",
           "test_clock_restarts:not_taken_for_one_minute"),
    mutant(88, LIFE, "a successor's file left alone at its predecessor's end",
           "!published.hasExpired, !isReplacing", "!published.hasExpired, $M || !isReplacing",
           "LifecycleTests/endWhilePublishing"),
    # The machine of one attempt.
    mutant(548, EXCHANGE, "the notice before a candidate is sent",
           "return next(.announcing, .settle(notice, as: .notice))",
           "return $M ? prepare() : next(.announcing, .settle(notice, as: .notice))",
           "AttemptMachineTests/candidate"),
    mutant(549, EXCHANGE, "an intent that stays where no response came",
           "return finish(record.end(for: refusal))",
           "return $M ? next(.withdrawing(record.end(for: refusal)), "
           ".settle(record, as: .withdrawal))\n                : finish(record.end(for: refusal))",
           "AttemptMachineTests/wireFailures"),
    mutant(550, EXCHANGE, "an intent that is taken back where nothing left",
           "record.state = .settled\n            record.grant.fail(",
           "if !$M { record.state = .settled }\n            record.grant.fail(",
           "AttemptMachineTests/wireFailures"),
    mutant(551, FAILING, "an outcome that need not be written",
           "storageCause = refusal.cause", "if !$M { storageCause = refusal.cause }",
           "AttemptMachineTests/failingWrites"),
    mutant(552, MACHINE, "the end of what has ended",
           "case .idle, .ended: return unexpected()",
           "case .idle, .ended: return $M ? start() : unexpected()",
           "AttemptMachineTests/unexpectedEvents"),
    # A name that is removed and comes again.
    mutant(600, FLEET, "tickets of each life", "begun += 1", "begun += $M ? 0 : 1",
           "CredentialReturnTests/twoReloads"),
    mutant(601, FLEET, "the place in a group that a credential leaves",
           "windows[group]?.release(index)\n    }\n\n    private mutating func noteAttempt(",
           "if !$M { windows[group]?.release(index) }\n    }\n\n"
           "    private mutating func noteAttempt(", "CredentialReturnTests/otherGroup"),
    mutant(602, FLEET, "the end of what a rate limit remembers", "where window.isIdle(now.uptime)",
           "where !$M && window.isIdle(now.uptime)", "CredentialReturnTests/memory"),
    mutant(603, ENGINE, "the ticket of a response that cannot be saved",
           "guard credentials[name]?.isAttempting(ticket) == true",
           "guard $M || credentials[name]?.isAttempting(ticket) == true",
           "ReturnTests/unsavedOfFormerLife"),
    mutant(604, "TokenScheduling/Credentials/CredentialSummary.swift",
           "what leaves a state in the numbers by state",
           "if let old {", "if !$M, let old {",
           "CredentialSetTests/counts"),
    mutant(605, "TokenEngine/Attempts/Turns.swift", "the limit of turns",
           "guard free == 0 else {", "guard free == 0, !$M else {", "TurnsTests/limit"),
]
