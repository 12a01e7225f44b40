internal import TokenFormats

// The table itself. A test compares it with the enums, the journal's catalog and the manual. A new
// word needs a line here and one in systemd/man/evertoken.1.
extension ExplanationTable {
    static let states = [
        Explanation(
            .state, "pending", "No token yet.",
            "Wait a moment; otherwise do what the problem shown asks for."),
        Explanation(.state, "fresh", "All is well."),
        Explanation(.state, "refreshing", "All is well."),
        Explanation(
            .state, "retrying", "The token in the file is valid, the last try to renew it failed.",
            "Usually nothing is to be done: it tries again until long after the end. Look at the "
                + "problem if EXPIRES IN gets short."),
        Explanation(
            .state, "expired", "No valid token, and trying.",
            "Nearly always the network, a proxy, DNS, or the provider. Ask its status page; "
                + "evertoken refresh NAME --wait tries at once and says what happened."),
        Explanation(
            .state, "login_required",
            "The refresh token is dead: revoked, ended, or spent by an answer that was lost.",
            "A person who may sign in at the provider: evertoken login NAME. Restarting, or "
                + "restoring a backup of the state, does not help: restored tokens are spent."),
        Explanation(
            .state, "misconfigured",
            "The provider refuses the client itself, or a secret cannot be read, and no token is "
                + "valid; or the same refusal came five times over three minutes.",
            "Compare client id, secret and variables with what it shows: evertoken check NAME "
                + "--show-request. Correct them, then systemctl reload evertoken."),
        Explanation(
            .state, "quarantined",
            "The stored state is unreadable, a copy, or older than what was published.",
            "If no other machine has used the original since: evertoken accept NAME. Otherwise "
                + "evertoken login NAME."),
    ]

    /// More precise words than the states, shown as `condition`.
    static let conditions = [
        Explanation(
            .condition, "failing", "No token yet, and the first request for one fails.",
            "It tries again. Do what the problem shown asks for."),
        Explanation(
            .condition, "undelivered",
            "The token was renewed, but a token file cannot be written.",
            "Look at the output's directory, its owner and its free space: df, ls -ld."),
    ]

    static let failureClasses = [
        Explanation(
            .failureClass, "reauth", "The provider refused the refresh token.",
            "It is tried a few times more; then a person must sign in: evertoken login NAME."),
        Explanation(
            .failureClass, "reacquire",
            "The provider refused the refresh token, and a new one is obtained without a person."),
        Explanation(
            .failureClass, "config",
            "The request itself is wrong: the client, its secret, a variable or the profile.",
            "Correct the configuration, then evertoken reload."),
        Explanation(
            .failureClass, "too_early", "The provider renews this token only near its end."),
        Explanation(
            .failureClass, "rate_limited",
            "The provider wants fewer requests; the next one comes when it allows it."),
        Explanation(
            .failureClass, "transient",
            "The provider could not be asked, or could not answer: it is tried again.",
            "If it lasts, look at the network, DNS, a proxy, and the provider's status page."),
        Explanation(
            .failureClass, "ambiguous",
            "The request was sent and its answer was lost; the same refresh token is tried again."),
        Explanation(
            .failureClass, "storage",
            "The state directory does not take what must be saved; nothing is sent.",
            "Make room or repair its file system. Do not restart the daemon before."),
        Explanation(
            .failureClass, "output", "A token file could not be written.",
            "Look at the output's directory, its owner and its free space."),
    ]

    /// The values of `last_error.cause`.
    static let causes = CauseKind.allCases.filter { $0 != .untold }.map {
        Explanation(.cause, $0.rawValue, $0.meaning, $0.usualRemedy)
    }

    /// Message IDs of journal entries; `journalctl -x` shows more about each.
    static let events = [
        Explanation(
            .event, "fb6943331b894f3ca1cb9bed10536948", "A person must sign in again.",
            "evertoken login NAME"),
        Explanation(
            .event, "21c8beee762a499cb7baeb545a1b6584", "There is no refresh token yet.",
            "evertoken login NAME, or evertoken import NAME"),
        Explanation(
            .event, "bec18b7763394628bea9625d887736d6",
            "A setting of this host is wrong; nothing was sent.",
            "evertoken status NAME says which file or setting."),
        Explanation(
            .event, "da3f48f853aa4b959258952293ada400", "The refresh token ends soon.",
            "Sign in before: evertoken login NAME"),
        Explanation(
            .event, "4fbbaa4d4a904cfd9a3c1ae759486101", "The published token expired.",
            "evertoken status NAME says why."),
        Explanation(
            .event, "da424ed2678243e89b7f880934c5095b", "A credential is misconfigured.",
            "evertoken status NAME says what to correct."),
        Explanation(
            .event, "def024f425a543888ceff0ef7bbfc7e8", "A stored state cannot be trusted.",
            "evertoken accept NAME, or evertoken login NAME; see evertoken explain quarantined."),
        Explanation(
            .event, "868880857be54e07bac7e30f983983fb", "The state cannot be stored.",
            "Make room or repair the file system of the state directory; do not restart before."),
        Explanation(
            .event, "6f89f8ff6dc34aa3a4429d65cde5aa41", "A token file was not written.",
            "Look at the output's directory, its owner and its free space."),
        Explanation(
            .event, "4337ad35139e4150882910585ceee37e", "An on_change program failed.",
            "Mend the program; it runs again by itself, or at once by evertoken reload."),
        Explanation(
            .event, "9bc45ecd171a4474a3a1d66afa5c136c", "A reload was refused.",
            "evertoken check names the mistakes; then evertoken reload."),
        Explanation(
            .event, "e20e72ae2dab46ba91e4d185c2fe8f33", "evertokend does not start.",
            "evertoken check names the mistakes; then systemctl start evertoken."),
    ]

    static let exitStatuses = [
        Explanation(.exitStatus, "0", "All is well."),
        Explanation(.exitStatus, "64", "Wrong usage.", "evertoken help COMMAND"),
        Explanation(
            .exitStatus, "65", "Bad data, such as a credential that does not exist.",
            "evertoken status -o name lists what there is."),
        Explanation(
            .exitStatus, "69", "The daemon cannot be reached.",
            "systemctl status evertoken says why."),
        Explanation(
            .exitStatus, "75", "A temporary failure; of status --check, something needs attention.",
            "Try again, or look: evertoken status"),
        Explanation(
            .exitStatus, "77",
            "Not permitted; of login, denied; of wait --fail-fast, a person is "
                + "needed.", "Run it with sudo, or do what the message says."),
        Explanation(
            .exitStatus, "78", "A mistake in the configuration.",
            "evertoken check names every mistake."),
    ]
}
