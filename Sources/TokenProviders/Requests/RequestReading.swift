internal import TokenFormats

/// Reads a profile's `request`.
struct RequestReading {
    let object: ObjectReader

    func read() -> RequestSpecification? {
        let url = object.require("url", "\"https://id.example/oauth2/token\"")?.template()
        let method = object.take("method")?
            .choice(["POST", "GET", "PUT", "PATCH"].map { ($0, $0) })
        let authentication = object.take("client_auth")?
            .choice(ClientAuthentication.allCases.map { ($0.rawValue, $0) })
        let encoding = object.take("encoding")?
            .choice(RequestSpecification.Encoding.allCases.map { ($0.rawValue, $0) })
        var names: [String: String] = [:]
        for (name, _, value) in object.take("param_names")?.object()?.takeAll() ?? [] {
            names[name] = value.nonEmptyString("\"clientId\"")
        }
        let parameters = object.take("params")?.namedTemplates() ?? []
        let query = readQuery(object.take("query"))
        let headers = readHeaders(object.take("headers"))
        let tls = readTLS(object.take("tls"))
        checkTLS(object.field.node["tls"], authentication)
        let proxy = object.take("proxy")?.proxyChoice()
        object.finish()
        checkNesting(object.field.node["params"], encoding)
        if method == "GET", encoding == .form || encoding == .json {
            object.field.mistake(
                "a GET has no body to encode", "write \"encoding\": \"query\"")
        }
        guard let url else { return nil }
        return RequestSpecification(
            method: method ?? "POST", url: url, clientAuthentication: authentication ?? .post,
            encoding: encoding ?? .form, parameterNames: names, parameters: parameters,
            query: query, headers: headers, certificate: tls.certificate,
            privateKey: tls.privateKey, caFile: tls.caFile, proxy: proxy)
    }

    /// Only JSON can nest; in a form an array is a repeated parameter.
    private func checkNesting(
        _ parameters: JSONNode?, _ encoding: RequestSpecification.Encoding?
    ) {
        guard encoding != .json else { return }
        for member in parameters?.members ?? [] {
            let field = object.field.child(member.value, ".params." + member.key)
            guard let nested = field.nested else { continue }
            nested.mistake(
                "is \(nested.node.typeName)",
                "write \"encoding\": \"json\", or a plain value")
        }
    }

    private struct TLS {
        var certificate: Template?
        var privateKey: Template?
        var caFile: String?
    }

    private func readTLS(_ field: FieldReader?) -> TLS {
        guard let tls = field?.object() else { return TLS() }
        let read = TLS(
            certificate: tls.take("certificate")?
                .nonEmptyTemplate("\"/etc/evertoken/client.crt\""),
            privateKey: tls.take("private_key")?
                .nonEmptyTemplate("\"/etc/evertoken/client.key\""),
            caFile: tls.take("ca_file")?.path("/etc/evertoken/ca.pem"))
        tls.finish()
        return read
    }

    private func checkTLS(_ tls: JSONNode?, _ authentication: ClientAuthentication?) {
        let given = ["certificate", "private_key"].count { tls?[$0] != nil }
        if given == 1 || (given == 0 && authentication == .tls) {
            object.field.mistake(
                "a client certificate needs both \"certificate\" and \"private_key\"",
                "write \"tls\": {\"certificate\": \"/etc/evertoken/client.crt\", "
                    + "\"private_key\": \"/etc/evertoken/client.key\"}")
        }
    }

    /// Query parameters cannot nest, whatever the body's encoding.
    private func readQuery(_ field: FieldReader?) -> [NamedTemplate] {
        (field?.object()?.takeAll() ?? []).compactMap { name, _, value in
            if let nested = value.nested ?? (value.node.isNull ? value : nil) {
                nested.mistake("is \(nested.node.typeName)", "write a text, number or boolean")
                return nil
            }
            return value.templatedValue().map { NamedTemplate(name: name, value: $0) }
        }
    }

    private func readHeaders(_ field: FieldReader?) -> [NamedTemplate] {
        (field?.object()?.takeAll() ?? []).compactMap { name, key, value in
            guard !name.isEmpty, name.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != 0x3A })
            else {
                key.mistake("is not a header name", "use letters, digits and '-'")
                return nil
            }
            return value.template().map { template in
                if template.literalText.contains(where: \.isNewline) {
                    value.mistake("holds a line break", "write the header's value alone")
                }
                return NamedTemplate(name: name, value: .template(template))
            }
        }
    }
}

extension FieldReader {
    /// The part that a form or query cannot express: an object, or a nested value in an array.
    fileprivate var nested: FieldReader? {
        if node.members != nil { return self }
        for (index, element) in (node.elements ?? []).enumerated()
        where element.members != nil || element.elements != nil {
            return child(element, "[\(index)]")
        }
        return nil
    }

    /// An object with a template for each name.
    func namedTemplates() -> [NamedTemplate] {
        (object()?.takeAll() ?? []).compactMap { name, _, value in
            value.templatedValue().map { NamedTemplate(name: name, value: $0) }
        }
    }

    func templatedValue() -> TemplatedValue? {
        switch node.kind {
        case .string: return template().map(TemplatedValue.template)
        case .null, .bool, .number: return .literal(node)
        case .array(let elements):
            return .array(
                elements.enumerated().compactMap { child($1, "[\($0)]").templatedValue() })
        case .object(let members):
            return .object(
                members.compactMap { member in
                    child(member.value, "." + member.key).templatedValue().map {
                        TemplatedMember(key: member.key, value: $0)
                    }
                })
        }
    }

    func pattern() -> Pattern? {
        guard let text = string("\"^[a-z]+$\"") else { return nil }
        guard let pattern = Pattern(text) else {
            mistake(
                "is not a supported pattern",
                "write it with . [a-z] \\d \\w \\s ( ) | * + ? {2,5} ^ $, and (?i) in front")
            return nil
        }
        return pattern
    }

    /// `10/10m`: ten requests in ten minutes; `120/m` is 120 in one.
    func rateLimit() -> RateLimit? {
        let parts = node.text?.split(separator: "/", omittingEmptySubsequences: false) ?? []
        guard parts.count == 2, let count = Int(parts[0]), count > 0, let unit = parts[1].last,
            let period = parseDuration(parts[1].count == 1 ? "1\(unit)" : String(parts[1])),
            period > .zero, "smhd".contains(unit), !parts[1].hasSuffix("ms")
        else { return wrongType("a count and a time, such as \"10/10m\"") }
        return RateLimit(count: count, period: period)
    }
}
