"""Sign-ins, and what the command line writes for a new credential."""

from mutants import mutant, without

LISTENER = "TokenAdapters/SignIn/RedirectListener.swift"
ADDITION = "TokenAdapters/Configuration/ConfigurationAddition.swift"
TERMINAL = "evertoken/Terminal/Terminal.swift"

MUTANTS = [
    without(430, LISTENER, "the state of the sign-in that is waited for",
            "response.answers(state: state)", "test_login:not_the_answer_change_nothing"),
    mutant(431, LISTENER, "an address without code and state", "respond(.seeOther(pagePath))",
           'respond(.seeOther(pagePath + ($M ? "?" + request.queryText : "")))',
           "test_login_pages:every_end_looks"),
    mutant(432, ADDITION, "that no file is written over without being asked",
           "            replaces\n            ? renameat",
           "            replaces || $M\n            ? "
           "renameat", "test_add:file_that_is_there"),
    mutant(433, ADDITION, "the mode of a secret's file", "group == nil ? 0o600 : 0o640",
           "$M ? 0o644 : group == nil ? 0o600 : 0o640", "test_add:files_are_root_s"),
    mutant(434, TERMINAL, "that a secret is not shown", "tcflag_t(ECHO | ICANON | ISIG)",
           "tcflag_t(($M ? 0 : ECHO) | ICANON | ISIG)", "test_add:shows_no_secret"),
]
