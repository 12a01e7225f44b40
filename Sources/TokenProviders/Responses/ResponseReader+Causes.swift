internal import TokenFormats

// The real cause of a refused request, for operators. The failure class decides what the daemon
// does; the cause may differ: the page of a captive portal is not a wrong client_id.
extension ResponseReader {
    /// The configuration key of the URL.
    private static let urlKey = "the provider's request.url"
    /// Numbers below this have fewer digits than any part of a secret that must stay hidden.
    private static let smallNumber = 10_000_000

    /// - Parameter isOwn: A rule of the profile matches the response.
    func cause(of response: ReadableResponse, as failureClass: FailureClass, isOwn: Bool) -> Cause {
        var facts = facts(of: response)
        facts.errorCode = errorCode(response)
        let status = response.raw.status
        if status / 100 == 3, !isOwn {
            (facts.target, facts.isSamePath) = redirect(of: response)
            return Cause(.answerRedirects, facts)
        }
        // A server without this path may also respond with HTML.
        if status / 100 != 5, ![404, 405, 410, 429].contains(status), isPage(response) {
            return Cause(.answerIsPage, facts)
        }
        return Cause(kind(failureClass, facts), facts)
    }

    /// The facts that any cause of a response may name.
    func facts(of response: ReadableResponse) -> CauseFacts {
        var facts = CauseFacts(
            status: response.raw.status,
            contentType: ForeignContentType(header: response.raw.header("Content-Type")),
            key: Self.urlKey)
        facts.set(origin: origin)
        return facts
    }

    /// Whether the body is an HTML page instead of JSON.
    func isPage(_ response: ReadableResponse) -> Bool {
        guard response.body.node == nil else { return false }
        let isCalledSo =
            ForeignContentType(header: response.raw.header("Content-Type"))?.isPage ?? false
        return response.tolerant?.problem == .html
            || (isCalledSo && response.raw.body.contains(UInt8(ascii: "<")))
    }

    private func kind(_ failureClass: FailureClass, _ facts: CauseFacts) -> CauseKind {
        switch failureClass {
        case .reauth, .reacquire:
            if isOfSignIn { return .signInRefused }
            return Self.wantsPerson.containsText(facts.errorCode ?? "")
                ? .signInWanted : .refreshTokenRefused
        case .rateLimited: return .rateLimited
        case .tooEarly: return .tooEarly
        case .config: return kindOfRefusal(facts)
        default:
            return facts.status.map { 200...299 ~= $0 } ?? false ? .answerNoSuccess : .providerFails
        }
    }

    private static let wantsPerson = [
        "interaction_required", "login_required", "consent_required", "account_selection_required",
    ]

    /// Error codes of RFC 6749 section 5.2, RFC 8628 section 3.5, RFC 8707 and RFC 9449.
    private static let kinds: [ByteText: CauseKind] = [
        "invalid_client": .clientRefused, "unauthorized_client": .clientMayNot,
        "unsupported_grant_type": .grantTypeUnsupported, "invalid_scope": .scopeRefused,
        "invalid_target": .resourceRefused, "access_denied": .accessDenied,
        "authorization_declined": .accessDenied, "use_dpop_nonce": .dpopDemanded,
        "invalid_dpop_proof": .dpopDemanded,
    ]

    private func kindOfRefusal(_ facts: CauseFacts) -> CauseKind {
        if let kind = facts.errorCode.flatMap({ Self.kinds[ByteText($0)] }) { return kind }
        switch facts.status {
        case 404, 405, 410: return .endpointUnknown
        case 401 where facts.errorCode == nil: return .clientRefused
        default: return .requestRefused
        }
    }

    /// The target of a redirect (RFC 9110 section 10.2.2): only its host, and whether the path is
    /// unchanged; a path may contain anything.
    private func redirect(of response: ReadableResponse) -> (String?, Bool?) {
        guard let location = response.raw.header("Location") else { return (nil, nil) }
        let isWhole = location.hasBytePrefix("https://") || location.hasBytePrefix("http://")
        let target =
            isWhole ? EndpointURL.authority(of: location) : EndpointURL.authority(of: origin)
        let isSame = requestPath.map { EndpointURL.path(of: location).hasSameBytes(as: $0) }
        guard let target = filter.passed(PeerText(String(target))) else { return (nil, nil) }
        return (target, isSame)
    }

    /// An error code that may be shown: one of the registered names, or a plain number. Whatever
    /// else a server writes may echo a secret (I29).
    private func errorCode(_ response: ReadableResponse) -> String? {
        guard let body = response.body.node else { return nil }
        for key in ["error", "errorCode", "errcode", "code", "status", "error_code"] {
            guard let value = body[key] else { continue }
            if let text = value.text, knownErrorCodes.contains(ByteText(text)) { return text }
            if let number = value.integer, number.magnitude < 1_000_000_000 {
                let text = "\(key) \(number)"
                return number.magnitude < Self.smallNumber
                    ? text : filter.passed(PeerText(String(number))).map { _ in text }
            }
        }
        return nil
    }
}
