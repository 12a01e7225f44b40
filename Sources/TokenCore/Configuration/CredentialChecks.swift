/// What one credential must satisfy beyond the shape of its parts: every value its profile needs.
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
        where variable.isRequired && variable.defaultValue == nil {
            // `scope` and the client's names have keys of their own.
            let isSet =
                credential.variables[name] != nil
                || (name == "scope" && credential.scope != nil)
            if !isSet {
                field.mistake(
                    "provider \"\(credential.profile.name)\" needs the variable \"\(name)\"",
                    "add \"variables\": {\"\(name)\": …}")
            }
        }
    }

    private func requireClient() {
        let exchanges =
            [credential.profile.refresh] + [credential.profile.acquire].compactMap { $0 }
        let authentications = exchanges.map(\.request.clientAuthentication)
        let names = exchanges.reduce(into: Set<String>()) { $0.formUnion($1.request.variables) }
        let needsClient =
            authentications.contains { $0 == .basic || $0 == .basicRaw }
            || names.contains(ContextVariable.clientID.rawValue)
        if needsClient, field.node["client_id"] == nil {
            field.mistake("\"client_id\" is missing", "add the id the provider gave you")
        }
        let needsSecret =
            authentications.contains { $0 == .basic || $0 == .basicRaw }
            || names.contains(ContextVariable.clientSecret.rawValue)
        if needsSecret, field.node["client_secret"] == nil {
            field.mistake(
                "\"client_secret\" is missing",
                "add it, such as {\"credential\": \"\(credential.name)-secret\"}")
        }
    }

    private func requireRefreshToken() {
        if !credential.profile.usesRefreshToken, credential.refreshToken != nil,
            credential.profile.lifecycle.refreshToken != .accessToken
        {
            field.mistake(
                "\"refresh_token\" is never sent by this grant",
                "remove it, or choose a provider that refreshes")
        }
    }

    private func checkURLs() {
        let profile = credential.profile
        for exchange in [profile.refresh, profile.acquire].compactMap({ $0 }) {
            guard let problem = problem(of: exchange.request) else { continue }
            field.mistake("the token URL \(problem.problem)", problem.remedy)
        }
    }

    /// The URL can be judged now when no part of it is a secret read later.
    private func problem(of request: RequestSpecification) -> RequestError? {
        var context = TemplateContext(nonce: RequestNonce.placeholder)
        for name in request.url.variables {
            switch credential.variables[name] {
            case .literal(let node): context.values[name] = node
            case .secret: return nil
            case nil:
                guard let value = credential.profile.variables[name]?.defaultValue else {
                    return nil
                }
                context.values[name] = value
            }
        }
        return request.renderURL(in: context).flatMap(EndpointURL.problem(of:))
    }

    private func checkPatterns() {
        for (name, variable) in credential.profile.variables {
            guard let pattern = variable.pattern.flatMap(Pattern.init),
                case .literal(let node)? = credential.variables[name],
                let text = node.canonicalText, !pattern.matchesWhole(text)
            else { continue }
            field.mistake(
                "variable \"\(name)\" does not match \(pattern.text)",
                "write a value the provider knows")
        }
    }
}

extension RequestNonce {
    /// For looking at a request that is never sent.
    static let placeholder = RequestNonce(
        uuid: "00000000-0000-4000-8000-000000000000",
        random: String(repeating: "0", count: 64), now: WallTime(epochSeconds: 0))
}
