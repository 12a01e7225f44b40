"""Findings of `evertoken check` and the daemon before a refresh fails, and the cost of a check."""

from mutants import mutant, without

SETTINGS = "TokenConfiguration/Checking/SettingsWithoutEffect.swift"
PLAN = "TokenConfiguration/Checking/LiveCheckPlan.swift"
SURVEY = "TokenEngine/Loop/Engine+Survey.swift"
LIVE = "TokenEngine/Attempts/AttemptRunner+LiveCheck.swift"
USER = "TokenAdapters/Posix/DaemonUser.swift"
WINDOW = "TokenScheduling/Credentials/RateWindow.swift"

MUTANTS = [
    mutant(400, USER, "the rights of the daemon's user",
           "guard geteuid() == 0, user != 0 else { return body() }",
           "guard !$M, geteuid() == 0, user != 0 else { return body() }",
           "test_check_places:unreadable"),
    mutant(401, SETTINGS, "a sign-in as a reader of the scope",
           "profile.authorization == nil", "($M || profile.authorization == nil)",
           "SettingFindingTests/scope"),
    mutant(402, PLAN, "mercy on refresh tokens that a failure ends",
           "if lifecycle.burnedOnFailure {", "if !$M, lifecycle.burnedOnFailure {",
           "LiveCheckTests/obstacles", "test_check_live:allow"),
    mutant(403, LIVE, "the rate limit's word on a look",
           "let hasRoom = asks && credentials.takePlace(of: credential.name, now: now.uptime)",
           "let hasRoom = asks "
           "&& ($M || credentials.takePlace(of: credential.name, now: now.uptime))",
           "test_check_live:rate"),
    mutant(404, SURVEY, "what the configuration itself tells, after a look at places",
           "case .troubled: isKept = { $0.file == nil }",
           "case .troubled: isKept = { $0.file == nil && !$M }", "SurveyStateTests/scopes"),
    without(405, WINDOW, "places that are kept for those who wait",
            "sent.count + reserved.count < limit.count", "LiveCheckTests/rate"),
]
