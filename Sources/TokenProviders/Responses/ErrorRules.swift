package import TokenFormats

extension ErrorRule {
    /// The rules behind every profile's own (ProfileRules 8), in the same format.
    static let builtIn: [ErrorRule] = {
        let document = ConfigurationDocument(file: "built-in rules", bytes: [])
        guard let node = try? JSONReader.read(Array(builtInText.utf8)) else { return [] }
        let field = FieldReader(node, path: "", fallbackOffset: 0, document: document)
        return (field.array() ?? []).compactMap(ProfileReading.errorRule)
    }()

    private static let builtInText = """
        [
          {"if": [{"status": [429]}], "class": "rate_limited",
           "retry_after": {"from": {"header": "Retry-After"}, "as": "auto"}},
          {"if": [{"status": ["5xx"]}], "class": "transient",
           "retry_after": {"from": {"header": "Retry-After"}, "as": "auto"}},
          {"if": [{"status": [408, 425]}], "class": "transient"},
          {"if": [{"path": "/error", "in": ["temporarily_unavailable", "server_error",
                   "slow_down"]}], "class": "transient"},
          {"if": [{"path": "/error_description",
                   "matches": "(?i)rate.?limit|too many|quota|throttl"}],
           "class": "rate_limited"},
          {"if": [{"path": "/error", "in": ["invalid_grant", "interaction_required",
                   "login_required", "consent_required"]}], "class": "reauth"},
          {"if": [{"path": "/error", "in": ["invalid_client", "unauthorized_client",
                   "unsupported_grant_type", "invalid_scope", "invalid_request",
                   "access_denied"]}], "class": "config"},
          {"if": [{"status": [401, 403]}], "class": "config"},
          {"if": [{"status": ["4xx"]}], "class": "config"},
          {"if": [{"status": ["2xx"]}], "class": "transient"}
        ]
        """
}

extension ResponseReader {
    static let maximumRetryAfter: Duration = .seconds(3600)

    /// Whether one of the profile's own rules matches this response.
    ///
    /// - Parameter byBody: Count only rules that check the body, not just the status.
    func hasOwnRule(for response: ReadableResponse, byBody: Bool = false) -> Bool {
        rules.prefix(ownRules).contains { rule in
            rule.conditions.allSatisfy(response.holds)
                && (!byBody || rule.conditions.contains { $0.path != nil })
        }
    }

    /// The class of an error response. The first matching rule decides.
    func refusal(_ response: ReadableResponse) -> Refusal {
        let status = response.raw.status
        let index = rules.firstIndex { $0.conditions.allSatisfy(response.holds) }
        let rule = index.map { rules[$0] }
        let isOwn = index.map { $0 < ownRules } ?? false
        var failureClass =
            rule?.failureClass ?? ([3, 4].contains(status / 100) ? .config : .transient)
        // What a redirect says about tokens is not believed.
        if !isOwn, status / 100 == 3 { failureClass = .config }
        // An empty 400 can tell no more than that the refresh token is dead (Contract 3.2).
        if !isOwn, spendsGrant, [400, 401, 403].contains(status), response.body.node == nil {
            failureClass = .reauth
        }
        if !isOwn, failureClass == .config, spendsGrant, blamesRefreshToken(response) {
            failureClass = .reauth
        }
        return Refusal(
            failureClass, cause(of: response, as: failureClass, isOwn: isOwn), httpStatus: status,
            retryAfter: rule?.retryAfter.flatMap { retryAfter($0, response) },
            hasNoErrorBody: status / 100 == 4 && response.body.node == nil,
            errorCode: response.body.node?["error"]?.text.flatMap {
                knownErrorCodes.contains(ByteText($0)) ? $0 : nil
            })
    }

    /// Some servers respond to an invalid refresh token with `invalid_request` (RFC 6749 section
    /// 5.2 specifies `invalid_grant`) and explain it in words. A missing parameter is a different
    /// error.
    private func blamesRefreshToken(_ response: ReadableResponse) -> Bool {
        guard let body = response.body.node, response.raw.status / 100 != 5,
            response.raw.status != 429,
            body["error"]?.text?.hasSameBytes(as: "invalid_request") == true,
            let words = body["error_description"]?.text?.asciiLowercased
        else { return false }
        let holds = { (parts: [String]) in parts.contains { words.containsBytes(of: $0) } }
        return holds(["refresh_token", "refresh token", "refreshtoken", "refresh-token"])
            && holds([
                "invalid", "expired", "revoked", "unknown", "used", "not found", "inactive",
            ])
            && !holds(["missing", "required", "parameter", "unsupported"])
    }

    private func retryAfter(
        _ specification: ExpirySpecification, _ response: ReadableResponse
    ) -> Duration? {
        let date = response.date
        switch ExpiryReading(response: response, root: nil).read(specification) {
        case .relative(let duration)?: return min(max(.zero, duration), Self.maximumRetryAfter)
        case .absolute(let time)?:
            // An absolute time is only usable relative to the server's own clock.
            guard let date, date < time else { return nil }
            return min(date.duration(to: time), Self.maximumRetryAfter)
        case .zero?: return .zero
        case .unusable?, nil: return nil
        }
    }
}

/// Codes of RFC 6749 section 5.2, RFC 8628 section 3.5, RFC 9449 section 5, OpenID Connect Core
/// 3.1.2.6, and those of the shipped profiles.
package let knownErrorCodes: Set<ByteText> = [
    "invalid_request", "invalid_client", "invalid_grant", "unauthorized_client",
    "unsupported_grant_type", "invalid_scope", "access_denied", "server_error",
    "temporarily_unavailable", "slow_down", "authorization_pending", "expired_token",
    "invalid_dpop_proof", "use_dpop_nonce", "invalid_target", "interaction_required",
    "login_required", "consent_required", "account_selection_required", "invalid_token",
    "authorization_declined",
]
