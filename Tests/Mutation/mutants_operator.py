"""The output of the command line: the most severe first, once, in order, without delay."""

from mutants import mutant, without

REMARKS = "evertoken/Status/StatusRemarks.swift"
SHOWN = "evertoken/Status/CredentialSeverity.swift"
WAIT = "evertoken/Commands/Wait.swift"
WATCH = "evertoken/Status/StatusWatch.swift"
ANSWERS = "TokenAdapters/Control/ControlAnswers.swift"
UNRECORDED = "TokenScheduling/Lifecycle/UnrecordedAttempt.swift"
TIME = "TokenFormats/Time/Time.swift"

MUTANTS = [
    mutant(540, REMARKS, "equal problems said once", "guard group.count > 1 else",
           "guard !$M, group.count > 1 else", "StatusRemarkTests/equal"),
    mutant(541, SHOWN, "the worst first", "if left.severity != right.severity {",
           "if !$M, left.severity != right.severity {", "StatusTableTests/summary"),
    mutant(542, WAIT, "an end at once where only a person helps", "if failFast, let credential",
           "if !$M, failFast, let credential", "test_cli:fast_it_ends_at_once"),
    mutant(543, WATCH, "the terminal given back to the shell",
           "        screen.close()\n        watch",
           "        if !$M { screen.close() }\n        watch", "test_status:ctrl_z"),
    mutant(544, ANSWERS, "the format that is wanted more", "return older > open ? .prometheus",
           "return older > ($M ? 1 : open) ? .prometheus", "NegotiationTests/format"),
    mutant(545, UNRECORDED, "the order of attempts of one second", "placed[place ?? -1",
           "placed[$M ? -1 : place ?? -1", "UnrecordedAttemptTests/oneSecond"),
    mutant(546, TIME, "an hour that is an hour a moment later", "(seconds + 30) / 60",
           "(seconds + ($M ? 0 : 30)) / 60", "DescribedDurationTests/nearest"),
    without(547, "evertoken/Status/StatusSelection.swift", "the finer word beside the state",
            "words.contains(credential.condition.text))", "StatusSelectionTests/selecting",
            to="!$M && "),
]
