package import TokenFormats

/// A request ready to send, without its transport settings.
package struct RenderedRequest: Sendable, Equatable {
    /// The HTTP method.
    package var method: String
    /// With its query; the host has been checked.
    package var url: String
    /// All headers except those that the transport adds, such as `Host`.
    package var headers: [HeaderField]
    /// `nil` for a request without one.
    package var body: [UInt8]?
    /// For TLS client authentication.
    package var certificate: ClientCertificate?

    /// A request without a client certificate.
    package init(method: String, url: String, headers: [HeaderField], body: [UInt8]?) {
        (self.method, self.url, self.headers, self.body) = (method, url, headers, body)
    }
}

/// A certificate and its private key, each a path or the PEM text itself.
package struct ClientCertificate: Sendable, Equatable {
    /// The certificate: a path, or the PEM text.
    package var certificate: Secret
    /// Its key, likewise.
    package var privateKey: Secret
}

/// One header field (RFC 9110 section 5).
package struct HeaderField: Sendable, Equatable {
    /// Compared without regard to case.
    package var name: String
    /// Without white space around it.
    package var value: String

    /// A field of this name and value.
    package init(_ name: String, _ value: String) { (self.name, self.value) = (name, value) }
}

extension RequestSpecification {
    /// The request for these values.
    ///
    /// - Throws: ``RequestError`` when the URL cannot be formed or is not allowed, or a key or a
    ///   header cannot be used.
    package func render(in context: TemplateContext) throws(RequestError) -> RenderedRequest {
        var context = context
        var target = try checkedURL(in: context)
        context.set(.tokenEndpoint, String(target.prefix { $0 != "?" }))
        try checkFunctions(in: context)
        try sign(in: &context)
        let parameters = try self.parameters(in: context)
        var queryPairs = try flattened(
            query.compactMap { part in part.value.value(in: context).map { (part.name, $0) } })
        var headers = headerFields(in: context)
        var body: [UInt8]?
        switch encoding {
        case .form:
            body = Array(formText(try flattened(parameters)).utf8)
            addContentType("application/x-www-form-urlencoded", to: &headers)
        case .json:
            body = JSONNode.object(parameters.map { ($0.0, $0.1) }).serialized()
            addContentType("application/json", to: &headers)
        case .query: queryPairs += try flattened(parameters)
        case .none: break
        }
        if !queryPairs.isEmpty {
            target += (target.contains("?") ? "&" : "?")
            target += queryPairs.map { "\(percentEncoded($0))=\(percentEncoded($1))" }
                .joined(separator: "&")
        }
        if let basic = try basicCredentials(in: context) {
            headers.removeAll { $0.name.lowercased() == "authorization" }
            headers.append(HeaderField("Authorization", "Basic " + basic))
        }
        for header in headers where !header.value.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }) {
            throw RequestError(
                problem: "header \(header.name) would hold a byte that no header may hold",
                remedy: "check the variables it is made of")
        }
        var request = RenderedRequest(
            method: method, url: target, headers: headers, body: body)
        request.certificate = try clientCertificate(in: context)
        return request
    }

    /// Adds the header unless the profile sets its own.
    private func addContentType(_ type: String, to headers: inout [HeaderField]) {
        if headers.contains(where: { $0.name.lowercased() == "content-type" }) { return }
        headers.append(HeaderField("Content-Type", type))
    }

    private func headerFields(in context: TemplateContext) -> [HeaderField] {
        var fields: [HeaderField] = []
        for part in headers {
            guard let value = part.value.value(in: context)?.canonicalText else { continue }
            fields.append(HeaderField(part.name, value))
        }
        return fields
    }

    /// The parameters of the grant and of the client, under their names on the wire.
    private func parameters(
        in context: TemplateContext
    ) throws(RequestError) -> [(String, JSONNode)] {
        var named: [(String, JSONNode)] = []
        for part in parameters {
            guard let value = part.value.value(in: context) else { continue }
            named.append((part.name, value))
        }
        let client = clientParameters(in: context)
            .filter { added in !named.contains { $0.0 == added.0 } }
        named.insert(contentsOf: client, at: named.first?.0 == "grant_type" ? 1 : 0)
        return named.map { (parameterNames[$0.0] ?? $0.0, $0.1) }
    }

    private func clientParameters(in context: TemplateContext) -> [(String, JSONNode)] {
        let value = { (variable: ContextVariable) in
            context.values[variable.rawValue].map { (variable.rawValue, $0) }
        }
        switch clientAuthentication {
        case .basic, .basicRaw: return []
        // A public client identifies itself by client_id (RFC 6749 section 3.2.1).
        case .none: return sendsPublicClientID ? [value(.clientID)].compactMap { $0 } : []
        case .post: return [value(.clientID), value(.clientSecret)].compactMap { $0 }
        // RFC 8705 section 2.
        case .tls: return [value(.clientID)].compactMap { $0 }
        case .secretJWT, .privateKeyJWT:
            // RFC 7523 section 2.2.
            let type = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
            let assertion = context.values["assertions.client"].map { ("client_assertion", $0) }
            return [("client_assertion_type", .string(type)), assertion].compactMap { $0 }
        }
    }

    var sendsPublicClientID: Bool {
        clientAuthentication == .none && !sendsListedParametersOnly
            && !parameters.contains { $0.value.variables.contains("client_id") }
    }

    private func flattened(
        _ values: [(String, JSONNode)]
    ) throws(RequestError) -> [(String, String)] {
        var pairs: [(String, String)] = []
        for (name, value) in values {
            // A parameter may be repeated (RFC 8707 section 2).
            for part in value.elements ?? [value] where !part.isNull {
                guard let text = part.canonicalText else {
                    throw RequestError(
                        problem: "parameter \"\(name)\" is \(part.typeName)",
                        remedy: "use \"encoding\": \"json\" for nested parameters")
                }
                pairs.append((name, text))
            }
        }
        return pairs
    }

    private func formText(_ pairs: [(String, String)]) -> String {
        pairs.map { "\(formEncoded($0))=\(formEncoded($1))" }.joined(separator: "&")
    }

    private func basicCredentials(in context: TemplateContext) throws(RequestError) -> String? {
        guard clientAuthentication.isBasic else { return nil }
        guard let id = context.values["client_id"]?.canonicalText,
            let secret = context.values["client_secret"]?.canonicalText
        else {
            throw RequestError(
                problem: "Basic authentication needs client_id and client_secret",
                remedy: "set both in the credential")
        }
        if let mask = context.mask { return mask.secret }
        let pair =
            clientAuthentication == .basicRaw
            ? "\(id):\(secret)" : "\(formEncoded(id)):\(formEncoded(secret))"
        return base64(Array(pair.utf8))
    }

    private func checkFunctions(in context: TemplateContext) throws(RequestError) {
        let parts =
            parameters + query + headers + assertions.values.flatMap { $0.header + $0.claims }
        let templates = parts.flatMap(\.value.templates) + [url]
        for template in templates + [certificate, privateKey].compactMap({ $0 }) {
            guard let failed = template.failure(in: context) else { continue }
            let function = failed.function
            if let mistake = function.signingMistake(failed.arguments) { throw mistake }
            let names = template.variables.sorted().joined(separator: ", ")
            throw RequestError(
                problem: "\(function.rawValue)() cannot take the value of \(names)",
                remedy: function == .int ? "write a whole number" : function.usage)
        }
    }

    /// Adds each assertion, signed, as `assertions.NAME`.
    private func sign(in context: inout TemplateContext) throws(RequestError) {
        for (name, assertion) in assertions.sorted(by: { $0.key < $1.key }) {
            if let mask = context.mask {
                context.values["assertions.\(name)"] = .string(mask.secret)
            } else {
                let text = try assertion.signed(in: context, name: name)
                context.values["assertions.\(name)"] = .string(text)
            }
        }
    }

    private func clientCertificate(
        in context: TemplateContext
    ) throws(RequestError) -> ClientCertificate? {
        guard let certificate, let privateKey else { return nil }
        guard let certificate = certificate.text(in: context),
            let key = privateKey.text(in: context)
        else {
            let names = certificate.variables.union(privateKey.variables)
                .filter { context.values[$0] == nil }
            throw RequestError(
                problem: "the client certificate needs \(names.sorted().joined(separator: ", "))",
                remedy: "set it under \"variables\"")
        }
        return ClientCertificate(certificate: Secret(certificate), privateKey: Secret(key))
    }
}
