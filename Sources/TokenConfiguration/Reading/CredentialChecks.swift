internal import TokenFormats
internal import TokenProviders

/// Checks one credential beyond the shape of its parts: every value that its profile needs.
struct CredentialChecks {
    let credential: CredentialConfiguration
    let field: FieldReader

    func run() {
        requireVariables()
        requireClient()
        requireRefreshToken()
        checkURLs()
        checkPatterns()
    }

    private func requireVariables() {
        for (name, variable) in credential.profile.variables.sorted(by: { $0.key < $1.key })
        where variable.isRequired && variable.defaultValue == nil && !isSet(name) {
            field.mistake(
                "provider \"\(credential.profile.name)\" needs the variable \"\(name)\"",
                "add \"variables\": {\"\(name)\": …}")
        }
        // A key or a certificate can only come from a variable.
        let requests = credential.profile.renewals.map(\.request)
        let keyTemplates =
            requests.flatMap(\.assertions.values).map(\.key)
            + requests.flatMap { [$0.certificate, $0.privateKey].compactMap { $0 } }
        let keys = keyTemplates.reduce(
            into: requests.reduce(into: Set<String>()) { $0.formUnion($1.signingKeys) }
        ) { $0.formUnion($1.variables) }
        for name in keys.sorted()
        where credential.profile.variables[name] == nil && !isSet(name)
            && ContextVariable(rawValue: name) == nil
        {
            field.mistake(
                "the variable \"\(name)\", a key or certificate, is missing",
                "add \"variables\": {\"\(name)\": {\"file\": \"/etc/evertoken/key.pem\"}}")
        }
    }

    /// `scope` and the client's names are keys of the credential, not variables.
    private func isSet(_ name: String) -> Bool {
        credential.variables[name] != nil || (name == "scope" && credential.scope != nil)
    }

    private func requireClient() {
        let exchanges = credential.profile.renewals
        let names = credential.profile.renewalVariables
        let isBasic = exchanges.contains { $0.request.clientAuthentication.isBasic }
        let isTLS = exchanges.contains { $0.request.clientAuthentication == .tls }
        let isMachine = exchanges.contains {
            !$0.spendsGrant && !$0.request.sendsListedParametersOnly
                && $0.request.clientAuthentication == .post
        }
        let needsClient =
            isBasic || isTLS || (isMachine && !credential.profile.usesRefreshToken)
            || names.contains(ContextVariable.clientID.rawValue)
        if needsClient, field.node["client_id"] == nil {
            field.mistake("\"client_id\" is missing", "add the id the provider gave you")
        }
        let needsSecret = isBasic || names.contains(ContextVariable.clientSecret.rawValue)
        if needsSecret, field.node["client_secret"] == nil {
            field.mistake(
                "\"client_secret\" is missing",
                "add it, such as {\"credential\": \"\(credential.name)-secret\"}")
        }
    }

    private func requireRefreshToken() {
        if !credential.profile.usesRefreshToken, credential.refreshToken != nil {
            field.mistake(
                "\"refresh_token\" is never sent by this grant",
                "remove it, or choose a provider that refreshes")
        }
    }

    /// A URL cannot be formed when one of its variables is unset.
    private func requireURLVariables() {
        for request in credential.profile.renewals.map(\.request) {
            for name in request.url.variables.sorted()
            where !name.hasPrefix("steps.") && !isSet(name)
                && credential.profile.variables[name]?.defaultValue == nil
                && credential.profile.variables[name]?.isRequired != true
                && ContextVariable(rawValue: name) == nil
            {
                field.mistake(
                    "the token URL needs the variable \"\(name)\"",
                    "add \"variables\": {\"\(name)\": …}")
            }
        }
    }

    private func checkURLs() {
        requireURLVariables()
        for problem in credential.profile.urlProblems(with: credential.variables) {
            field.mistake("the token URL \(problem.problem)", problem.remedy)
        }
    }

    private func checkPatterns() {
        for (name, variable) in credential.profile.variables.sorted(by: { $0.key < $1.key }) {
            guard let pattern = variable.pattern,
                case .literal(let node)? = credential.variables[name],
                let text = node.canonicalText, !pattern.matchesWhole(text)
            else { continue }
            field.mistake(
                "variable \"\(name)\" does not match \(pattern.text)",
                "write a value the provider knows")
        }
    }
}

extension ProviderProfile {
    /// The problems of the profile's URLs, each URL once.
    func urlProblems(with variables: [String: VariableSource]) -> [RequestError] {
        var seen: [Template] = []
        return allExchanges.compactMap { exchange in
            guard !seen.contains(exchange.request.url) else { return nil }
            seen.append(exchange.request.url)
            return urlProblem(of: exchange.request, with: variables)
        }
    }

    /// A URL can be checked now only when no part of it is a secret that is read later.
    private func urlProblem(
        of request: RequestSpecification, with given: [String: VariableSource]
    ) -> RequestError? {
        var context = TemplateContext(nonce: RequestNonce.placeholder)
        for name in request.url.variables {
            switch given[name] {
            case .literal(let node): context.values[name] = node
            case .secret: return nil
            case nil:
                guard let value = variables[name]?.defaultValue else { return nil }
                context.values[name] = value
            }
        }
        return request.renderURL(in: context).flatMap {
            EndpointURL.problem(of: $0, isOurs: true)
        }
    }
}
