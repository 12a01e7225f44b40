import Testing
import TokenCore

/// What a person is told when a sign-in brings no tokens: by its cause.
@Suite("failed sign-ins") struct SignInFailureTests {
    @Test(
        "a refusal of the token endpoint: who has to do something, and what",
        arguments: [
            (
                Refusal(.config, httpStatus: 401, problem: "p", errorCode: "invalid_client"),
                SignInFailure.Kind.wrongSettings, "(401 invalid_client)", "client_secret"
            ),
            (
                Refusal(.reauth, httpStatus: 401, problem: "p", isBare: true),
                .wrongSettings, "(401)", "client_secret"
            ),
            (
                Refusal(.config, httpStatus: 400, problem: "p", errorCode: "invalid_scope"),
                .wrongSettings, "(400 invalid_scope)", "\"scope\""
            ),
            (Refusal(.config, httpStatus: 302, problem: "p"), .wrongSettings, "(302)", "check crm"),
            (
                Refusal(.reauth, httpStatus: 400, problem: "p", errorCode: "invalid_grant"),
                .tryAgain, "(400 invalid_grant)", "redirect URI"
            ),
            (
                Refusal(.config, httpStatus: 403, problem: "p"),
                .tryAgain, "(403)", "redirect URI"
            ),
            (
                Refusal(.config, httpStatus: 400, problem: "p", errorCode: "expired_token"),
                .tryAgain, "(400 expired_token)", "ended"
            ),
            (
                Refusal(.transient, httpStatus: 503, problem: "p"),
                .tryAgain, "trouble (503)", "status page"
            ),
            (
                Refusal(.rateLimited, httpStatus: 429, problem: "p"),
                .tryAgain, "too often (429)", "Wait"
            ),
            (
                Refusal(.transient, httpStatus: 200, problem: "the answer is HTML"),
                .unusableAnswer, "gave no tokens: the answer is HTML", "captive portal"
            ),
            (
                Refusal(.ambiguous, httpStatus: 200, problem: "the answer is empty"),
                .unusableAnswer, "the answer is empty", "\"response\""
            ),
            (
                Refusal(.transient, problem: "a.example cannot be reached"),
                .tryAgain, "gave no tokens: a.example cannot be reached", "this host"
            ),
            (
                Refusal(.config, httpStatus: 403, problem: "p", errorCode: "access_denied"),
                .denied, "denied (403 access_denied)", "not meant"
            ),
            (
                Refusal(.config, problem: "cannot open /x"),
                .wrongSettings, "cannot open /x", "Nothing was changed"
            ),
            (
                Refusal(.storage, problem: "cannot write /x"),
                .notSaved, "cannot write /x", "Make room"
            ),
        ])
    func refusals(
        refusal: Refusal, kind: SignInFailure.Kind, problem: String, remedy: String
    ) {
        let failure = SignInFailure(refusal, credential: "crm")
        #expect(failure.kind == kind)
        #expect(failure.problem.contains(problem), "\(failure.problem)")
        #expect(failure.remedy.contains(remedy), "\(failure.remedy)")
        #expect(!failure.remedy.hasSuffix("."))
    }

    @Test(
        "an error that the browser brings back, and one that is not registered",
        arguments: [
            ("access_denied" as String?, SignInFailure.Kind.denied),
            ("invalid_scope", .wrongSettings),
            ("unauthorized_client", .wrongSettings), ("server_error", .tryAgain), (nil, .tryAgain),
        ])
    func redirects(code: String?, kind: SignInFailure.Kind) {
        let failure = SignInFailure(redirectError: code, credential: "crm")
        #expect(failure.kind == kind)
        #expect(failure.remedy.contains("evertoken login crm"))
    }
}
