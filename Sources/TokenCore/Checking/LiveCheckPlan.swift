/// How a provider may be asked without anything being spent (`lifecycle.probe`).
public enum LiveProbe: String, Sendable, CaseIterable {
    /// The first page of its host, without any credentials: it tells the provider's clock.
    case origin
    /// A refresh with a refresh token that does not exist: the provider says whether it takes the
    /// client before it looks at the token, and counts no failure.
    case madeUpRefreshToken = "made_up_refresh_token"
}

extension ProviderProfile {
    /// Why the client cannot be tried; `nil` where a made-up refresh token tells, and spends
    /// nothing.
    public var clientProbeObstacle: String? {
        guard usesRefreshToken, let first = refresh.first,
            first.request.variables.contains("refresh_token"),
            lifecycle.refreshToken != .accessToken
        else { return "a request without a refresh token would be a real one" }
        if lifecycle.burnedOnFailure {
            return "a refused refresh ends the real refresh token there"
        }
        if refresh.count > 1 { return "a refresh has several steps there" }
        if lifecycle.probe != .madeUpRefreshToken {
            return "its profile does not say that a made-up refresh token spends nothing "
                + "(lifecycle.probe)"
        }
        return nil
    }
}

extension RequestSpecification {
    /// Where the request would go, and with which client certificate: nothing of it is sent.
    ///
    /// - Throws: ``RequestError`` when the URL cannot be formed or is not allowed.
    public func target(in context: TemplateContext) throws(RequestError) -> RenderedRequest {
        RenderedRequest(method: "GET", url: try checkedURL(in: context), headers: [], body: nil)
    }
}

extension RenderedRequest {
    /// The first page of the same host, without anything of the request.
    public var ofOrigin: RenderedRequest {
        let scheme = url.firstRange(of: "://")?.upperBound ?? url.startIndex
        let host = url[scheme...].prefix { !"/?#".contains($0) }
        return RenderedRequest(
            method: "GET", url: url[..<scheme] + host + "/", headers: [], body: nil)
    }
}

/// A refresh token that no provider has given.
public func madeUpRefreshToken(_ random: [UInt8]) -> Secret {
    Secret("evertoken-check-" + hexadecimal(random))
}
