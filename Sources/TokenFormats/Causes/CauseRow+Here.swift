// Causes that need a sign-in, and failures on this host.
extension CauseRow {
    private static let answered =
        "the provider refused the refresh token[ ({status} {code})| ({status})]"
    private static let ifRevoked =
        "If you know that it was revoked, run: [{login}|evertoken import {credential}]"
    private static let goesOn = "; it is tried again by itself before a sign-in is asked for"

    static let signIns: [CauseKind: CauseRow] = [
        .refreshTokenRefused: CauseRow(.signIn, answered, ifRevoked + goesOn),
        .refreshTokenRefusedUnspent: CauseRow(
            .signIn,
            answered + ", which this host never used: it was revoked, or another host has it too",
            ifRevoked + "; a host that has it too needs a sign-in of its own" + goesOn),
        .refreshTokenProbablySpent: CauseRow(
            .signIn,
            answered + "; an earlier request was interrupted before its answer could be saved, so "
                + "its refresh token is probably spent", "{signin}"),
        .refreshTokenReplaced: CauseRow(
            .signIn, answered, "Wait: the next request starts over without the refresh token"),
        .signInWanted: CauseRow(
            .signIn, "the provider wants a person to sign in ({status} {code})", "{signin}"),
        .signInRefused: CauseRow(
            .signIn,
            "the provider accepted the sign-in, but issued no tokens[ ({status} {code})| "
                + "({status})]", "{signin}"),
        .notSignedIn: CauseRow(
            .noRefreshToken, "not signed in yet",
            "[Run: {login} (other ways: man evertoken)|{signin}]"),
        .tokenHeldByOther: CauseRow(
            .setting,
            "\"{other}\" holds the same refresh token; each credential needs one of its "
                + "own", "{signin}"),
        .tokenSpentByOther: CauseRow(
            .setting, "\"{other}\" has spent this refresh token already", "{signin}"),
        .tokenSpentHere: CauseRow(
            .setting, "it has spent this refresh token already", "{signin}"),
        .configuredTokenSpent: CauseRow(
            .signIn,
            "the configured refresh_token is spent (its state was erased by evertoken forget), so "
                + "it is not sent", "{signin}"),
        .spentRecordUnreadable: CauseRow(
            .signIn,
            "the record of spent refresh tokens cannot be read, so the configured one is not sent",
            "{signin}"),
    ]

    private static let seenByItself =
        "; that is seen by itself, or at once with: evertoken refresh {credential}"

    static let settings: [CauseKind: CauseRow] = [
        .secretMissing: CauseRow(
            .setting, "{detail}", "Create {file}, readable for the user evertoken" + seenByItself),
        .secretUnreadable: CauseRow(
            .setting, "{detail}",
            "Make {file} readable for the user evertoken (chgrp evertoken, chmod 0640)"
                + seenByItself),
        .secretVariableUnset: CauseRow(
            .setting, "{detail}",
            "Set it in the unit: systemctl edit evertoken; then: systemctl "
                + "restart evertoken"),
        .secretCredentialMissing: CauseRow(
            .setting, "{detail}",
            "Run systemctl edit evertoken and add LoadCredential={key}:PATH under {service}; then: "
                + "systemctl restart evertoken"),
        .secretProgramFailed: CauseRow(
            .setting, "{detail}",
            "Run the program as the user evertoken and correct what it says" + seenByItself),
        .secretUnusable: CauseRow(
            .setting, "{detail}", "Correct [{file}|what it reads]" + seenByItself),
        .requestNotMade: CauseRow(
            .setting, "{detail}[; {advice}]",
            "Correct the configuration, then run: evertoken reload"),
        .variableUnusable: CauseRow(
            .setting, "variable \"{key}\" does not match its pattern",
            "Correct the variable, then run: evertoken reload"),
        .settingsChanged: CauseRow(
            .setting, "client_id or the token URL changed while the request was made",
            "Nothing to do: it is tried again with what is configured now"),
    ]

    static let storage: [CauseKind: CauseRow] = [
        .stateFull: CauseRow(
            .storage, "{detail}",
            "Make room or repair the file system of the state directory; nothing is sent until it "
                + "can be written"),
        .stateReadOnly: CauseRow(
            .storage, "{detail}",
            "Mount the file system of the state directory for writing, after a check (it may have "
                + "failed: journalctl -k); nothing is sent until it can be written"),
        .stateForbidden: CauseRow(
            .storage, "{detail}",
            "Give the state directory back to the user evertoken (chown -R evertoken: on it, mode "
                + "0700); nothing is sent until it can be written"),
        .stateFails: CauseRow(
            .storage, "{detail}",
            "Make room or repair the file system of the state directory; nothing is sent until it "
                + "can be written"),
        .slotTooSmall: CauseRow(
            .storage, "the refresh token does not fit its slot; raise slot_size",
            "Raise slot_size in the configuration, then run: systemctl restart evertoken"),
        .stateUnreadable: CauseRow(
            .untrusted, "neither slot of its state can be read",
            "Nothing is sent. Set the slots aside: evertoken accept {credential}; then "
                + "[sign in: {login}. Or bring tokens|bring tokens]: evertoken import "
                + "{credential}"),
        .stateCopied: CauseRow(
            .untrusted, "{detail}",
            "Nothing is sent. If no other host uses this state and it is not an old copy, run: "
                + "evertoken accept {credential}; otherwise [sign in again: {login}, or: evertoken "
                + "import {credential}|run: evertoken import {credential}]"),
        .stateWentBack: CauseRow(
            .untrusted, "{detail}",
            "Nothing is sent. If nothing was refreshed since that backup was made, run: evertoken "
                + "accept {credential}; otherwise [sign in again: {login}, or: evertoken import "
                + "{credential}|run: evertoken import {credential}]"),
    ]
}
