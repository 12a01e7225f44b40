internal import TokenCore

// From a record to the bytes of its request: secrets are read now, at every use.
extension AttemptRunner {
    func seed(
        of credential: CredentialConfiguration, mayMiss: Bool
    ) async throws(AttemptStop) -> Secret? {
        guard let source = credential.refreshToken else { return nil }
        do throws(SecretFailure) {
            let seed = try await world.secrets.read(source)
            guard !seed.isEmpty else { throw SecretFailure("refresh_token is empty") }
            return seed
        } catch {
            // With a token in the state the seed has done its work; it may be gone.
            if mayMiss { return nil }
            throw AttemptStop(.config, error.problem)
        }
    }

    func wireRequest(_ attempt: Attempt) async throws(AttemptStop) -> WireRequest {
        let credential = attempt.credential
        let context = try await context(of: attempt)
        do throws(RequestError) {
            let rendered = try attempt.exchange.request.render(in: context)
            return WireRequest(
                request: rendered, timeout: credential.refresh.timeout,
                connectTimeout: credential.refresh.connectTimeout, caFile: credential.caFile,
                proxy: credential.proxy)
        } catch { throw AttemptStop(.config, "\(error.problem); \(error.remedy)") }
    }

    private func context(of attempt: Attempt) async throws(AttemptStop) -> TemplateContext {
        let credential = attempt.credential
        var context = TemplateContext(nonce: nonce(at: attempt.record.sentAt.wall))
        for (name, variable) in credential.profile.variables {
            context.values[name] = variable.defaultValue
        }
        for (name, source) in credential.variables {
            context.values[name] = try await value(
                of: source, variable: credential.profile.variables[name], named: name)
        }
        context.set(.scope, credential.scope ?? context.values["scope"]?.canonicalText)
        if let source = credential.clientID {
            context.set(.clientID, try await secret(source).reveal())
        }
        if let source = credential.clientSecret {
            context.set(.clientSecret, try await secret(source).reveal())
        }
        switch attempt.order {
        case .login(let code):
            context.set(.code, code.code.reveal())
            context.set(.redirectURI, code.redirectURI)
            context.set(.codeVerifier, code.codeVerifier?.reveal())
        case .renew, .adopt:
            context.set(.refreshToken, attempt.record.grant.refreshToken?.reveal())
            context.set(.accessToken, attempt.record.grant.access?.token.reveal())
        }
        return context
    }

    private func value(
        of source: VariableSource, variable: ProfileVariable?, named name: String
    ) async throws(AttemptStop) -> JSONNode {
        let value: JSONNode
        switch source {
        case .literal(let node): value = node
        case .secret(let source): value = .string(try await secret(source).reveal())
        }
        var result = value
        if variable?.isFromFile == true, let path = value.text, case .literal = source {
            do throws(SecretFailure) {
                result = .string(try await world.secrets.read(file: path).reveal())
            } catch { throw AttemptStop(.config, error.problem) }
        }
        if let pattern = variable?.pattern.flatMap(Pattern.init),
            let text = result.canonicalText, !pattern.matchesWhole(text)
        {
            throw AttemptStop(.config, "variable \"\(name)\" does not match its pattern")
        }
        return result
    }

    private func secret(_ source: SecretSource) async throws(AttemptStop) -> Secret {
        do throws(SecretFailure) { return try await world.secrets.read(source) } catch {
            throw AttemptStop(.config, error.problem)
        }
    }

    /// RFC 9562 section 5.4 for the UUID; rejection-free letters for `random()` are good enough for
    /// a nonce (the alphabet has 62 characters, a byte 256 values: some are a little likelier).
    private func nonce(at now: WallTime) -> RequestNonce {
        var id = world.random.bytes(16)
        id[6] = id[6] & 0x0F | 0x40
        id[8] = id[8] & 0x3F | 0x80
        let text = Array(hexadecimal(id))
        let groups = [0..<8, 8..<12, 12..<16, 16..<20, 20..<32].map { String(text[$0]) }
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")
        let letters = world.random.bytes(64).map { alphabet[Int($0) % alphabet.count] }
        return RequestNonce(
            uuid: groups.joined(separator: "-"), random: String(letters), now: now)
    }
}

extension TokenExchange {
    /// Headers of an answer that are worth keeping: those that its reading looks at.
    func headersOfInterest(_ profile: ProviderProfile) -> Set<String> {
        var selectors = [response.accessToken, response.refreshToken, response.tokenType]
        selectors.append(response.scope)
        selectors += (response.expires + response.refreshExpires).map(\.from)
        selectors += response.keep.map(\.selector)
        selectors += response.success.map(\.path)
        for rule in profile.errors {
            selectors += rule.conditions.map(\.path)
            selectors.append(rule.retryAfter?.from)
        }
        let named = selectors.compactMap { $0 }.flatMap(\.headerNames)
        return Set(named).union(["retry-after", "date", "content-type"])
    }
}

extension ResponseSelector {
    /// Lower case.
    fileprivate var headerNames: [String] {
        switch self {
        case .header(let name, _): [name.lowercased()]
        case .firstOf(let parts): parts.flatMap(\.headerNames)
        case .pointer, .matching, .value: []
        }
    }
}
