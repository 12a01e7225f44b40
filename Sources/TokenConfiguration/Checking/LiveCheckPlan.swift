package import TokenFormats
package import TokenProviders

extension ProviderProfile {
    /// Why the client cannot be tested; `nil` when a made-up refresh token tests it without
    /// spending anything.
    package var clientProbeObstacle: String? {
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
    /// The URL and the client certificate of the request; nothing of its content.
    ///
    /// - Throws: ``RequestError`` when the URL cannot be formed or is not allowed.
    package func target(in context: TemplateContext) throws(RequestError) -> RenderedRequest {
        RenderedRequest(method: "GET", url: try checkedURL(in: context), headers: [], body: nil)
    }
}

extension RenderedRequest {
    /// A request for the root page of the same host, with nothing of the original request.
    package var ofOrigin: RenderedRequest {
        let scheme = url.firstRange(of: "://")?.upperBound ?? url.startIndex
        let host = url[scheme...].prefix { !"/?#".contains($0) }
        return RenderedRequest(
            method: "GET", url: url[..<scheme] + host + "/", headers: [], body: nil)
    }
}

/// A refresh token that no provider has issued.
package func madeUpRefreshToken(_ random: [UInt8]) -> Secret {
    Secret("evertoken-check-" + hexadecimal(random))
}
