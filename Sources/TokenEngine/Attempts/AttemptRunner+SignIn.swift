internal import TokenConfiguration
internal import TokenControl
internal import TokenFormats
internal import TokenProviders
internal import TokenSlots

// Starts a sign-in, before there is a code. Does not use the slots.
extension AttemptRunner {
    func signIn(
        _ credential: CredentialConfiguration, _ wish: SignInRequest
    ) async -> ControlReply {
        let name = credential.name
        do throws(SignInStop) {
            // Only the device request needs the client's secret: without it the daemon can still
            // return the URL of a browser sign-in.
            let variables = SignIn.browserVariables(credential.profile)
            var signIn = try await prepared(credential, wish, only: variables)
            if signIn.needsMetadata {
                signIn.metadata = try await metadata(of: signIn, credential)
            }
            switch signIn.method {
            case .browser:
                let browser = try checked { () throws(RequestError) in try signIn.browser() }
                return .signIn(credential, .browser(browser))
            case .device:
                var whole = try await prepared(credential, wish, only: nil)
                whole.metadata = signIn.metadata
                return .signIn(credential, .device(try await device(whole, credential)))
            }
        } catch {
            return .problem(
                error.status, "\(name): \(error.cause.problem)", remedy: error.cause.remedy)
        }
    }

    private func prepared(
        _ credential: CredentialConfiguration, _ wish: SignInRequest, only names: Set<String>?
    ) async throws(SignInStop) -> SignIn {
        let profile = credential.profile
        let values: CredentialValues
        do throws(Refusal) {
            values = try await self.values(of: credential, only: names)
        } catch {
            let cause = error.cause
            let place = RemedyPlace(credential, state: .pending)
            throw SignInStop(422, cause.problem, cause.remedy(for: place))
        }
        let now = world.clock.now()
        let context = TemplateContext(
            values, profile: profile, grant: GrantValues(kind: .deviceCode),
            nonce: RequestNonce(random: world.random.bytes, now: now.wall))
        return try checked { () throws(RequestError) in
            try SignIn(profile, wish: wish, context: context)
        }
    }

    /// RFC 8414 section 3, then OpenID Connect Discovery section 4.
    private func metadata(
        of signIn: SignIn, _ credential: CredentialConfiguration
    ) async throws(SignInStop) -> ServerMetadata? {
        let named = try checked { () throws(RequestError) in try signIn.issuer() }
        guard let issuer = named else { return nil }
        let places = try checked { () throws(RequestError) in
            try ServerMetadata.locations(of: issuer)
        }
        for place in places {
            let request = RenderedRequest(
                method: "GET", url: place, headers: [HeaderField("Accept", "application/json")],
                body: nil)
            let response = try await response(to: request, credential)
            let found = try await read(of: credential) { () throws(RequestError) in
                try ServerMetadata.read(response, issuer: issuer)
            }
            if let found { return found }
        }
        throw SignInStop(
            502, "there is no metadata document of \(issuer)",
            "correct the issuer, or name \"url\" and \"device_url\" in the provider's "
                + "\"authorization\"")
    }

    private func device(
        _ signIn: SignIn, _ credential: CredentialConfiguration
    ) async throws(SignInStop) -> DeviceAuthorization {
        let request = try checked { () throws(RequestError) in try signIn.deviceRequest() }
        let response = try await response(to: request, credential)
        return try await read(of: credential, orStatus: 502) { () throws(RequestError) in
            try DeviceAuthorization.read(response)
        }
    }

    /// Reads a response on a response lane.
    private func read<Value: Sendable>(
        of credential: CredentialConfiguration, orStatus status: Int = 422,
        _ body: @escaping @Sendable () throws(RequestError) -> Value
    ) async throws(SignInStop) -> Value {
        let result = await world.responses.run(
            provider: credential.profile.name, credential: credential.name
        ) { () -> Result<Value, RequestError> in
            do throws(RequestError) { return .success(try body()) } catch {
                return .failure(error)
            }
        }
        return try checked(status) { () throws(RequestError) in try result.get() }
    }

    private func response(
        to request: RenderedRequest, _ credential: CredentialConfiguration
    ) async throws(SignInStop) -> RawResponse {
        let requests = credential.profile.refresh.map(\.request)
        let caFile = requests.compactMap(\.caFile).first
        let proxy = credential.proxy.proxy(
            to: request.url, provider: requests.compactMap(\.proxy).first)
        let wire = WireRequest(
            // Short, because the daemon cannot stop before its end; a later retry loses nothing.
            request: request, timeout: min(credential.refresh.timeout, .seconds(10)),
            connectTimeout: credential.refresh.connectTimeout,
            caFile: caFile ?? credential.caFile, proxy: proxy)
        switch await world.endpoint.send(wire) {
        case .answered(let response): return response
        case .notSent(let fault), .unanswered(let fault):
            let cause = fault.cause(PeerFilter(wire.secrets))
            let place = RemedyPlace(credential, state: .pending)
            throw SignInStop(502, cause.problem, cause.remedy(for: place))
        }
    }

    private func checked<Value>(
        _ status: Int = 422, _ body: () throws(RequestError) -> Value
    ) throws(SignInStop) -> Value {
        do throws(RequestError) { return try body() } catch {
            throw SignInStop(status, error.problem, error.remedy)
        }
    }
}

/// Why a sign-in cannot start now.
private struct SignInStop: Error {
    /// The HTTP status: 422 for the configuration, 502 for the provider.
    var status: Int
    var cause: RequestError

    init(_ status: Int, _ problem: String, _ remedy: String) {
        (self.status, cause) = (status, RequestError(problem: problem, remedy: remedy))
    }
}

extension AttemptOrder {
    /// Why it cannot work for a credential; `nil` if it may.
    func obstacle(for credential: CredentialConfiguration) -> ControlReply? {
        guard isLogin, let obstacle = credential.profile.signInObstacle else { return nil }
        return .problem(
            422, "\(credential.name): \(obstacle.problem)", remedy: obstacle.remedy)
    }
}

extension ControlReply {
    static func signIn(
        _ credential: CredentialConfiguration, _ way: SignInOffer.Way
    ) -> ControlReply {
        let offer = SignInOffer(
            way, credential: credential.name, provider: credential.profile.name)
        return ControlReply(200, .signIn(offer))
    }

    /// The reply to the client whose order ended so.
    static func ended(_ end: AttemptReport.End, _ name: String) -> ControlReply {
        switch end {
        case .granted: return ControlReply(200, .ordered(OrderReply(credential: name)))
        case .signInPending(let slowDown, let problem):
            let pending = OrderReply.Pending(slowDown: slowDown, problem: problem)
            return ControlReply(202, .ordered(OrderReply(credential: name, pending: pending)))
        case .refused(let refusal), .signInFailed(let refusal):
            let cause = refusal.causeOfSignIn
            let failure = SignInFailure(cause, credential: name)
            var problem = ControlProblem(
                status(of: refusal), "\(name): \(failure.problem)", detail: failure.remedy)
            problem.error = refusal.errorCode
            (problem.kind, problem.cause) = (ControlWord(failure.kind), ControlWord(cause.kind))
            return ControlReply(problem)
        case .unreadable: return unreadable(name)
        case .needsLogin, .foreign:
            return .problem(409, "\(name): the state cannot take tokens now")
        }
    }

    private static func status(of refusal: Refusal) -> Int {
        switch refusal.failureClass {
        case .storage: 507
        // No server sent this refusal.
        case .config where refusal.httpStatus == nil: 409
        default: 502
        }
    }

    static func unreadable(_ name: String) -> ControlReply {
        .problem(
            409, "\(name): neither slot of its state can be read",
            remedy: "Set them aside first: evertoken accept \(name); then sign in. Or bring "
                + "tokens: evertoken import \(name)")
    }
}
