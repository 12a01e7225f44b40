internal import TokenFormats

/// Reads a profile's `authorization`.
enum AuthorizationReading {
    static func read(_ field: FieldReader) -> AuthorizationSpecification? {
        guard let object = field.object() else { return nil }
        var read = AuthorizationSpecification()
        read.url = object.take("url")?.endpointTemplate()
        read.deviceURL = object.take("device_url")?.endpointTemplate()
        read.issuer = object.take("issuer")?.endpointTemplate()
        read.scope = object.take("scope")?.nonEmptyString("\"offline_access\"")
        read.scopeSeparator =
            object.take("scope_separator")?.nonEmptyString("\",\"") ?? read.scopeSeparator
        read.parameters = object.take("params")?.namedTemplates() ?? []
        for (name, _, value) in object.take("param_names")?.object()?.takeAll() ?? [] {
            read.parameterNames[name] = value.nonEmptyString("\"appid\"")
        }
        read.acceptsPKCE = object.take("pkce")?.bool() ?? true
        // Merge patches over the exchange of the code; they are read together with it.
        _ = object.take("request")?.object()
        _ = object.take("response")?.object()
        object.finish()
        if ["url", "device_url", "issuer"].allSatisfy({ field.node[$0] == nil }) {
            field.mistake(
                "has no \"url\"",
                "add the authorization endpoint, \"device_url\" for the device flow, or the "
                    + "\"issuer\" whose metadata tell both")
        }
        return read
    }
}

extension FieldReader {
    /// A URL whose scheme is a literal or comes from a variable.
    fileprivate func endpointTemplate() -> Template? {
        let example = "\"https://id.example/authorize\""
        guard let text = nonEmptyString(example) else { return nil }
        guard ["https://", "http://", "${"].contains(where: text.hasPrefix) else {
            return wrongType("an https URL, such as \(example)")
        }
        return template()
    }
}
