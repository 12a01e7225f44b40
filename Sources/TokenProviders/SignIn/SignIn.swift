package import TokenFormats

/// The choices of a sign-in request.
package struct SignInRequest: Sendable, Equatable {
    package enum Method: String, Sendable, Equatable, CaseIterable {
        /// RFC 6749 section 4.1.
        case browser
        /// RFC 8628.
        case device
    }
    /// `nil`: any method that the provider supports, the browser first.
    package var method: Method?
    /// Added to the scope of the profile and of the credential.
    package var scope: String?

    package init(method: Method? = nil, scope: String? = nil) {
        (self.method, self.scope) = (method, scope)
    }
}

/// Builds the requests of a sign-in from a credential's profile and values.
package struct SignIn: Sendable {
    let profile: ProviderProfile
    let authorization: AuthorizationSpecification
    let wish: SignInRequest
    /// The credential's variables, its client's id and secret, and its scope.
    var context: TemplateContext
    /// Set once it is read; needed when the profile does not name the endpoint itself.
    package var metadata: ServerMetadata?

    /// - Throws: ``RequestError`` when this profile does not support a sign-in.
    package init(
        _ profile: ProviderProfile, wish: SignInRequest, context: TemplateContext
    ) throws(RequestError) {
        if let obstacle = profile.signInObstacle { throw obstacle }
        guard let authorization = profile.authorization else { throw Self.unknown(profile) }
        (self.profile, self.authorization, self.wish) = (profile, authorization, wish)
        self.context = context
    }

    static func unknown(_ profile: ProviderProfile) -> RequestError {
        let place = profile.docs.map { " (\($0))" } ?? ""
        let isOwn = !BuiltInProfiles.shippedNames.containsText(profile.name)
        return RequestError(
            problem: "provider \"\(profile.name)\" has no \"authorization\": where a person signs "
                + "in is not known",
            remedy: (isOwn
                ? "add \"authorization\": {\"url\": \"https://…/authorize\"} to "
                    + "providers.\(profile.name), then run: evertoken reload. Or "
                : "")
                + "get a refresh token as the provider's pages say\(place), and put it into the "
                + "credential's refresh_token, or give it to evertoken import")
    }

    /// Every variable that the templates of a browser sign-in name.
    package static func browserVariables(_ profile: ProviderProfile) -> Set<String> {
        guard let authorization = profile.authorization else { return [] }
        let templates = [authorization.url, authorization.issuer].compactMap { $0 }
        let own: Set<String> = templates.reduce(into: []) { $0.formUnion($1.variables) }
        return authorization.parameters.reduce(into: own.union(["redirect_uri"])) {
            $0.formUnion($1.value.variables)
        }
    }

    /// The method to use: the requested one, or one that the provider has.
    package var method: SignInRequest.Method {
        if let method = wish.method { return method }
        if authorization.url != nil || metadata?.authorizationEndpoint != nil { return .browser }
        return authorization.deviceURL != nil || metadata?.deviceEndpoint != nil
            ? .device : .browser
    }

    /// Whether the server's metadata must be fetched first.
    package var needsMetadata: Bool {
        guard authorization.issuer != nil, metadata == nil else { return false }
        switch wish.method {
        case .browser: return authorization.url == nil
        case .device: return authorization.deviceURL == nil
        case nil: return authorization.url == nil && authorization.deviceURL == nil
        }
    }

    /// The issuer, rendered.
    package func issuer() throws(RequestError) -> String? {
        try authorization.issuer.map { template throws(RequestError) in
            try url(template, "the issuer")
        }
    }

    /// - Throws: ``RequestError`` when the provider has no such endpoint, or a value is missing.
    package func browser() throws(RequestError) -> BrowserSignIn {
        let endpoint = try self.endpoint(
            .browser, authorization.url, metadata?.authorizationEndpoint)
        guard context.values["client_id"] != nil else {
            throw RequestError(
                problem: "a sign-in needs \"client_id\"", remedy: "add it to the credential")
        }
        var request = plainRequest(to: endpoint)
        (request.method, request.encoding) = ("GET", .query)
        (request.clientAuthentication, request.sendsListedParametersOnly) = (.none, true)
        let named = Set(authorization.parameters.map(\.name))
        request.parameters =
            [("response_type", "code"), ("client_id", "${client_id}"), ("scope", scope)]
            .compactMap { name, value in
                named.contains(name) ? nil : value.map { Self.parameter(name, $0) }
            }
        // A profile cannot set the generated parameters.
        request.parameters += authorization.parameters.filter { !Self.fresh.contains($0.name) }
        request.parameterNames = authorization.parameterNames
        var signIn = BrowserSignIn(address: try request.render(in: filled(endpoint)).url)
        signIn.parameterNames = authorization.parameterNames.filter { Self.fresh.contains($0.key) }
        signIn.redirectURI = context.values["redirect_uri"]?.canonicalText
        signIn.issuer = try issuer()
        signIn.namesIssuer = metadata?.namesIssuer ?? false
        // A challenge whose verifier is never sent would break the exchange.
        let sendsVerifier = profile.authorizationCode.contains {
            $0.request.variables.contains("code_verifier")
        }
        let isKnown = metadata?.challengeMethods?.contains(CodeVerifier.method) ?? true
        signIn.usesPKCE = authorization.acceptsPKCE && sendsVerifier && isKnown
        return signIn
    }

    /// The device authorization request (RFC 8628 section 3.1). The client authenticates as at the
    /// token endpoint.
    package func deviceRequest() throws(RequestError) -> RenderedRequest {
        let endpoint = try self.endpoint(
            .device, authorization.deviceURL, metadata?.deviceEndpoint)
        var request = plainRequest(to: endpoint)
        request.parameters = [("client_id", "${client_id}"), ("scope", scope)]
            .compactMap { name, value in value.map { Self.parameter(name, $0) } }
        return try request.render(in: filled(endpoint))
    }

    /// The client authentication, headers and TLS settings of the token request, and nothing else.
    private func plainRequest(to endpoint: String) -> RequestSpecification {
        let exchanges = profile.deviceCode
        var request = (exchanges.first(where: \.spendsGrant) ?? exchanges[0]).request
        request.url = Self.endpointTemplate
        (request.parameters, request.query) = ([], [])
        return request
    }

    private static let fresh: Set<String> = [
        "redirect_uri", "state", "code_challenge", "code_challenge_method",
    ]
    private static let endpointName = "sign_in_endpoint"
    private static let endpointTemplate = Template(variable: endpointName)

    private static func parameter(_ name: String, _ text: String) -> NamedTemplate {
        // A scope is literal text, even if it looks like a template.
        let value: TemplatedValue =
            text == "${client_id}"
            ? .template(Template(variable: "client_id")) : .literal(.string(text))
        return NamedTemplate(name: name, value: value)
    }

    private func filled(_ endpoint: String) -> TemplateContext {
        var context = context
        context.values[Self.endpointName] = .string(endpoint)
        return context
    }

    /// - Parameters:
    ///   - own: The value of the profile.
    ///   - found: The value of the server's metadata.
    private func endpoint(
        _ method: SignInRequest.Method, _ own: Template?, _ found: String?
    ) throws(RequestError) -> String {
        let (name, key, other) =
            switch method {
            case .browser: ("authorization endpoint", "url", "try --device")
            case .device: ("device authorization endpoint", "device_url", "try without --device")
            }
        if let own { return try url(own, "the \(name)'s URL") }
        if let found { return found }
        throw RequestError(
            problem: "provider \"\(profile.name)\" has no \(name)",
            remedy: "\(other), or name \"\(key)\" in its \"authorization\"")
    }

    private func url(_ template: Template, _ what: String) throws(RequestError) -> String {
        var request = RequestSpecification(url: template)
        request.method = "GET"
        guard let url = request.renderURL(in: context) else {
            let missing = template.variables.filter { context.values[$0] == nil }.sorted()
            throw RequestError(
                problem: "\(what) needs \(missing.joined(separator: ", "))",
                remedy: "set it under \"variables\"")
        }
        if let problem = EndpointURL.problem(of: url) { throw problem.of(what) }
        return url
    }

    /// The scopes of the profile, the credential and the caller, without duplicates.
    private var scope: String? {
        let separator = authorization.scopeSeparator
        var scopes: [String] = []
        let given = [authorization.scope, context.values["scope"]?.canonicalText, wish.scope]
        for text in given.compactMap({ $0 }) {
            for part in text.split(separator: separator).flatMap({ $0.split(separator: " ") })
            where !scopes.containsText(part) {
                scopes.append(String(part))
            }
        }
        return scopes.isEmpty ? nil : scopes.joined(separator: separator)
    }
}

extension ProviderProfile {
    /// Why no sign-in with this profile can work, even with a code; `nil` if one may work.
    package var signInObstacle: RequestError? {
        guard usesRefreshToken else {
            return RequestError(
                problem: "provider \"\(name)\" needs no sign-in: its tokens come without a person",
                remedy: "see evertoken status")
        }
        guard !exchangesCode else { return nil }
        let place = docs.map { " (\($0))" } ?? ""
        return RequestError(
            problem: "how \"\(name)\" turns a code into a token that can be renewed is not known "
                + "to its profile",
            remedy: "get a long-lived token as the provider's pages say\(place), and put it into "
                + "the credential's refresh_token, or give it to evertoken import")
    }
}
