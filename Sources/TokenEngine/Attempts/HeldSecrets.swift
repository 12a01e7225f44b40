internal import TokenConfiguration
internal import TokenFormats
internal import TokenProviders
internal import TokenSlots

// Every secret of a credential that a peer may know and echo, for the filter of peer text.
extension TemplateContext {
    /// The secrets that a request may contain.
    func secrets(of credential: CredentialConfiguration) -> [Secret] {
        let profile = credential.profile
        var names = [
            ContextVariable.clientSecret, .refreshToken, .accessToken, .code, .deviceCode,
            .codeVerifier,
        ].map(\.rawValue)
        names += values.keys.filter { name in
            if name.hasPrefix("steps.") { return true }
            if case .secret? = credential.variables[name] { return true }
            let variable = profile.variables[name]
            return variable?.isSecret == true || variable?.isFromFile == true
        }
        return names.compactMap { values[$0]?.canonicalText.map { Secret($0) } }
    }
}

extension CredentialRecord {
    /// Tokens, including those that are not sent.
    var secrets: [Secret] {
        [refreshToken, candidate?.token, previousRefreshToken, access?.token].compactMap { $0 }
    }
}

extension WireRequest {
    /// Secrets in the request itself: the Authorization header, a signed assertion, the proxy's
    /// password, the client's key.
    var secrets: [Secret] {
        var texts = request.headers
            .filter { $0.name.asciiLowercased.hasSameBytes(as: "authorization") }
            .compactMap { $0.value.split(separator: " ").last.map(String.init) }
        let body = String(decoding: request.body ?? [], as: UTF8.self)
        texts += body.utf8.split { "&=\"".utf8.contains($0) }.filter(Self.isSigned)
            .map { String(decoding: Array($0), as: UTF8.self) }
        if let proxy, let scheme = proxy.firstRange(of: "://") {
            let authority = proxy[scheme.upperBound...].prefix { $0 != "/" }
            if let at = authority.lastIndex(of: "@") {
                texts += authority[..<at].split(separator: ":").dropFirst().map(String.init)
            }
        }
        if let key = request.certificate?.privateKey.reveal(), key.containsBytes(of: "-----BEGIN") {
            texts.append(key)
        }
        return texts.map { Secret($0) }
    }

    /// Whether it looks like a JWT (RFC 7519): three parts and a minimum length.
    private static func isSigned(_ text: Substring.UTF8View) -> Bool {
        text.count > 64 && text.count { $0 == UInt8(ascii: ".") } == 2
    }
}
