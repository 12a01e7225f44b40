internal import Crypto
package import TokenFormats
package import TokenProviders

/// The server that issued a refresh token and the client it was issued to, as a short fingerprint
/// of the token URL's origin (RFC 6454 section 4) and the `client_id`. The token is valid only for
/// both together (RFC 6749 section 6) and must not be sent to any other server (section 10.4).
package struct GrantBinding: Sendable, Equatable {
    /// 16 hexadecimal digits of a SHA-256; reveals nothing of the client.
    package let fingerprint: String

    /// As a slot has it.
    package init(fingerprint: String) { self.fingerprint = fingerprint }

    init(origin: String, clientID: String) {
        let text = "place\n\(origin)\n\(clientID)"
        fingerprint = hexadecimal(SHA256.hash(data: Array(text.utf8)).prefix(8))
    }
}

extension ProviderProfile {
    /// The server and client that these values would send a refresh token to.
    ///
    /// - Returns: `nil` when there is no refresh token, or a variable of the URL is unset. When a
    ///   response names the host, the place of the request that yields that response: the
    ///   configuration determines only that one.
    package func place(in context: TemplateContext) -> GrantBinding? {
        for request in placing {
            let start = request.leadingURL(in: context)
            // The host comes from a response.
            if start.variables.contains(where: { $0.hasBytePrefix("steps.") }) { continue }
            guard let url = start.text, EndpointURL.problem(of: url) == nil else { return nil }
            return GrantBinding(
                origin: EndpointURL.origin(of: url),
                clientID: context.values[ContextVariable.clientID.rawValue]?.canonicalText ?? "")
        }
        return nil
    }

    /// The variables that determine the place, beside `client_id`.
    package var placeVariables: Set<String> {
        placing.reduce(into: []) { $0.formUnion($1.url.variables) }
    }

    private var placing: [RequestSpecification] {
        guard let spending = refresh.first(where: \.spendsGrant) else { return [] }
        return ([spending] + refresh).map(\.request)
    }
}

/// A refresh token of another place than the configured one: it is kept, and sent only where it was
/// issued.
package struct SetAsideToken: Sendable, Equatable {
    /// The refresh token that was set aside.
    package var token: Secret
    /// Where it is valid.
    package var place: GrantBinding
    /// When it came, if that is known.
    package var since: Moment?
    /// How long it lives from then on, if that is known.
    package var lifetime: Duration?
    /// Number of successes when it was set aside: once the token in use has been granted and
    /// refreshed, this one is no longer needed.
    package var successes: Int64
}

extension CredentialRecord {
    /// Whether an attempt must determine where it would send the stored refresh token.
    package func asksForPlace(_ initialToken: InitialToken?) -> Bool {
        candidate != nil || setAsideToken != nil || (initialToken.map(isNew) ?? false)
    }

    /// The configuration names the place of the token that was set aside again.
    mutating func returnTo(_ place: GrantBinding, at now: Moment, profile: ProviderProfile) {
        guard let kept = setAsideToken, kept.place == place, boundTo != place else { return }
        let left = setAside
        replaceRefreshToken(kept.token, at: kept.since ?? now, profile: profile)
        refreshTokenLifetime = kept.lifetime
        (boundTo, setAsideToken, steps) = (place, left == kept ? nil : left, [])
    }

    /// The configuration names another server or client and a refresh token for it: the stored
    /// token is never sent there.
    mutating func turnToCandidate(
        for place: GrantBinding, at now: Moment, profile: ProviderProfile
    ) {
        guard let candidate, let boundTo, boundTo != place else { return }
        let left = setAside
        remember(Self.fingerprint(of: candidate.token))
        replaceRefreshToken(candidate.token, at: now, profile: profile)
        // The candidate may have been sent before, with its response lost.
        attempts.ambiguousAttempts = candidate.lostResponses
        (self.boundTo, setAsideToken, steps) = (place, left, [])
    }

    /// The stored token to keep while another one is in use. A token that was never granted
    /// anything does not replace one that was.
    var setAside: SetAsideToken? {
        if let setAsideToken, setAsideToken.successes == attempts.successes { return setAsideToken }
        guard let refreshToken, let boundTo else { return setAsideToken }
        return SetAsideToken(
            token: refreshToken, place: boundTo, since: refreshTokenSince,
            lifetime: refreshTokenLifetime, successes: attempts.successes)
    }
}

extension SlotRecord {
    /// Records where the request goes. A token without any success belongs to the place that it is
    /// sent to: the configuration names both.
    package mutating func goes(to place: GrantBinding?) {
        self.place = place
        guard kind == .refresh, !sendsCandidate, grant.boundTo == nil,
            grant.attempts.successes == 0
        else { return }
        grant.boundTo = place
    }
}

extension SetAsideToken {
    func json() -> JSONNode {
        .object([
            ("token", .string(token.reveal())), ("place", .string(place.fingerprint)),
            ("since", since?.json), ("lifetime", lifetime?.json),
            ("successes", .integer(successes)),
        ])
    }

    init?(json node: JSONNode) {
        guard let token = node["token"]?.text, let place = node["place"]?.text else { return nil }
        self.init(
            token: Secret(token), place: GrantBinding(fingerprint: place),
            since: node["since"].flatMap(Moment.init(json:)),
            lifetime: node["lifetime"].flatMap(Duration.init(json:)),
            successes: node["successes"]?.integer ?? 0)
    }
}
