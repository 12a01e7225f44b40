// Sign-ins without tokens, for the user: on the terminal, and on the page in the browser, which may
// run on another machine.
extension CauseRow {
    private static let refused =
        "the provider accepted you, but refused to issue tokens[ ({status} {code})| ({status})]"

    static let endedSignIns: [CauseKind: CauseRow] = [
        .signInDenied: CauseRow(
            .refusal,
            "the sign-in was denied[ ({status} {code})| ({status})]; nothing was changed",
            "If that was not meant, {again}"),
        .signInScopeRefused: CauseRow(
            .setting,
            "[the provider accepted you, but refused to issue tokens ({status} {code})|the "
                + "provider does not know a scope that was asked for ({code})]",
            "Correct the credential's \"scope\". Then {again}"),
        .signInClientUnknown: CauseRow(
            .setting, "the provider refuses this client's sign-in ({code})",
            "Compare client_id, scope and the redirect URI with those that the app is registered "
                + "with, then {again}"),
        .signInErrorReturned: CauseRow(
            .refusal, "the provider sent an error instead of a code[ ({code})]",
            "Try again in a few minutes: {again}"),
        .signInClientRefused: CauseRow(
            .setting, refused,
            "Ask the administrator to check client_id and client_secret; evertoken check "
                + "{credential} --show-request shows what is sent. Then {again}"),
        .signInNotAllowed: CauseRow(
            .setting, refused,
            "Allow this kind of sign-in for the app at the provider. Then {again}"),
        .signInCodeRefused: CauseRow(
            .refusal, refused,
            "The code may have ended or been used before: {again}. If it stays so, compare "
                + "client_id, client_secret and the redirect URI with those that the app is "
                + "registered with"),
        .signInProviderFails: CauseRow(
            .way,
            "the provider accepted you, but has trouble[ ({status} {code})| ({status})]",
            "Try again in a few minutes: {again}. If it lasts, see the provider's status page"),
        .signInTooOften: CauseRow(
            .way, "the provider is asked too often[ ({status} {code})| ({status})]",
            "Wait a few minutes, then {again}"),
        .signInAnswerUnusable: CauseRow(
            .refusal, "the provider accepted you, but gave no tokens: {detail}",
            "See whether a proxy or a captive portal answers in the provider's place; if not, "
                + "correct \"response\" in its profile. Then {again}"),
        .signInUnanswered: CauseRow(
            .way, "the provider accepted you, but gave no tokens: {detail}",
            "Check the way from this host to the provider, then {again}"),
        .signInNotMade: CauseRow(
            .setting, "{detail}", "Nothing was changed. Correct it, then run the same again"),
        .signInNotSaved: CauseRow(
            .storage, "{detail}",
            "Nothing was changed. Make room or repair the file system of the state directory, "
                + "then run the same again"),
        .signInOfOtherIssuer: CauseRow(
            .refusal, "{detail}; nothing was sent",
            "If the profile's \"issuer\" is right, this may be an attack: do not sign in again "
                + "before the administrator has looked"),
        .signInDaemonLost: CauseRow(
            .setting, "the daemon on this host could not be asked",
            "The terminal says why; then {again}"),
    ]
}
