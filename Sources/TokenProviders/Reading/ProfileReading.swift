internal import TokenFormats

/// Reads a merged profile document into a ``ProviderProfile``, recording every mistake.
struct ProfileReading {
    let name: String
    let field: FieldReader
    /// Returns the merged JSON of a base or profile, for steps that extend one.
    let base: (_ name: String, _ place: FieldReader) -> JSONNode?
    /// Returns the built-in base at the end of a profile's `extends` chain.
    let rootOf: (_ name: String) -> String
    /// The built-in base of this profile; a credential's `grant_type` may have chosen it.
    let root: String

    func read() -> ProviderProfile? {
        guard let object = field.object() else { return nil }
        if let given = object.take("name")?.nonEmptyString("\"\(name)\""), given != name {
            object.take("name")?.mistake("is not \"\(name)\"", "leave it out: the key is the name")
        }
        _ = object.take("$schema")?.string("\"profile.schema.json\"")
        let docs = object.take("docs")?.string("\"https://provider.example/docs\"")
        let parent = object.take("extends")
        if parent?.string("\"refresh_token\"") != "none", field.node["steps"]?.offset ?? -1 >= 0,
            BuiltInProfiles.baseNames.contains(parent?.node.text ?? "")
        {
            parent?.mistake(
                "says nothing beside \"steps\"", "write \"extends\" in the step it is meant for")
        }
        let variables = readVariables(object.take("variables"))
        let signIn = object.take("authorization")
        let authorization = signIn.flatMap(AuthorizationReading.read)
        let errors = (object.take("errors")?.array() ?? []).compactMap(Self.errorRule)
        let lifecycle = object.take("lifecycle")?.object().map(LifecycleRules.init(reading:))
        let exchanges = ExchangeReading(
            profile: field, base: base, rootOf: rootOf, root: root,
            assertions: object.take("assertions"),
            isAccessTokenGrant: lifecycle?.refreshToken == .accessToken, errors: errors)
        let read = exchanges.read(
            request: object.take("request"), response: object.take("response"),
            steps: object.take("steps"), acquire: object.take("acquire"), signIn: signIn)
        object.finish()
        guard let read else { return nil }
        var contents = ProviderProfile.Contents(
            name: name, docs: docs, variables: variables, authorization: authorization,
            refresh: read.refresh, acquire: read.acquire, authorizationCode: read.code,
            deviceCode: read.device, exchangesCode: read.exchangesCode, errors: errors,
            lifecycle: lifecycle ?? LifecycleRules(),
            usesRefreshToken: read.refresh.contains(where: \.spendsGrant))
        contents.multilineNames = ProviderProfile(contents).namesOfKeys.union(
            variables.filter(\.value.isMultiline).keys)
        return ProviderProfile(contents)
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
            variable.isMultiline = object.take("multiline")?.bool() ?? false
            if let given = object.take("default") {
                if given.node.canonicalText == nil {
                    given.mistake("is \(given.node.typeName)", "write a text, number or boolean")
                }
                variable.defaultValue = given.node
            }
            variable.pattern = object.take("pattern")?.pattern()
            variable.description = object.take("description")?.nonEmptyString("\"the tenant\"")
            if let given = object.take("example") {
                if given.node.canonicalText == nil {
                    given.mistake("is \(given.node.typeName)", "write a text, number or boolean")
                }
                variable.example = given.node
            }
            object.finish()
            checkPattern(of: variable, in: value)
            variables[name] = variable
        }
        return variables
    }

    /// Default and example of a variable must match its own pattern.
    private func checkPattern(of variable: ProfileVariable, in field: FieldReader) {
        guard let pattern = variable.pattern else { return }
        for key in ["default", "example"] {
            guard let value = field.node[key], let text = value.canonicalText,
                !pattern.matchesWhole(text)
            else { continue }
            field.child(value, "." + key).mistake(
                "does not match \(pattern.text)", "correct it, or the pattern")
        }
    }

    static func errorRule(_ field: FieldReader) -> ErrorRule? {
        guard let object = field.object() else { return nil }
        let conditions = object.require("if", "[{\"status\": [429]}]")?.nonEmptyArray()?
            .compactMap { $0.condition() }
        let failureClass = object.require("class", "\"transient\"")?
            .choice(FailureClass.ofErrorRules.map { ($0.rawValue, $0) })
        let retryAfter = object.take("retry_after")?.expiry()
        _ = object.take("note")?.string("\"why\"")
        object.finish()
        guard let conditions, let failureClass else { return nil }
        return ErrorRule(
            conditions: conditions, failureClass: failureClass, retryAfter: retryAfter)
    }
}
