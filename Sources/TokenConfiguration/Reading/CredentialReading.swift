internal import TokenFormats
internal import TokenProviders

/// The settings that `defaults` gives every credential.
struct CredentialDefaults {
    var refresh = RefreshPolicy()
    var mode: UInt32 = 0o640
    var owner: String?
    var group: String?
    var removeOnExpiry = false
    var isWrittenInPlace = false

    init() {}

    init(reading object: ObjectReader) {
        if let field = object.take("refresh")?.object() { refresh.read(field) }
        if let output = object.take("output")?.object() {
            mode = output.take("mode")?.fileMode() ?? mode
            owner = output.take("owner")?.nonEmptyString("\"crm\"")
            group = output.take("group")?.nonEmptyString("\"crm\"")
            removeOnExpiry = output.take("on_expiry")?.choice(onExpiryChoices) ?? false
            isWrittenInPlace = output.take("write")?.choice(writeChoices) ?? false
            var every = OutputSpecification(path: "", format: .raw)
            (every.mode, every.removeOnExpiry) = (mode, removeOnExpiry)
            every.isWrittenInPlace = isWrittenInPlace
            output.field.requireKept(every)
            output.finish()
        }
        object.finish()
    }
}

private let onExpiryChoices = [("keep", false), ("remove", true)]
private let formatChoices =
    (OutputSpecification.Format.named.map(\.name) + ["template"]).map { ($0, $0) }
private let writeChoices = [("replace", false), ("in-place", true)]

extension RefreshPolicy {
    mutating func read(_ object: ObjectReader) {
        at = object.take("at")?.fraction() ?? at
        margin = object.take("margin")?.duration() ?? margin
        jitter = object.take("jitter")?.fraction() ?? jitter
        timeout = object.take("timeout")?.duration() ?? timeout
        connectTimeout = object.take("connect_timeout")?.duration() ?? connectTimeout
        minInterval = object.take("min_interval")?.duration() ?? minInterval
        if let retry = object.take("retry")?.object() {
            retryInitial = retry.take("initial")?.duration() ?? retryInitial
            retryMaximum = retry.take("max")?.duration() ?? retryMaximum
            retry.finish()
        }
        object.finish()
    }
}

/// Reads one entry of `credentials`.
struct CredentialReading {
    let name: String
    let field: FieldReader
    let defaults: CredentialDefaults
    let claims: UnitClaims
    let needs: SharedNeeds

    func read(profiles: ProfileCatalogue) -> CredentialConfiguration? {
        guard let object = field.object() else { return nil }
        let grantType = object.take("grant_type")?.choice([
            ("refresh_token", "refresh_token"), ("client_credentials", "client_credentials"),
            ("none", "none"),
        ])
        let profile = object.require("provider", "\"xee\"")
            .flatMap { provider in
                provider.nonEmptyString("\"xee\"").flatMap {
                    profiles.profile(named: $0, root: grantType, usedBy: provider)
                }
            }
        let clientID = object.take("client_id")?.secret()
        let clientSecret = object.take("client_secret")?.secret()
        let refreshToken = object.take("refresh_token")?.secret()
        let scope = object.take("scope")?.string("\"read write\"")
        let variables = readVariables(object.take("variables"))
        var refresh = defaults.refresh
        if let given = object.take("refresh")?.object() { refresh.read(given) }
        let outputs = readOutputs(object.take("outputs"), profile: profile)
        let units = readUnits(object.take("units"))
        let hooks = (object.take("on_change")?.array() ?? []).compactMap(readHook)
        var proxy = ProxyRoute()
        proxy.own = object.take("proxy")?.proxyChoice()
        proxy.exceptions = object.take("no_proxy")?.proxyExceptions() ?? []
        object.finish()
        guard let profile else { return nil }
        let credential = CredentialConfiguration(
            name: name, profile: profile, clientID: clientID, clientSecret: clientSecret,
            refreshToken: refreshToken, scope: scope, variables: variables, refresh: refresh,
            outputs: outputs, units: units, hooks: hooks, proxy: proxy)
        let needs = needs.of(profile, grantType: grantType)
        CredentialChecks(credential: credential, needs: needs, field: field).run()
        return credential
    }

    private func readVariables(_ field: FieldReader?) -> [String: VariableSource] {
        var variables: [String: VariableSource] = [:]
        for (name, key, value) in field?.object()?.takeAll() ?? [] {
            // Some providers want the app's redirect URI at every refresh.
            if let own = ContextVariable(rawValue: name), own != .redirectURI {
                key.mistake("is set by the daemon itself", "use the credential's own key")
            }
            key.requireIdentifier(name)
            switch value.node.kind {
            case .string, .number, .bool: variables[name] = .literal(value.node)
            case .object: variables[name] = value.secret().map(VariableSource.secret)
            case .null, .array:
                value.mistake(
                    "is \(value.node.typeName)", "write a text, a number or a secret's place")
            }
        }
        return variables
    }

    private func readOutputs(
        _ field: FieldReader?, profile: ProviderProfile?
    ) -> [OutputSpecification] {
        guard let field else {
            return [("token", OutputSpecification.Format.raw), ("token.json", .json)]
                .map { withDefaults(OutputSpecification(path: "\(name)/\($0.0)", format: $0.1)) }
        }
        return (field.nonEmptyArray() ?? []).compactMap { readOutput($0, profile: profile) }
    }

    private func withDefaults(_ output: OutputSpecification) -> OutputSpecification {
        var output = output
        (output.owner, output.group, output.mode) = (defaults.owner, defaults.group, defaults.mode)
        output.removeOnExpiry = defaults.removeOnExpiry
        output.isWrittenInPlace = defaults.isWrittenInPlace
        return output
    }

    private func readOutput(
        _ field: FieldReader, profile: ProviderProfile?
    ) -> OutputSpecification? {
        guard let object = field.object() else { return nil }
        let path = object.require("path", "\"\(name)/token\"")?.outputPath()
        let template = object.take("template")
        let named = OutputSpecification.Format.named
        let format = object.take("format")?.choice(formatChoices)
        var output = withDefaults(OutputSpecification(path: path ?? "", format: .raw))
        if let known = named.first(where: { $0.name == format }) { output.format = known.format }
        if format == "template" {
            if let field = template, let template = field.template() {
                output.format = .template(template)
                if let profile { field.requireKnown(template, of: profile) }
            } else if object.field.node["template"] == nil {
                field.mistake("\"template\" is missing", "add \"template\": \"${access_token}\"")
            }
        }
        if let template, format != "template" {
            template.mistake("is only for format template", "add \"format\": \"template\"")
        }
        output.owner = object.take("owner")?.accountName() ?? output.owner
        output.group = object.take("group")?.accountName() ?? output.group
        output.mode = object.take("mode")?.fileMode() ?? output.mode
        output.removeOnExpiry =
            object.take("on_expiry")?.choice(onExpiryChoices) ?? output.removeOnExpiry
        output.isWrittenInPlace =
            object.take("write")?.choice(writeChoices) ?? output.isWrittenInPlace
        field.requireKept(output)
        object.finish()
        return path == nil ? nil : output
    }

    private func readHook(_ field: FieldReader) -> HookSpecification? {
        guard let object = field.object() else { return nil }
        let arguments = object.require("exec", "[\"/usr/bin/logger\", \"changed\"]")?.arguments()
        let timeout = object.take("timeout")?.duration() ?? .seconds(10)
        object.finish()
        return arguments.map { HookSpecification(arguments: $0, timeout: timeout) }
    }
}

extension FieldReader {
    /// An output with a variable that no token has could never be written.
    func requireKnown(_ template: Template, of profile: ProviderProfile) {
        let own: [ContextVariable] = [.accessToken, .tokenType, .expiresAt, .scope]
        let kept = profile.renewals.flatMap { $0.response.keep.map { "keep." + $0.name } }
        let known = Set(own.map(\.rawValue) + kept)
        for name in template.variables.subtracting(known).sorted() {
            let near = nearest(name, among: known.sorted())
            mistake(
                "names ${\(name)}, which no token has",
                near.map { "write ${\($0)}" }
                    ?? "use one of \(known.sorted().joined(separator: ", "))")
        }
    }
}
