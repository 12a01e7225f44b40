package import TokenFormats

/// What a user needs to know to use a profile: for `evertoken providers NAME`.
package struct ProfileDescription: Sendable {
    package struct Variable: Sendable, Equatable {
        package var name: String
        package var isRequired: Bool
        /// Its default, its pattern and its description.
        package var notes: [String]
    }

    package let profile: ProviderProfile

    package init(_ profile: ProviderProfile) { self.profile = profile }

    /// Required keys of the credential itself, in the usual order.
    package var keys: [String] {
        let names = profile.renewalVariables
        let methods = profile.renewals.map(\.request.clientAuthentication)
        let needsClient = methods.contains { $0 == .post || $0.isBasic || $0 == .tls }
        let needsSecret = methods.contains { $0 == .post || $0.isBasic || $0 == .secretJWT }
        var keys: [String] = []
        let isPublic = profile.renewals.contains(where: \.request.sendsPublicClientID)
        if needsClient || isPublic || names.contains("client_id") { keys.append("client_id") }
        if needsSecret || names.contains("client_secret") { keys.append("client_secret") }
        if profile.usesRefreshToken { keys.append("refresh_token") }
        if profile.variables["scope"]?.isRequired == true { keys.append("scope") }
        return keys
    }

    /// Optional keys of the credential.
    package var optionalKeys: [String] {
        profile.renewalVariables.contains("scope") && !keys.contains("scope") ? ["scope"] : []
    }

    /// The profile's description of a key, such as where to find it.
    package func note(on key: String) -> String? { profile.variables[key]?.description }

    /// Variables that a credential may set, required ones first.
    package var variables: [Variable] {
        declared.sorted { left, right in
            let (first, second) = (isNeeded(left.value), isNeeded(right.value))
            return first == second ? left.key < right.key : first
        }.map { name, variable in
            var notes: [String] = []
            if let text = variable.description { notes.append(text) }
            if let value = variable.defaultValue?.canonicalText { notes.append("default \(value)") }
            if let pattern = variable.pattern { notes.append("matches \(pattern.text)") }
            if variable.isFromFile {
                notes.append("the path of a file, read at every use")
            } else if variable.isSecret {
                notes.append("secret: {\"file\": …}, {\"credential\": …} or such")
            }
            return Variable(name: name, isRequired: isNeeded(variable), notes: notes)
        }
    }

    private var declared: [String: ProfileVariable] {
        // The daemon's own variables are keys of the credential.
        var variables = profile.variables.filter { name, _ in
            ContextVariable(rawValue: name) == nil
                || name == ContextVariable.redirectURI.rawValue
        }
        if variables["redirect_uri"] == nil, profile.renewalVariables.contains("redirect_uri") {
            var variable = ProfileVariable()
            variable.description = "the redirect URI the app is registered with"
            variables["redirect_uri"] = variable
        }
        return variables
    }

    private func isNeeded(_ variable: ProfileVariable) -> Bool {
        variable.isRequired && variable.defaultValue == nil
    }

    /// How long an access token lives, in words.
    package var accessTokenLife: String {
        if let life = profile.lifecycle.accessTokenLifetime { return life.shortText }
        switch profile.refresh.last?.response.defaultLifetime {
        case .never?: return "no end"
        case .duration(let life)?: return "\(life.shortText), unless the answer says"
        case nil: return "as each answer says"
        }
    }

    /// How long a refresh token lives, in words; `nil` when the profile uses none.
    package var refreshTokenLife: String? {
        guard profile.usesRefreshToken else { return nil }
        let rules = profile.lifecycle
        if rules.refreshToken == .accessToken {
            return "none: give the long-lived access token as refresh_token; it renews itself "
                + "while it lives"
        }
        let kind =
            switch rules.refreshToken {
            case .rotating: "a new one with every refresh"
            case .fixed: "it stays the same"
            case .auto, .none, .accessToken: "it may change"
            }
        if rules.isRefreshTokenEndless { return "no end; \(kind)" }
        let life = rules.refreshTokenLifetime.map { life in
            let expiry =
                switch rules.refreshTokenExpiry {
                case .sliding?: " of disuse"
                case .fixed?, .inherited?: " from sign-in"
                case nil: ""
                }
            return life.shortText + expiry
        }
        return life.map { "\($0); \(kind)" } ?? kind
    }

    /// Other rules that decide how tokens behave.
    package var remarks: [String] {
        let rules = profile.lifecycle
        var remarks: [String] = []
        if let limit = rules.rateLimit {
            remarks.append("at most \(limit.count) requests in \(limit.period.shortText)")
        }
        if let window = rules.refreshWindow {
            remarks.append("a new token only in the last \(window.shortText) of the old one's life")
        }
        if rules.revokesPreviousAccessToken {
            let overlap = rules.overlap.map { " after \($0.shortText)" } ?? " at once"
            remarks.append("a refresh ends the previous access token\(overlap)")
        }
        if let grace = rules.reuseGrace {
            remarks.append("a lost answer can be asked for again within \(grace.shortText)")
        }
        if rules.burnedOnFailure { remarks.append("a failed refresh ends the refresh token") }
        return remarks
    }

    /// The sign-in URL, with variables as `${…}` unless they have a default.
    package var signIn: String? {
        rendered(profile.authorization?.url ?? profile.authorization?.deviceURL)
    }

    /// The device authorization endpoint (RFC 8628).
    package var deviceSignIn: String? { rendered(profile.authorization?.deviceURL) }

    /// The authorization server's issuer identifier (RFC 8414).
    package var issuer: String? { rendered(profile.authorization?.issuer) }

    /// Why `evertoken login` does not work with it; `nil` if it does.
    package var signInObstacle: String? {
        guard let obstacle = profile.signInObstacle, profile.authorization != nil else {
            return nil
        }
        return obstacle.text
    }

    func rendered(_ url: Template?) -> String? {
        guard let url else { return nil }
        var context = TemplateContext(nonce: .placeholder)
        for name in url.variables {
            let known = profile.variables[name]
            context.values[name] =
                known?.defaultValue ?? known?.example ?? .string("«\(name)»")
        }
        return url.text(in: context)
    }

    /// What the sign-in must ask for to yield a refresh token: its scope and other parameters.
    package var signInParameters: [(name: String, value: String)] {
        guard let authorization = profile.authorization else { return [] }
        let fixed = authorization.parameters.compactMap { part in
            part.value.constant.map { (part.name, $0) }
        }
        return [authorization.scope.map { ("scope", $0) }].compactMap { $0 } + fixed
    }

    /// A credential ready to paste: secrets come from files, required variables have examples.
    package func credential(named name: String) -> JSONNode {
        let file = { (what: String) -> JSONNode in
            ["file": .string("/etc/evertoken/\(name).\(what)")]
        }
        let keys = self.keys
        var members: [(String, JSONNode?)] = [("provider", .string(profile.name))]
        if keys.contains("client_id") {
            members.append(
                ("client_id", profile.variables["client_id"]?.example ?? "your-client-id"))
        }
        for key in ["client_secret", "refresh_token"] where keys.contains(key) {
            members.append((key, file(key)))
        }
        if keys.contains("scope") {
            members.append(("scope", profile.variables["scope"]?.example ?? "your-scope"))
        }
        let needed = profile.variables.filter { isNeeded($0.value) && $0.key != "scope" }
        let values = needed.sorted { $0.key < $1.key }.map { key, variable -> (String, JSONNode?) in
            if variable.isFromFile { return (key, .string("/etc/evertoken/\(name).\(key)")) }
            return (key, variable.isSecret ? file(key) : variable.example ?? .string("your-\(key)"))
        }
        if !values.isEmpty { members.append(("variables", .object(values))) }
        return .object(members)
    }
}

extension Duration {
    /// `90s`, `5m`, `12h`, `60d`: the notation of the configuration.
    package var shortText: String {
        let seconds = components.seconds
        if self != .seconds(seconds) { return "\(nanoseconds / 1_000_000)ms" }
        for (unit, length) in [("d", Int64(86_400)), ("h", 3600), ("m", 60)]
        where seconds >= length && seconds.isMultiple(of: length) {
            return "\(seconds / length)\(unit)"
        }
        return "\(seconds)s"
    }
}
