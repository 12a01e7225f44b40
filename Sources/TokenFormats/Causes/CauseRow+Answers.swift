// Responses that were lost or do not come from a token endpoint, and refusals of the provider.
extension CauseRow {
    private static let seeResponse =
        "See what the provider answers, and the profile's \"response\"; it is tried again"

    static let answers: [CauseKind: CauseRow] = [
        .answerLost: CauseRow(
            .way, "the request was sent and not answered[: {detail}]",
            "Wait: the same refresh token is tried again[; if it lasts, look: curl -v {origin}]"),
        .attemptInterrupted: CauseRow(
            .way, "a request was interrupted before its answer could be saved",
            "Wait: the same refresh token is tried again"),
        .answerRedirects: CauseRow(
            .refusal,
            "the provider answered {status}, a redirect[ to {path} of {target}| to {target}], "
                + "which is never followed",
            "Correct {key} if the endpoint has moved; else a login page, maintenance or a proxy "
                + "answers in its place"),
        .answerIsPage: CauseRow(
            .refusal, "the answer ({status}) is an HTML page where JSON should be",
            "[Look from here: curl -v {origin}; something|Something] answered text/html in the "
                + "provider's place: a proxy, a captive portal, a login page or maintenance"),
        .answerOfOtherType: CauseRow(
            .refusal, "the answer ({status}) is {type} where JSON should be",
            "[Look from here: curl -v {origin}; something|Something] may answer in the provider's "
                + "place, or {key} is not its token endpoint"),
        .answerUnreadable: CauseRow(
            .refusal, "the answer ({status}) {detail}[; {advice}]", seeResponse),
        .answerEmpty: CauseRow(.refusal, "the answer ({status}) is empty", seeResponse),
        .answerCut: CauseRow(
            .way, "the answer ({status}) was cut[; {advice}]",
            "Wait: it is tried again; if it lasts, see the provider's status page"),
        .answerWithoutToken: CauseRow(
            .refusal, "the answer ({status}) holds no access token", seeResponse),
        .answerNoSuccess: CauseRow(
            .refusal, "the provider answered {status}[ {code}], and no token",
            "See what the provider answers: the profile's \"response\" takes it for no success, "
                + "and no rule of its \"errors\" knows it; it is tried again"),
        .tokenUnusable: CauseRow(.refusal, "the access token {detail}", seeResponse),
        .tokenEnded: CauseRow(
            .refusal,
            "the new token had already ended when it was issued; compare the provider's clock",
            "Compare clocks: timedatectl here, and the Date of the provider's answers"),
        .tokenWithoutLife: CauseRow(
            .refusal, "the new token has no time to live",
            "See what the provider says of its tokens' life, and the profile's \"expiry\""),
        .tokenIsRefreshToken: CauseRow(
            .refusal,
            "the access token of the answer is the refresh token, which is never published",
            "Correct the profile's \"response\"; if that is right, write lifecycle.refresh_token: "
                + "access_token"),
        .endpointUnknown: CauseRow(
            .refusal, "the provider knows no token endpoint there ({status}[ {code}])",
            "Correct {key}; evertoken check {credential} --show-request prints it[; or something "
                + "answered {type} in the provider's place]"),
    ]

    private static let afterwards = ", then run: evertoken refresh {credential}"

    static let refusals: [CauseKind: CauseRow] = [
        .clientRefused: CauseRow(
            .refusal, "the provider answered {status}[ {code}]",
            "Check client_id, client_secret and the provider's settings" + afterwards),
        .clientMayNot: CauseRow(
            .refusal, "the provider answered {status} {code}: this client may not do that",
            "Allow this grant type for the client in the provider's settings" + afterwards),
        .grantTypeUnsupported: CauseRow(
            .refusal, "the provider answered {status} {code}",
            "Correct the grant type in the provider's profile, or {key}, which may be another "
                + "endpoint's"),
        .scopeRefused: CauseRow(
            .refusal, "the provider answered {status} {code}",
            "Correct \"scope\": a refresh may ask for no more than was granted at the sign-in"),
        .resourceRefused: CauseRow(
            .refusal, "the provider answered {status} {code}",
            "Correct the \"resource\" or \"audience\" that the request names (RFC 8707)"),
        .accessDenied: CauseRow(
            .refusal, "the provider answered {status} {code}",
            "Allow the app or the user in the provider's settings" + afterwards),
        .dpopDemanded: CauseRow(
            .refusal, "the provider answered {status} {code}: it demands DPoP (RFC 9449)",
            "Switch DPoP off for this client in the provider's settings: evertoken does not send "
                + "it"),
        .requestRefused: CauseRow(
            .refusal, "the provider refused the request ({status}[ {code}])",
            "Compare what is sent with the provider's pages: evertoken check {credential} "
                + "--show-request"),
        .rateLimited: CauseRow(
            .way, "the provider takes no more requests for now[ ({status}[ {code}])]",
            "Wait: the next try comes when the provider allows it"),
        .tooEarly: CauseRow(
            .way, "the provider renews this token only near its end[ ({status})]",
            "Wait: it is tried again near the token's end"),
        .providerFails: CauseRow(
            .way, "the provider answered {status}[ {code}]",
            "Wait: it is tried again; if it lasts, see the provider's status page"),
    ]
}
