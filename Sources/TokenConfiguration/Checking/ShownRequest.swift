internal import TokenFormats
package import TokenProviders

/// The exact requests that a credential would send, secrets as `«secret»`, for `evertoken check
/// NAME --show-request`. Reads no secret and sends nothing.
package struct ShownRequests: Sendable {
    /// One request under its heading.
    package struct Part: Sendable, Equatable {
        package var heading: String
        package var text: String
        /// Parts that are omitted because a variable is unset.
        package var notes: [String]
        /// Why the request cannot be made.
        package var problem: String?
    }
    package let parts: [Part]

    /// Variables of the credential that no request names.
    package let unused: [String]

    package init(_ credential: CredentialConfiguration, nonce: RequestNonce) {
        let profile = credential.profile
        let start = profile.usesRefreshToken ? "with the refresh token" : "at every refresh"
        var parts = Self.parts(credential, .refresh, heading: start, nonce: nonce)
        if profile.acquire != nil {
            parts += Self.parts(
                credential, .acquire, heading: "without a refresh token", nonce: nonce)
        }
        self.parts = parts
        let used = profile.namedVariables
        unused = credential.variables.keys.filter {
            !used.contains($0) && profile.variables[$0] == nil
        }.sorted()
    }

    private static func parts(
        _ credential: CredentialConfiguration, _ kind: ExchangeKind, heading: String,
        nonce: RequestNonce
    ) -> [Part] {
        let exchanges = credential.profile.exchanges(kind)
        let mask = RequestMask()
        return exchanges.enumerated().map { index, exchange in
            let context = context(credential, kind, mask: mask, nonce: nonce)
            var title = heading
            if exchanges.count > 1 {
                title += ", step \(index + 1) of \(exchanges.count): \(exchange.id)"
            }
            do throws(RequestError) {
                let text = try text(of: exchange.request, in: context)
                return Part(
                    heading: title, text: mask.shown(text),
                    notes: omissions(in: exchange.request, context))
            } catch {
                let problem = "cannot be made: \(error.text)"
                return Part(heading: title, text: problem, notes: [], problem: problem)
            }
        }
    }

    private static func context(
        _ credential: CredentialConfiguration, _ kind: ExchangeKind, mask: RequestMask,
        nonce: RequestNonce
    ) -> TemplateContext {
        var values = CredentialValues(scope: credential.scope)
        for (name, source) in credential.variables {
            let variable = credential.profile.variables[name] ?? ProfileVariable()
            switch source {
            case _ where variable.isSecret: values.variables[name] = .string(mask.secret)
            case .literal(let node) where !variable.isFromFile: values.variables[name] = node
            // Not secret, but unknown without reading the source.
            case .literal, .secret: values.variables[name] = .string(mask.name(name))
            }
        }
        for (name, variable) in credential.profile.variables
        where variable.isSecret && variable.defaultValue != nil {
            values.variables[name] = .string(mask.secret)
        }
        values.clientID = credential.clientID.map { source in
            if case .inline(let id) = source { id.reveal() } else { mask.name("client_id") }
        }
        values.clientSecret = credential.clientSecret.map { _ in mask.secret }
        let grant = GrantValues(
            kind: kind, refreshToken: Secret(mask.secret), accessToken: Secret(mask.secret))
        var context = TemplateContext(
            values, profile: credential.profile, grant: grant, nonce: nonce)
        context.mask = mask
        for exchange in credential.profile.exchanges(kind) {
            let prefix = "steps.\(exchange.id)."
            for name in ["access_token", "refresh_token"] {
                context.values[prefix + name] = .string(mask.secret)
            }
            for name in ["token_type", "scope"] + exchange.response.keep.map(\.name) {
                context.values[prefix + name] = .string(mask.name(prefix + name))
            }
        }
        return context
    }

    /// Variables of the daemon itself, such as a scope, are omitted on purpose and not noted.
    private static func omissions(
        in request: RequestSpecification, _ context: TemplateContext
    ) -> [String] {
        (request.parameters + request.query + request.headers).compactMap { part in
            guard part.value.value(in: context) == nil else { return nil }
            let unset = part.value.variables.filter { name in
                context.values[name] == nil && ContextVariable(rawValue: name) == nil
                    && !name.hasPrefix("assertions.")
            }
            guard !unset.isEmpty else { return nil }
            return "left out: \(part.name) (\(unset.sorted().joined(separator: ", ")) is not set)"
        }
    }

    private static func text(
        of request: RequestSpecification, in context: TemplateContext
    ) throws(RequestError) -> String {
        let rendered = try request.render(in: context)
        var lines = ["\(rendered.method) \(rendered.url)"]
        lines += rendered.headers.map { "\($0.name): \($0.value)" }
        if let body = rendered.body {
            lines += ["", String(decoding: body, as: UTF8.self)]
        }
        var inside = context
        inside.set(.tokenEndpoint, String(rendered.url.prefix { $0 != "?" }))
        for (name, assertion) in request.assertions.sorted(by: { $0.key < $1.key }) {
            let content = assertion.content(
                in: inside, algorithm: assertion.algorithm ?? .rs256)
            var header = content.header
            if assertion.algorithm == nil {
                header = mergePatch(header, ["alg": "«what fits the key»"])
            }
            let shown = { (node: JSONNode) in String(decoding: node.serialized(), as: UTF8.self) }
            lines += ["", "assertion \(name)", "  \(shown(header))", "  \(shown(content.claims))"]
        }
        if rendered.certificate != nil {
            lines += ["", "over TLS with a client certificate"]
        }
        return lines.joined(separator: "\n")
    }
}
