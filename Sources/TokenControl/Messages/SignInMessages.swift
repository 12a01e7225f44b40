package import TokenFormats
package import TokenProviders
package import TokenSlots

// The messages of a sign-in: the offer of a way, and the exchange of the code that it gave.

extension SignInRequest {
    /// The body of `POST /v1/credentials/NAME/sign-in`.
    package var json: JSONNode {
        .object([
            ("method", method.map { .string($0.rawValue) }), ("scope", scope.map { .string($0) }),
        ])
    }

    /// - Returns: `nil` for a value that is not an object, and for a method that this version does
    ///   not know.
    package init?(json: JSONNode) {
        guard json.members != nil else { return nil }
        self.init(scope: json["scope"]?.text)
        guard let word = json["method"]?.text else { return }
        guard let method = Method(spelled: word) else { return nil }
        self.method = method
    }
}

/// The reply to `POST /v1/credentials/NAME/sign-in`: how the user signs in.
package struct SignInOffer: Sendable, Equatable {
    /// The way to sign in; the member is named after it.
    package enum Way: Sendable, Equatable {
        /// The user opens the authorization request in a browser.
        case browser(BrowserSignIn)
        /// The user approves a code on any device (RFC 8628).
        case device(DeviceAuthorization)
    }

    /// The name of the credential.
    package var credential: String
    /// The name of its profile; `nil` from an older daemon.
    package var provider: String?
    /// `nil` for a way that this version does not know.
    package var way: Way?

    /// - Parameters:
    ///   - way: The way to sign in.
    ///   - credential: The name of the credential.
    ///   - provider: The name of its profile.
    package init(_ way: Way?, credential: String, provider: String?) {
        (self.way, self.credential, self.provider) = (way, credential, provider)
    }

    /// The facts of the way are a member of its name.
    package var json: JSONNode {
        let facts: (String, JSONNode?) =
            switch way {
            case .browser(let browser): (SignInRequest.Method.browser.rawValue, browser.json)
            case .device(let device): (SignInRequest.Method.device.rawValue, device.json)
            case nil: (SignInRequest.Method.browser.rawValue, nil)
            }
        return .object([
            ("credential", .string(credential)), ("provider", provider.map { .string($0) }), facts,
        ])
    }

    /// Takes what it can use.
    package init(json: JSONNode) {
        let facts = { (method: SignInRequest.Method) in json[method.rawValue] }
        let device = facts(.device).flatMap(DeviceAuthorization.init(json:))
        let browser = facts(.browser).flatMap(BrowserSignIn.init(json:))
        self.init(
            device.map { .device($0) } ?? browser.map { .browser($0) },
            credential: json["credential"]?.text ?? "", provider: json["provider"]?.text)
    }
}

extension DeviceAuthorization {
    /// The member names of RFC 8628 section 3.2.
    package var json: JSONNode {
        .object([
            ("device_code", .string(deviceCode.reveal())), ("user_code", .string(userCode)),
            ("verification_uri", .string(verificationURI)),
            ("verification_uri_complete", completeURI.map { .string($0) }),
            ("expires_in", .integer(lifetime.components.seconds)),
            ("interval", .integer(interval.components.seconds)),
        ])
    }
}

/// Tokens that a client brings, or the code to get them with: the body of a `login` or `import`.
package enum ClientOrder: Sendable, Equatable {
    /// Exchange an authorization code.
    case login(AuthorizationCode)
    /// Exchange a device code, which may not be approved yet.
    case device(code: Secret)
    /// Adopt tokens that were obtained elsewhere.
    case adopt(ImportedTokens)

    /// The attempt that it asks for.
    package var attempt: AttemptOrder {
        switch self {
        case .login(let code): .login(code)
        case .device(let code): .device(code: code)
        case .adopt(let tokens): .adopt(tokens)
        }
    }

    /// - Parameter now: The present time, for the end of adopted tokens.
    package func json(now: WallTime) -> JSONNode {
        switch self {
        case .login(let code):
            .object([
                ("code", .string(code.code.reveal())),
                ("redirect_uri", code.redirectURI.map { .string($0) }),
                ("code_verifier", code.codeVerifier.map { .string($0.reveal()) }),
            ])
        case .device(let code): .object([("device_code", .string(code.reveal()))])
        case .adopt(let tokens): tokens.json(now: now)
        }
    }

    /// Reads the body of a `login`; ``ImportReading`` reads that of an `import`. An empty text
    /// counts as absent.
    ///
    /// - Returns: `nil` for a value without a code.
    package init?(login json: JSONNode) {
        let text = { (key: String) in json[key]?.text.flatMap { $0.isEmpty ? nil : $0 } }
        if let code = text("device_code") {
            self = .device(code: Secret(code))
            return
        }
        guard let code = text("code") else { return nil }
        self = .login(
            AuthorizationCode(
                code: Secret(code), redirectURI: text("redirect_uri"),
                codeVerifier: text("code_verifier").map(Secret.init)))
    }
}

/// The reply to a `ClientOrder`: the tokens are stored, or the device code is not approved yet.
package struct OrderReply: Sendable, Equatable {
    /// The user has not approved the code yet, or the provider could not be asked.
    package struct Pending: Sendable, Equatable {
        /// Whether to ask less often (RFC 8628 section 3.5).
        package var slowDown: Bool
        /// Why the provider could not be asked; `nil` when it answered.
        package var problem: String?

        /// - Parameters:
        ///   - slowDown: Whether to ask less often.
        ///   - problem: Why the provider could not be asked.
        package init(slowDown: Bool, problem: String?) {
            (self.slowDown, self.problem) = (slowDown, problem)
        }
    }

    /// The name of the credential.
    package var credential: String
    /// `nil` when the tokens are stored.
    package var pending: Pending?

    /// - Parameters:
    ///   - credential: The name of the credential.
    ///   - pending: `nil` when the tokens are stored.
    package init(credential: String, pending: Pending? = nil) {
        (self.credential, self.pending) = (credential, pending)
    }

    /// Only the name when the tokens are stored.
    package var json: JSONNode {
        .object([
            ("credential", .string(credential)), ("pending", pending.map { _ in true }),
            ("slow_down", pending.map { .bool($0.slowDown) }),
            ("problem", pending?.problem.map { .string($0) }),
        ])
    }

    /// Takes what it can use.
    package init(json: JSONNode) {
        credential = json["credential"]?.text ?? ""
        guard json["pending"]?.flag == true else { return }
        pending = Pending(
            slowDown: json["slow_down"]?.flag ?? false, problem: json["problem"]?.text)
    }
}
