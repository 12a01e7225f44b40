"""Causes: kinds decide, not sentences, and the number of a system's error reaches the end."""

from mutants import mutant

LIFECYCLE = "TokenScheduling/Lifecycle/CredentialLifecycle+State.swift"
HISTORY = "TokenSlots/Records/PastAttempt.swift"
SIGN_IN = "TokenProviders/SignIn/SignInFailure.swift"
FAILURE = "TokenFormats/Causes/StorageFailure.swift"
SYSTEM = "TokenAdapters/Posix/SystemError.swift"

MUTANTS = [
    mutant(560, LIFECYCLE, "a foreign state told from one that cannot be read",
           "quarantine?.reason == .unreadable", "$M ? quarantine != nil : quarantine?.reason == "
           ".unreadable", "LifecycleTests/foreignState"),
    mutant(561, HISTORY, "the code of a refusal with another problem",
           "(isSame ? codeBefore : nil)", "(isSame || $M ? codeBefore : nil)",
           "HistoryTests/errorCodes"),
    mutant(562, HISTORY, "the registered names of codes alone",
           "knownErrorCodes.contains(ByteText($0)) ? $0 : nil",
           "$M || knownErrorCodes.contains(ByteText($0)) ? $0 : nil", "HistoryTests/errorCodes"),
    mutant(563, SIGN_IN, "the client that a 401 blames", "if httpStatus == 401 { return true }",
           "if !$M, httpStatus == 401 { return true }", "SignInFailureTests/refusals"),
    mutant(564, SYSTEM, "errno beside its words", "(errno, systemError) = (number, ",
           "(errno, systemError) = ($M ? nil : number, ", "ErrnoTests/storage"),
    mutant(565, FAILURE, "the exit status of a user who may not",
           "cause.kind == .stateForbidden", "!$M && cause.kind == .stateForbidden",
           "test_add:user_may_not_write"),
]
