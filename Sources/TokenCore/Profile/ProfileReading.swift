/// Reads a merged profile document into a ``ProviderProfile``, recording every mistake.
struct ProfileReading {
    let name: String
    /// The built-in base at the bottom of the chain.
    let base: String
    let field: FieldReader

    func read() -> ProviderProfile? {
        guard let object = field.object() else { return nil }
        if let given = object.take("name")?.nonEmptyString("\"\(name)\""), given != name {
            object.take("name")?.mistake("is not \"\(name)\"", "leave it out: the key is the name")
        }
        _ = object.take("$schema")?.string("\"profile.schema.json\"")
        let docs = object.take("docs")?.string("\"https://provider.example/docs\"")
        _ = object.take("extends")?.string("\"refresh_token\"")
        let variables = readVariables(object.take("variables"))
        let request = object.take("request")
        let response = object.take("response")
        let refresh = readExchange(request: request, response: response)
        let acquire = readAcquire(object.take("acquire"), request: request, response: response)
        let code = derived(
            "authorization_code", patch: nil, at: nil, request: request, response: response)
        let errors = (object.take("errors")?.array() ?? []).compactMap(Self.errorRule)
        let lifecycle = object.take("lifecycle")?.object().map(readLifecycle)
        object.finish()
        guard let refresh, let code else { return nil }
        let usesRefreshToken =
            refresh.request.variables.contains(ContextVariable.refreshToken.rawValue)
        return ProviderProfile(
            name: name, docs: docs, variables: variables, refresh: refresh, acquire: acquire,
            authorizationCode: code, errors: errors, lifecycle: lifecycle ?? LifecycleRules(),
            usesRefreshToken: usesRefreshToken)
    }

    private func readExchange(request: FieldReader?, response: FieldReader?) -> TokenExchange? {
        let requestRead: RequestSpecification?
        if let object = request?.object() {
            requestRead = RequestReading(object: object).read()
        } else {
            if request == nil { field.mistake("\"request\" is missing", "add its \"url\"") }
            requestRead = nil
        }
        let responseRead = response?.object().flatMap { ResponseSpecificationReading($0).read() }
        guard let requestRead, let responseRead else { return nil }
        return TokenExchange(request: requestRead, response: responseRead)
    }

    /// A merge patch over the profile's own exchange whose parameters start from another base.
    private func readAcquire(
        _ acquire: FieldReader?, request: FieldReader?, response: FieldReader?
    ) -> TokenExchange? {
        guard let acquire, let object = acquire.object() else { return nil }
        let base = object.take("extends")?.choice([
            ("client_credentials", "client_credentials"), ("none", "none"),
        ])
        _ = object.take("request")?.object()
        _ = object.take("response")?.object()
        object.finish()
        return derived(
            base ?? "client_credentials", patch: acquire.node, at: acquire, request: request,
            response: response)
    }

    private func derived(
        _ base: String, patch: JSONNode?, at place: FieldReader?, request: FieldReader?,
        response: FieldReader?
    ) -> TokenExchange? {
        guard let request, let response, let parameters = BuiltInProfiles.parameters(ofBase: base)
        else { return nil }
        var own = request.node.members ?? []
        own.removeAll { $0.key == "params" }
        own.append(JSONMember("params", parameters, keyOffset: -1))
        let emptyPatch = JSONNode(.object([]), offset: -1)
        let requestNode = mergePatch(
            JSONNode(.object(own), offset: request.node.offset), patch?["request"] ?? emptyPatch)
        let responseNode = mergePatch(response.node, patch?["response"] ?? emptyPatch)
        // The profile's own mistakes were recorded when its own exchange was read: a second reading
        // only speaks of what the patch adds.
        let document =
            place?.document ?? ConfigurationDocument(file: "", bytes: [])
        let path = (place ?? field).path
        return ProfileReading(
            name: name, base: base,
            field: FieldReader(
                emptyPatch, path: path, fallbackOffset: (place ?? field).fallbackOffset,
                document: document)
        ).readExchange(
            request: FieldReader(
                requestNode, path: path + ".request",
                fallbackOffset: (place ?? request).fallbackOffset, document: document),
            response: FieldReader(
                responseNode, path: path + ".response",
                fallbackOffset: (place ?? response).fallbackOffset, document: document))
    }

    private func readVariables(_ field: FieldReader?) -> [String: ProfileVariable] {
        var variables: [String: ProfileVariable] = [:]
        for (name, key, value) in field?.object()?.takeAll() ?? [] {
            guard let object = value.object() else { continue }
            key.requireIdentifier(name)
            var variable = ProfileVariable()
            variable.isRequired = object.take("required")?.bool() ?? false
            variable.isSecret = object.take("secret")?.bool() ?? false
            variable.isFromFile = object.take("from_file")?.bool() ?? false
            if let given = object.take("default") {
                if given.node.canonicalText == nil {
                    given.mistake("is \(given.node.typeName)", "write a text, number or boolean")
                }
                variable.defaultValue = given.node
            }
            variable.pattern = object.take("pattern")?.pattern()?.text
            object.finish()
            variables[name] = variable
        }
        return variables
    }

    static func errorRule(_ field: FieldReader) -> ErrorRule? {
        guard let object = field.object() else { return nil }
        let conditions = object.require("if", "[{\"status\": [429]}]")?.nonEmptyArray()?
            .compactMap { $0.condition() }
        let classes: [FailureClass] = [
            .reauth, .config, .transient, .rateLimited, .tooEarly, .reacquire,
        ]
        let failureClass = object.require("class", "\"transient\"")?
            .choice(classes.map { ($0.rawValue, $0) })
        let retryAfter = object.take("retry_after")?.expiry()
        _ = object.take("note")?.string("\"why\"")
        object.finish()
        guard let conditions, let failureClass else { return nil }
        return ErrorRule(
            conditions: conditions, failureClass: failureClass, retryAfter: retryAfter)
    }

    private func readLifecycle(_ object: ObjectReader) -> LifecycleRules {
        var rules = LifecycleRules()
        rules.refreshToken =
            object.take("refresh_token")?
            .choice(LifecycleRules.RefreshTokenKind.allCases.map { ($0.rawValue, $0) }) ?? .auto
        rules.reuseGrace = object.take("reuse_grace")?.duration()
        rules.burnedOnFailure = object.take("burned_on_failure")?.bool() ?? false
        rules.revokesPreviousAccessToken =
            object.take("revokes_previous_access_token")?.bool() ?? false
        rules.overlap = object.take("overlap")?.duration()
        rules.refreshWindow = object.take("refresh_window")?.duration()
        rules.sameTokenIsFine = object.take("same_token_ok")?.bool() ?? false
        rules.minInterval = object.take("min_interval")?.duration()
        rules.maxInterval = object.take("max_interval")?.duration()
        rules.minAge = object.take("min_age")?.duration()
        rules.rateLimit = object.take("rate_limit")?.rateLimit()
        rules.rateLimitKey =
            object.take("rate_limit_key")?
            .choice(LifecycleRules.RateLimitKey.allCases.map { ($0.rawValue, $0) })
            ?? .refreshToken
        if let field = object.take("refresh_token_lifetime"), field.node.text != "never" {
            rules.refreshTokenLifetime = field.duration()
        }
        rules.refreshTokenExpiry = object.take("refresh_token_expiry")?
            .choice(LifecycleRules.RefreshTokenExpiry.allCases.map { ($0.rawValue, $0) })
        rules.mustRefreshBeforeExpiry =
            object.take("must_refresh_before_expiry")?.bool() ?? false
        object.finish()
        return rules
    }
}

extension RequestSpecification {
    /// Every variable the request names.
    var variables: Set<String> {
        (parameters + query + headers).reduce(into: url.variables) {
            $0.formUnion($1.value.variables)
        }
    }
}
