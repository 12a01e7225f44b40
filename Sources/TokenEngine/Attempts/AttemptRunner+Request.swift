internal import TokenConfiguration
internal import TokenFormats
internal import TokenProviders
internal import TokenSlots

// Builds the request from a record: secrets are read now, at every use.
extension AttemptRunner {
    func initialToken(
        of credential: CredentialConfiguration, mayMiss: Bool
    ) async throws(Refusal) -> InitialToken? {
        guard let source = credential.refreshToken else { return nil }
        do throws(Cause) {
            return InitialToken(try await world.secrets.read(source, as: .line))
        } catch {
            // With a token in the state the initial token is no longer needed; its file may be
            // deleted.
            if mayMiss { return nil }
            throw Refusal(.config, error)
        }
    }

    /// A request, its target, and the filter for its response.
    struct PreparedRequest {
        var wire: WireRequest
        /// Where a resulting refresh token is valid.
        var place: GrantBinding?
        /// For text of the peer: all secrets are known here.
        var filter: PeerFilter
        var headersOfInterest: HeadersOfInterest
        var path: String { EndpointURL.path(of: wire.request.url) }
    }

    /// - Parameter planned: The plan chose the token for this place, not for another.
    func wireRequest(
        _ record: SlotRecord, of credential: CredentialConfiguration, for order: AttemptOrder,
        planned: GrantBinding?
    ) async throws(Refusal) -> PreparedRequest {
        let context = try await context(of: record, of: credential, for: order)
        let place = credential.profile.place(in: context)
        if let planned, planned != place {
            throw Refusal(.transient, Cause(.settingsChanged))
        }
        let exchange = credential.profile.exchange(record.kind, step: record.step)
        let specification = exchange.request
        let rendering = await world.responses.run(
            provider: credential.profile.name, credential: credential.name
        ) { () -> Result<RenderedRequest, RequestError> in
            // Signing takes time, and the request may contain results of earlier steps.
            do throws(RequestError) { return .success(try specification.render(in: context)) } catch
            {
                return .failure(error)
            }
        }
        do throws(RequestError) {
            let rendered = try rendering.get()
            let wire = WireRequest(
                request: rendered, timeout: credential.refresh.timeout,
                connectTimeout: credential.refresh.connectTimeout,
                caFile: specification.caFile ?? credential.caFile,
                proxy: credential.proxy.proxy(to: rendered.url, provider: specification.proxy))
            let grant = record.grant
            return PreparedRequest(
                wire: wire, place: place,
                filter: PeerFilter(
                    context.secrets(of: credential) + grant.secrets + wire.secrets),
                headersOfInterest: exchange.headersOfInterest(credential.profile))
        } catch { throw Refusal(.config, error.cause) }
    }

    private func context(
        of record: SlotRecord, of credential: CredentialConfiguration, for order: AttemptOrder
    ) async throws(Refusal) -> TemplateContext {
        var context = TemplateContext(
            try await values(of: credential), profile: credential.profile, record: record,
            nonce: RequestNonce(random: world.random.bytes, now: record.sentAt.wall))
        switch order {
        case .login(let code):
            context.set(.code, code.code.reveal())
            if let redirectURI = code.redirectURI { context.set(.redirectURI, redirectURI) }
            context.set(.codeVerifier, code.codeVerifier?.reveal())
        case .device(let code): context.set(.deviceCode, code.reveal())
        case .renew, .adopt, .resave: break
        }
        return context
    }

    /// - Parameter names: The only variables to read; without the client's secret then.
    func values(
        of credential: CredentialConfiguration, only names: Set<String>? = nil
    ) async throws(Refusal) -> CredentialValues {
        var values = CredentialValues(scope: credential.scope)
        for (name, source) in credential.variables where names?.contains(name) ?? true {
            values.variables[name] = try await value(
                source, of: credential.profile, named: name)
        }
        if let source = credential.clientID {
            values.clientID = try await secret(source, as: .line).reveal()
        }
        if let source = credential.clientSecret, names == nil {
            values.clientSecret = try await secret(
                source, as: credential.profile.shape(of: "client_secret")
            ).reveal()
        }
        return values
    }

    private func value(
        _ source: VariableSource, of profile: ProviderProfile, named name: String
    ) async throws(Refusal) -> JSONNode {
        let variable = profile.variables[name]
        let shape = profile.shape(of: name)
        let result: JSONNode
        switch source {
        case .secret(let source): result = .string(try await secret(source, as: shape).reveal())
        case .literal(let node):
            if variable?.isFromFile == true, let path = node.text {
                result = .string(try await secret(.file(path), as: shape).reveal())
            } else {
                result = node
            }
        }
        if let pattern = variable?.pattern, let text = result.canonicalText,
            !pattern.matchesWhole(text)
        {
            throw Refusal(.config, Cause(.variableUnusable, CauseFacts(key: name)))
        }
        return result
    }

    private func secret(
        _ source: SecretSource, as shape: SecretText.Shape
    ) async throws(Refusal) -> Secret {
        do throws(Cause) {
            return try await world.secrets.read(source, as: shape).secret
        } catch { throw Refusal(.config, error) }
    }
}

extension TokenExchange {
    /// The headers of a response to store: those that its reading uses.
    func headersOfInterest(_ profile: ProviderProfile) -> HeadersOfInterest {
        let named = response.selectors.compactMap(\.headerName)
        var selectors: [ResponseSelector?] = []
        for rule in profile.errors {
            selectors += rule.conditions.map(\.path)
            selectors.append(rule.retryAfter?.from)
        }
        let others = selectors.compactMap { $0 }.flatMap(\.parts).compactMap(\.headerName)
        return HeadersOfInterest(
            whole: Set(named).union(["content-encoding"]),
            others: Set(others).union(["retry-after", "date", "content-type", "location"]))
    }
}
