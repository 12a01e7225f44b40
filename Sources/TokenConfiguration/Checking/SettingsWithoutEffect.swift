internal import TokenFormats
internal import TokenProviders

// Findings from the configuration alone: settings that nothing reads, and variables that are unset
// when a request names them. No file is read.
extension CredentialConfiguration {
    package var settingFindings: [CheckFinding] {
        unsentFindings + unreadFindings + unknownFindings + unquotedFindings
    }

    private func finding(_ key: String, _ cause: CheckCause) -> CheckFinding {
        CheckFinding(credential: name, key: key, cause: cause)
    }

    private var unsentFindings: [CheckFinding] {
        let named = profile.namedVariables
        let methods = Set(profile.allExchanges.map(\.request.clientAuthentication))
        var unsent: [String] = []
        // The sign-in requests it.
        if scope != nil, !named.contains("scope"), profile.authorization == nil {
            unsent.append("scope")
        }
        let sendsSecret = methods.contains { [.post, .basic, .basicRaw, .secretJWT].contains($0) }
        if clientSecret != nil, !sendsSecret, !named.contains("client_secret") {
            unsent.append("client_secret")
        }
        return unsent.map { finding($0, .neverSent(provider: profile.name)) }
    }

    private var unreadFindings: [CheckFinding] {
        let named = profile.namedVariables
        return variables.keys.filter { !named.contains($0) }.sorted()
            .map { finding("variables." + $0, .unread(provider: profile.name)) }
    }

    private var unknownFindings: [CheckFinding] {
        let named = profile.renewalVariables
        var findings = ContextVariable.unknownAtRefresh.map(\.rawValue)
            .filter { named.contains($0) && !isGiven($0) }
            .map { finding("provider", .neverKnown($0)) }
        let first = profile.refresh.reduce(into: Set<String>()) {
            $0.formUnion($1.request.variables)
        }
        let isOwn = profile.lifecycle.refreshToken == .accessToken
        if refreshToken != nil, first.contains("access_token"), !isOwn {
            findings.append(finding("refresh_token", .unknownAtFirst(login: name)))
        }
        return findings
    }

    private func isGiven(_ variable: String) -> Bool {
        variables[variable] != nil || profile.variables[variable]?.defaultValue != nil
    }

    private var unquotedFindings: [CheckFinding] {
        outputs.flatMap { output -> [CheckFinding] in
            guard case .template(let template) = output.format else { return [] }
            return template.unquotedTexts.map {
                finding("outputs", .unquoted(output: output.path, variable: $0))
            }
        }
    }
}

extension ContextVariable {
    /// Known only during a sign-in, or once there is a token.
    fileprivate static let unknownAtRefresh: [ContextVariable] = [
        .code, .deviceCode, .codeVerifier, .tokenType, .expiresAt,
    ]
}

extension ProviderProfile {
    /// Every variable that one of its requests, or its sign-in, names.
    var namedVariables: Set<String> {
        var names = allExchanges.reduce(into: Set<String>()) {
            $0.formUnion($1.request.variables)
        }
        guard let authorization else { return names }
        for template in [authorization.url, authorization.deviceURL, authorization.issuer] {
            names.formUnion(template?.variables ?? [])
        }
        for part in authorization.parameters { names.formUnion(part.value.variables) }
        // The redirect URI of the browser sign-in.
        names.insert(ContextVariable.redirectURI.rawValue)
        return names
    }
}

extension Configuration {
    /// Findings about credentials in combination and about unused providers. `readTolerantly` has
    /// found the latter.
    package var settingFindings: [CheckFinding] {
        providerFindings + credentials.flatMap(\.settingFindings) + sharedVariables
            + sharedRefreshTokens
    }

    /// Two files of format `env` that set the same variable: a program that reads both gets one
    /// token.
    private var sharedVariables: [CheckFinding] {
        let writers = credentials.filter { credential in
            credential.outputs.contains { $0.format == .env }
                || credential.units.contains { $0.format == .env }
        }
        let variable = { (credential: CredentialConfiguration) in
            PublishedToken.environmentName(of: credential.name) + "_ACCESS_TOKEN"
        }
        return findings(
            writers, key: "outputs", value: variable,
            cause: { .sharedVariable($0, with: $1) })
    }

    /// A refresh token must belong to one credential: another one would spend it.
    private var sharedRefreshTokens: [CheckFinding] {
        let readers = credentials.filter { $0.profile.usesRefreshToken }
        return findings(
            readers, key: "refresh_token", value: { $0.refreshToken?.place },
            cause: { .sharedRefreshToken(place: $0.placeName, with: $1) })
    }

    /// A finding at every credential whose value an earlier credential has too.
    private func findings<Value: Hashable>(
        _ credentials: [CredentialConfiguration], key: String,
        value: (CredentialConfiguration) -> Value?, cause: (Value, String) -> CheckCause
    ) -> [CheckFinding] {
        var first: [Value: String] = [:]
        return credentials.compactMap { credential in
            guard let value = value(credential) else { return nil }
            guard let other = first[value] else {
                first[value] = credential.name
                return nil
            }
            return CheckFinding(
                credential: credential.name, key: key, cause: cause(value, other))
        }
    }
}
