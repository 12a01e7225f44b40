import Testing
import TokenCore

/// The messages for a sign-in without tokens, by cause.
@Suite("failed sign-ins") struct SignInFailureTests {
    private static func refusal(
        _ failureClass: FailureClass, _ status: Int?, _ problem: String, _ code: String? = nil
    ) -> Refusal {
        Refusal(failureClass, httpStatus: status, problem: problem, errorCode: code)
    }

    @Test(
        "a refusal of the token endpoint: who has to do something, and what",
        arguments: [
            (
                Self.refusal(.config, 401, "p", "invalid_client"),
                SignInFailure.Kind.wrongSettings, "(401 invalid_client)", "client_secret"
            ),
            (
                Self.refusal(.reauth, 401, "p"),
                .wrongSettings, "(401)", "client_secret"
            ),
            (
                Self.refusal(.config, 400, "p", "invalid_scope"),
                .wrongSettings, "(400 invalid_scope)", "\"scope\""
            ),
            (Self.refusal(.config, 302, "p"), .wrongSettings, "(302)", "check crm"),
            (
                Self.refusal(.reauth, 400, "p", "invalid_grant"),
                .tryAgain, "(400 invalid_grant)", "redirect URI"
            ),
            (
                Self.refusal(.config, 403, "p"),
                .tryAgain, "(403)", "redirect URI"
            ),
            (
                Self.refusal(.config, 400, "p", "expired_token"),
                .tryAgain, "(400 expired_token)", "ended"
            ),
            (
                Self.refusal(.transient, 503, "p"),
                .tryAgain, "trouble (503)", "status page"
            ),
            (
                Self.refusal(.rateLimited, 429, "p"),
                .tryAgain, "too often (429)", "Wait"
            ),
            (
                Self.refusal(.transient, 200, "the answer is HTML"),
                .unusableAnswer, "gave no tokens: the answer is HTML", "captive portal"
            ),
            (
                Self.refusal(.ambiguous, 200, "the answer is empty"),
                .unusableAnswer, "the answer is empty", "\"response\""
            ),
            (
                Self.refusal(.transient, nil, "a.example cannot be reached"),
                .tryAgain, "gave no tokens: a.example cannot be reached", "this host"
            ),
            (
                Self.refusal(.config, 403, "p", "access_denied"),
                .denied, "denied (403 access_denied)", "not meant"
            ),
            (
                Self.refusal(.config, nil, "cannot open /x"),
                .wrongSettings, "cannot open /x", "Nothing was changed"
            ),
            (
                Self.refusal(.storage, nil, "cannot write /x"),
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

    @Test("a refused scope has one remedy, whichever endpoint refuses it")
    func scope() {
        let remedy = "Correct the credential's \"scope\". Then run: evertoken login crm"
        let refusal = Self.refusal(.config, 400, "p", "invalid_scope")
        #expect(SignInFailure(redirectError: "invalid_scope", credential: "crm").remedy == remedy)
        #expect(SignInFailure(refusal, credential: "crm").remedy == remedy)
    }
}
