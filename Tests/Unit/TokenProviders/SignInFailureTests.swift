import Testing

@testable import TokenFormats
@testable import TokenProviders

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
        let failure = SignInFailure(refusal.causeOfSignIn, credential: "crm")
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
        let failure = SignInFailure(Cause(redirectError: code), credential: "crm")
        #expect(failure.kind == kind)
        #expect(failure.remedy.contains("evertoken login crm"))
    }

    @Test("a refused scope has one remedy, whichever endpoint refuses it")
    func scope() {
        let remedy = "Correct the credential's \"scope\". Then run: evertoken login crm"
        let refusal = Self.refusal(.config, 400, "p", "invalid_scope")
        let told = { (cause: Cause) in SignInFailure(cause, credential: "crm") }
        #expect(told(Cause(redirectError: "invalid_scope")).remedy == remedy)
        #expect(told(refusal.causeOfSignIn).remedy == remedy)
    }

    @Test(
        "the whole of what a person reads",
        arguments: [
            (
                Self.refusal(.config, 400, "p", "access_denied").causeOfSignIn,
                "the sign-in was denied (400 access_denied); nothing was changed",
                "If that was not meant, run: evertoken login crm"
            ),
            (
                Cause(redirectError: "access_denied"),
                "the sign-in was denied; nothing was changed",
                "If that was not meant, run: evertoken login crm"
            ),
            (
                Cause(redirectError: "invalid_scope"),
                "the provider does not know a scope that was asked for (invalid_scope)",
                "Correct the credential's \"scope\". Then run: evertoken login crm"
            ),
            (
                Cause(redirectError: "unauthorized_client"),
                "the provider refuses this client's sign-in (unauthorized_client)",
                "Compare client_id, scope and the redirect URI with those that the app is "
                    + "registered with, then run: evertoken login crm"
            ),
            (
                Cause(redirectError: nil), "the provider sent an error instead of a code",
                "Try again in a few minutes: run: evertoken login crm"
            ),
            (
                Self.refusal(.config, 401, "p").causeOfSignIn,
                "the provider accepted you, but refused to issue tokens (401)",
                "Ask the administrator to check client_id and client_secret; evertoken check crm "
                    + "--show-request shows what is sent. Then run: evertoken login crm"
            ),
            (
                Self.refusal(.config, 400, "p", "unauthorized_client").causeOfSignIn,
                "the provider accepted you, but refused to issue tokens (400 unauthorized_client)",
                "Allow this kind of sign-in for the app at the provider. Then run: evertoken "
                    + "login crm"
            ),
            (
                Self.refusal(.transient, 503, "p").causeOfSignIn,
                "the provider accepted you, but has trouble (503)",
                "Try again in a few minutes: run: evertoken login crm. If it lasts, see the "
                    + "provider's status page"
            ),
            (
                Self.refusal(.rateLimited, 429, "p").causeOfSignIn,
                "the provider is asked too often (429)",
                "Wait a few minutes, then run: evertoken login crm"
            ),
            (
                Self.refusal(.storage, nil, "the disk is full").causeOfSignIn, "the disk is full",
                "Nothing was changed. Make room or repair the file system of the state directory, "
                    + "then run the same again"
            ),
            (
                Cause(.signInOfOtherIssuer, "the answer names no issuer"),
                "the answer names no issuer; nothing was sent",
                "If the profile's \"issuer\" is right, this may be an attack: do not sign in again "
                    + "before the administrator has looked"
            ),
        ])
    func texts(cause: Cause, problem: String, remedy: String) {
        let failure = SignInFailure(cause, credential: "crm")
        #expect(failure.problem == problem && failure.remedy == remedy)
    }

    @Test("each end of a sign-in says who has to do something, and no other cause does")
    func ends() {
        let ends = CauseKind.allCases.filter { $0.rawValue.hasPrefix("sign_in_") }
        let others: Set<CauseKind> = [.signInWanted, .signInRefused]
        for kind in CauseKind.allCases {
            #expect((kind.endOfSignIn != nil) == (ends.contains(kind) && !others.contains(kind)))
        }
    }
}
