/// The kinds of failures, as a closed list. Their names are a released interface (`cause` in
/// `/v1/status` and in the response of `/v1` to a sign-in, `EVERTOKEN_CAUSE` in the journal): a
/// name never changes or gets another meaning.
package enum CauseKind: String, Sendable, CaseIterable {
    // On the way to the provider. Nothing was sent.
    case nameNotResolved = "name_not_resolved"
    case nameServersSilent = "name_servers_silent"
    case nameLookupsFull = "name_lookups_full"
    case connectionRefused = "connection_refused"
    case connectionTimedOut = "connection_timed_out"
    case connectionBroke = "connection_broke"
    case proxyNameNotResolved = "proxy_name_not_resolved"
    case proxyUnreachable = "proxy_unreachable"
    case proxyWantsLogin = "proxy_wants_login"
    case proxyRefuses = "proxy_refuses"
    case proxyCannotConnect = "proxy_cannot_connect"
    case urlUnusable = "url_unusable"
    case transferFailed = "transfer_failed"

    // Trust in the provider's certificate or protocol. Nothing was sent.
    case tlsTooOld = "tls_too_old"
    case tlsNoSecureRenegotiation = "tls_no_secure_renegotiation"
    case tlsWeakKey = "tls_weak_key"
    case tlsNotSpoken = "tls_not_spoken"
    case tlsRefused = "tls_refused"
    case tlsFailed = "tls_failed"
    case certificateExpired = "certificate_expired"
    case caCertificateExpired = "ca_certificate_expired"
    case certificateNotYetValid = "certificate_not_yet_valid"
    case certificateSelfSigned = "certificate_self_signed"
    case certificateIssuerUnknown = "certificate_issuer_unknown"
    case certificateForOtherHost = "certificate_for_other_host"
    case certificateRevoked = "certificate_revoked"
    case certificateNotTrusted = "certificate_not_trusted"
    case caFileUnusable = "ca_file_unusable"
    case caBundleUnusable = "ca_bundle_unusable"
    case clientCertificateUnusable = "client_certificate_unusable"
    case clientCertificateWanted = "client_certificate_wanted"

    // The response: lost, or not from a token endpoint.
    case answerLost = "answer_lost"
    case attemptInterrupted = "attempt_interrupted"
    case answerRedirects = "answer_redirects"
    case answerIsPage = "answer_is_html"
    case answerOfOtherType = "answer_of_other_type"
    case answerUnreadable = "answer_unreadable"
    case answerEmpty = "answer_empty"
    case answerCut = "answer_cut"
    case answerWithoutToken = "answer_without_token"
    case answerNoSuccess = "answer_no_success"
    case tokenUnusable = "token_unusable"
    case tokenEnded = "token_ended"
    case tokenWithoutLife = "token_without_life"
    case tokenIsRefreshToken = "token_is_refresh_token"
    case endpointUnknown = "endpoint_unknown"

    // The provider refuses the request.
    case refreshTokenRefused = "refresh_token_refused"
    case refreshTokenRefusedUnspent = "refresh_token_refused_unspent"
    case refreshTokenProbablySpent = "refresh_token_probably_spent"
    case refreshTokenReplaced = "refresh_token_replaced"
    case signInWanted = "sign_in_wanted"
    case signInRefused = "sign_in_refused"
    case clientRefused = "client_refused"
    case clientMayNot = "client_may_not"
    case grantTypeUnsupported = "grant_type_unsupported"
    case scopeRefused = "scope_refused"
    case resourceRefused = "resource_refused"
    case accessDenied = "access_denied"
    case dpopDemanded = "dpop_demanded"
    case requestRefused = "request_refused"
    case rateLimited = "rate_limited"
    case tooEarly = "too_early"
    case providerFails = "provider_fails"

    // A missing sign-in, or a refresh token that is not used by this credential alone.
    case notSignedIn = "not_signed_in"
    case tokenHeldByOther = "token_held_by_other"
    case tokenSpentByOther = "token_spent_by_other"
    case tokenSpentHere = "token_spent_here"
    case configuredTokenSpent = "configured_token_spent"
    case spentRecordUnreadable = "spent_record_unreadable"

    // A sign-in that ended without tokens.
    case signInDenied = "sign_in_denied"
    case signInScopeRefused = "sign_in_scope_refused"
    case signInClientUnknown = "sign_in_client_unknown"
    case signInErrorReturned = "sign_in_error_returned"
    case signInClientRefused = "sign_in_client_refused"
    case signInNotAllowed = "sign_in_not_allowed"
    case signInCodeRefused = "sign_in_code_refused"
    case signInProviderFails = "sign_in_provider_fails"
    case signInTooOften = "sign_in_too_often"
    case signInAnswerUnusable = "sign_in_answer_unusable"
    case signInUnanswered = "sign_in_unanswered"
    case signInNotMade = "sign_in_not_made"
    case signInNotSaved = "sign_in_not_saved"
    case signInOfOtherIssuer = "sign_in_of_other_issuer"
    case signInDaemonLost = "sign_in_daemon_lost"

    // A setting of this host. Nothing was sent.
    case secretMissing = "secret_missing"
    case secretUnreadable = "secret_unreadable"
    case secretVariableUnset = "secret_variable_unset"
    case secretCredentialMissing = "secret_credential_missing"
    case secretProgramFailed = "secret_program_failed"
    case secretUnusable = "secret_unusable"
    case requestNotMade = "request_not_made"
    case variableUnusable = "variable_unusable"
    case settingsChanged = "settings_changed"

    // The state directory.
    case stateFull = "state_full"
    case stateReadOnly = "state_read_only"
    case stateForbidden = "state_forbidden"
    case stateFails = "state_fails"
    case slotTooSmall = "slot_too_small"
    case stateUnreadable = "state_unreadable"
    case stateCopied = "state_copied"
    case stateWentBack = "state_went_back"

    // Token files.
    case outputFull = "output_full"
    case outputGroupForbidden = "output_group_forbidden"
    case outputGroupInherited = "output_group_inherited"
    case outputAccountUnknown = "output_account_unknown"
    case outputReadOnly = "output_read_only"
    case outputForbidden = "output_forbidden"
    case outputDirectoryMissing = "output_directory_missing"
    case outputIsMountPoint = "output_is_mount_point"
    case outputIsLink = "output_is_link"
    case outputIsOther = "output_is_other"
    case outputValueMissing = "output_value_missing"
    case outputSilent = "output_silent"
    case outputFails = "output_fails"
    case outputAltered = "output_altered"

    /// From a record of a version without causes: there is only a sentence.
    case untold
}

extension CauseKind {
    /// Whether a secret may become readable at any moment; nothing was sent.
    package var awaitsSecret: Bool {
        switch self {
        case .secretMissing, .secretUnreadable, .secretVariableUnset, .secretCredentialMissing,
            .secretProgramFailed, .secretUnusable:
            true
        default: false
        }
    }

    /// Whether only a sign-in ends the failure.
    var needsSignIn: Bool { row.story == .signIn || row.story == .noRefreshToken }
}
