/// A sign-in that ended without tokens: one problem and one remedy, the same on the terminal and on
/// the page in the browser, which may run on another machine.
public struct SignInFailure: Error, Sendable, Equatable {
    /// What the user can do about it: choose again, wait, or call the administrator.
    public enum Kind: String, Sendable, Equatable, CaseIterable {
        /// The user or the provider denied the request.
        case denied
        /// The same sign-in may succeed later.
        case tryAgain = "try_again"
        /// The provider rejects the configured client settings.
        case wrongSettings = "wrong_settings"
        /// A response without tokens, or one that must not be trusted.
        case unusableAnswer = "unusable_answer"
        /// The tokens could not be saved on this machine.
        case notSaved = "not_saved"
    }
    public var kind: Kind
    /// A sentence without its full stop; never a server's own words.
    public var problem: String
    /// Imperative sentences without the last full stop.
    public var remedy: String

    public init(_ kind: Kind, problem: String, remedy: String) {
        (self.kind, self.problem, self.remedy) = (kind, problem, remedy)
    }

    /// - Parameter code: The error of the authorization response, if it is a registered one (RFC
    ///   6749 section 4.1.2.1).
    public init(redirectError code: String?, credential: String) {
        let again = Self.again(credential)
        switch code {
        case "access_denied":
            self.init(
                .denied, problem: "the sign-in was denied; nothing was changed",
                remedy: "If that was not meant, \(again)")
        case "invalid_scope":
            self.init(
                .wrongSettings,
                problem: "the provider does not know a scope that was asked for (invalid_scope)",
                remedy: "Correct the credential's \"scope\". Then \(again)")
        case "invalid_request", "unauthorized_client", "unsupported_response_type":
            self.init(
                .wrongSettings,
                problem: "the provider refuses this client's sign-in (\(code ?? ""))",
                remedy: "Compare client_id, scope and the redirect URI with those that the app is "
                    + "registered with, then \(again)")
        default:
            self.init(
                .tryAgain,
                problem: "the provider sent an error instead of a code"
                    + (code.map { " (\($0))" } ?? ""),
                remedy: "Try again in a few minutes: \(again)")
        }
    }

    /// - Parameter refusal: Why the exchange of a code or a device code gave no tokens.
    public init(_ refusal: Refusal, credential: String) {
        let again = Self.again(credential)
        let error = refusal.errorCode.map { " \($0)" } ?? ""
        let detail = refusal.httpStatus.map { " (\($0)\(error))" } ?? ": \(refusal.problem)"
        let refused = "the provider accepted you, but refused to issue tokens\(detail)"
        switch refusal.httpStatus {
        case _ where ["access_denied", "authorization_declined"].contains(refusal.errorCode ?? ""):
            self.init(
                .denied, problem: "the sign-in was denied\(detail); nothing was changed",
                remedy: "If that was not meant, \(again)")
        case _ where refusal.failureClass == .storage:
            self.init(
                .notSaved, problem: refusal.problem,
                remedy: "Nothing was changed. Make room or repair the file system of the state "
                    + "directory, then run the same again")
        // Nothing was sent; imported tokens are refused this way too.
        case nil where refusal.failureClass == .config:
            self.init(
                .wrongSettings, problem: refusal.problem,
                remedy: "Nothing was changed. Correct it, then run the same again")
        case nil:
            self.init(
                .tryAgain,
                problem: "the provider accepted you, but gave no tokens\(detail)",
                remedy: "Check the way from this host to the provider, then \(again)")
        case let status? where status / 100 == 2:
            self.init(
                .unusableAnswer,
                problem: "the provider accepted you, but gave no tokens: \(refusal.problem)",
                remedy: "See whether a proxy or a captive portal answers in the provider's place; "
                    + "if not, correct \"response\" in its profile. Then \(again)")
        case 429?:
            self.init(
                .tryAgain, problem: "the provider is asked too often\(detail)",
                remedy: "Wait a few minutes, then \(again)")
        case _ where refusal.blamesClient:
            self.init(
                .wrongSettings, problem: refused,
                remedy: Self.settings(refusal, credential) + ". Then \(again)")
        case _ where ![.reauth, .config].contains(refusal.failureClass):
            self.init(
                .tryAgain, problem: "the provider accepted you, but has trouble\(detail)",
                remedy: "Try again in a few minutes: \(again). If it lasts, see the provider's "
                    + "status page")
        default:
            self.init(
                .tryAgain, problem: refused,
                remedy: "The code may have ended or been used before: \(again). If it stays so, "
                    + "compare client_id, client_secret and the redirect URI with those that the "
                    + "app is registered with")
        }
    }

    private static func again(_ credential: String) -> String {
        "run: evertoken login \(credential)"
    }

    private static func settings(_ refusal: Refusal, _ credential: String) -> String {
        switch refusal.errorCode {
        case "invalid_scope": "Correct the credential's \"scope\""
        case "unauthorized_client", "unsupported_grant_type":
            "Allow this kind of sign-in for the app at the provider"
        default:
            "Ask the administrator to check client_id and client_secret; evertoken check "
                + "\(credential) --show-request shows what is sent"
        }
    }
}

extension Refusal {
    /// Whether only the client's configuration can be the reason. Some servers respond to an
    /// expired code with a 400 or 403 without a registered error.
    fileprivate var blamesClient: Bool {
        if httpStatus == 401 { return true }
        if errorCode == "expired_token" { return false }
        let isMute = errorCode == nil && [400, 403].contains(httpStatus)
        return failureClass == .config && !isMute
    }
}
