package import TokenFormats

/// A sign-in that ended without tokens: one problem and one remedy, the same on the terminal and on
/// the page in the browser, which may run on another machine.
package struct SignInFailure: Error, Sendable, Equatable {
    /// What the user can do about it: choose again, wait, or call the administrator.
    package enum Kind: String, Sendable, Equatable, CaseIterable {
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
    package var kind: Kind
    /// A sentence without its full stop; never a server's own words.
    package var problem: String
    /// Imperative sentences without the last full stop.
    package var remedy: String

    package init(_ kind: Kind, problem: String, remedy: String) {
        (self.kind, self.problem, self.remedy) = (kind, problem, remedy)
    }

    /// - Parameters:
    ///   - cause: The end of a sign-in, from the table of causes.
    ///   - credential: The name of the credential.
    package init(_ cause: Cause, credential: String) {
        let place = RemedyPlace(credential: credential, state: .pending, hasSignIn: true)
        self.init(
            cause.kind.endOfSignIn ?? .tryAgain, problem: cause.problem,
            remedy: cause.remedy(for: place))
    }
}

extension Cause {
    /// - Parameter code: The error of the authorization response, if it is a registered one (RFC
    ///   6749 section 4.1.2.1).
    package init(redirectError code: String?) {
        let kind: CauseKind =
            switch code {
            case "access_denied": .signInDenied
            case "invalid_scope": .signInScopeRefused
            case "invalid_request", "unauthorized_client", "unsupported_response_type":
                .signInClientUnknown
            default: .signInErrorReturned
            }
        self.init(kind, CauseFacts(errorCode: code))
    }
}

extension CauseKind {
    /// What the user can do about the end of a sign-in; `nil` for all other causes.
    var endOfSignIn: SignInFailure.Kind? {
        switch self {
        case .signInDenied: .denied
        case .signInErrorReturned, .signInCodeRefused, .signInProviderFails, .signInTooOften,
            .signInUnanswered:
            .tryAgain
        case .signInScopeRefused, .signInClientUnknown, .signInClientRefused, .signInNotAllowed,
            .signInNotMade:
            .wrongSettings
        case .signInAnswerUnusable, .signInOfOtherIssuer: .unusableAnswer
        case .signInNotSaved, .signInDaemonLost: .notSaved
        default: nil
        }
    }
}

extension Refusal {
    /// Why a code or a device code gave no tokens; imported tokens are refused this way too.
    package var causeOfSignIn: Cause {
        let kind = kindOfSignIn
        switch kind {
        case .signInAnswerUnusable, .signInUnanswered, .signInNotMade, .signInNotSaved:
            return Cause(kind, problem)
        default: return Cause(kind, CauseFacts(status: httpStatus, errorCode: errorCode))
        }
    }

    private var kindOfSignIn: CauseKind {
        if ["access_denied", "authorization_declined"].contains(errorCode) { return .signInDenied }
        if failureClass == .storage { return .signInNotSaved }
        switch httpStatus {
        // Nothing was sent.
        case nil: return failureClass == .config ? .signInNotMade : .signInUnanswered
        case let status? where status / 100 == 2: return .signInAnswerUnusable
        case 429?: return .signInTooOften
        case _ where blamesClient:
            switch errorCode {
            case "invalid_scope": return .signInScopeRefused
            case "unauthorized_client", "unsupported_grant_type": return .signInNotAllowed
            default: return .signInClientRefused
            }
        default:
            return [.reauth, .config].contains(failureClass)
                ? .signInCodeRefused : .signInProviderFails
        }
    }

    /// Whether only the client's configuration can be the reason. Some servers respond to an
    /// expired code with a 400 or 403 without a registered error.
    fileprivate var blamesClient: Bool {
        if httpStatus == 401 { return true }
        if errorCode == "expired_token" { return false }
        let isMute = errorCode == nil && [400, 403].contains(httpStatus)
        return failureClass == .config && !isMute
    }
}
