internal import TokenFormats
internal import TokenProviders

/// What the checks of credentials need of one profile: many credentials share it.
struct ProfileNeeds {
    /// A token URL: its problem if every credential has the same, otherwise the request to check.
    fileprivate enum URLCheck {
        case known(RequestError?)
        case varies(RequestSpecification)
    }

    /// Required variables without a default.
    fileprivate let required: [String]
    /// Variables of keys and certificates that the profile does not declare.
    fileprivate let keys: [String]
    fileprivate let needsClient: Bool
    fileprivate let needsSecret: Bool
    /// Variables of the URLs that have no value unless the credential sets one.
    fileprivate let urlVariables: [String]
    fileprivate let urls: [URLCheck]
    fileprivate let patterns: [(name: String, pattern: Pattern)]

    init(_ profile: ProviderProfile) {
        let variables = profile.variables.sorted { $0.key < $1.key }
        required = variables.filter { $0.value.isRequired && $0.value.defaultValue == nil }
            .map(\.key)
        patterns = variables.compactMap { name, variable in
            variable.pattern.map { (name, $0) }
        }
        keys = Self.keys(of: profile)
        let exchanges = profile.renewals
        let names = profile.renewalVariables
        let isBasic = exchanges.contains { $0.request.clientAuthentication.isBasic }
        let isTLS = exchanges.contains { $0.request.clientAuthentication == .tls }
        let isMachine = exchanges.contains {
            !$0.spendsGrant && !$0.request.sendsListedParametersOnly
                && $0.request.clientAuthentication == .post
        }
        needsClient =
            isBasic || isTLS || (isMachine && !profile.usesRefreshToken)
            || names.contains(ContextVariable.clientID.rawValue)
        needsSecret = isBasic || names.contains(ContextVariable.clientSecret.rawValue)
        urlVariables = exchanges.flatMap { exchange in
            exchange.request.url.variables.sorted().filter { name in
                !name.hasPrefix("steps.") && profile.variables[name]?.defaultValue == nil
                    && profile.variables[name]?.isRequired != true
                    && ContextVariable(rawValue: name) == nil
            }
        }
        urls = profile.distinctURLs.map { request in
            request.url.variables.isEmpty
                ? .known(profile.urlProblem(of: request, with: [:])) : .varies(request)
        }
    }

    /// A key or a certificate can only come from a variable.
    private static func keys(of profile: ProviderProfile) -> [String] {
        let requests = profile.renewals.map(\.request)
        let templates =
            requests.flatMap(\.assertions.values).map(\.key)
            + requests.flatMap { [$0.certificate, $0.privateKey].compactMap { $0 } }
        let keys = templates.reduce(
            into: requests.reduce(into: Set<String>()) { $0.formUnion($1.signingKeys) }
        ) { $0.formUnion($1.variables) }
        return keys.sorted().filter {
            profile.variables[$0] == nil && ContextVariable(rawValue: $0) == nil
        }
    }
}

/// The needs of the profiles of a configuration, each found out once.
final class SharedNeeds {
    private var found: [String: ProfileNeeds] = [:]

    /// - Parameter grantType: The base that the credential names instead of the profile's own.
    func of(_ profile: ProviderProfile, grantType: String?) -> ProfileNeeds {
        // A name has no blank.
        let key = grantType.map { profile.name + " " + $0 } ?? profile.name
        if let known = found[key] { return known }
        let needs = ProfileNeeds(profile)
        found[key] = needs
        return needs
    }
}

/// Checks one credential beyond the shape of its parts: every value that its profile needs.
struct CredentialChecks {
    let credential: CredentialConfiguration
    let needs: ProfileNeeds
    let field: FieldReader

    func run() {
        requireVariables()
        requireClient()
        requireRefreshToken()
        checkURLs()
        checkPatterns()
    }

    private func requireVariables() {
        for name in needs.required where !isSet(name) {
            field.mistake(
                "provider \"\(credential.profile.name)\" needs the variable \"\(name)\"",
                "add \"variables\": {\"\(name)\": …}")
        }
        for name in needs.keys where !isSet(name) {
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
        if needs.needsClient, field.node["client_id"] == nil {
            field.mistake("\"client_id\" is missing", "add the id the provider gave you")
        }
        if needs.needsSecret, field.node["client_secret"] == nil {
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
        for name in needs.urlVariables where !isSet(name) {
            field.mistake(
                "the token URL needs the variable \"\(name)\"",
                "add \"variables\": {\"\(name)\": …}")
        }
    }

    private func checkURLs() {
        requireURLVariables()
        for check in needs.urls {
            let found: RequestError? =
                switch check {
                case .known(let problem): problem
                case .varies(let request):
                    credential.profile.urlProblem(of: request, with: credential.variables)
                }
            guard let problem = found else { continue }
            field.mistake("the token URL \(problem.problem)", problem.remedy)
        }
    }

    private func checkPatterns() {
        for (name, pattern) in needs.patterns {
            guard case .literal(let node)? = credential.variables[name],
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
        distinctURLs.compactMap { urlProblem(of: $0, with: variables) }
    }

    /// A request for each of the profile's URLs.
    fileprivate var distinctURLs: [RequestSpecification] {
        var seen: [Template] = []
        return allExchanges.map(\.request).filter { request in
            guard !seen.contains(request.url) else { return false }
            seen.append(request.url)
            return true
        }
    }

    /// A URL can be checked now only when no part of it is a secret that is read later.
    fileprivate func urlProblem(
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
