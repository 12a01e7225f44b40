package import TokenFormats

/// An authorization server's metadata (RFC 8414 section 2), as far as a sign-in needs them.
package struct ServerMetadata: Sendable, Equatable {
    package var issuer: String
    package var authorizationEndpoint: String?
    package var deviceEndpoint: String?
    /// `nil` when the metadata do not list them: the server may still accept them all.
    package var challengeMethods: [String]?
    /// Every authorization response names its issuer (RFC 9207 section 3).
    package var namesIssuer = false

    /// The metadata URLs to try, in this order: RFC 8414 section 3.1, then OpenID Connect Discovery
    /// section 4.
    ///
    /// - Throws: ``RequestError`` for an issuer that is not an https URL (http on the loopback is
    ///   allowed), or that has a query.
    package static func locations(of issuer: String) throws(RequestError) -> [String] {
        if let problem = EndpointURL.problem(of: issuer) { throw problem.of("the issuer") }
        guard !issuer.contains("?"), let scheme = issuer.firstRange(of: "://") else {
            throw RequestError(
                problem: "the issuer has a query", remedy: "write it without (RFC 8414 section 2)")
        }
        let host = issuer[scheme.upperBound...].prefix { $0 != "/" }
        let origin = String(issuer[..<scheme.upperBound] + host)
        var path = String(issuer.dropFirst(origin.count))
        while path.hasSuffix("/") { path.removeLast() }
        return [
            origin + "/.well-known/oauth-authorization-server" + path,
            origin + path + "/.well-known/openid-configuration",
        ]
    }

    /// - Returns: `nil` for a response that is not a metadata document: another URL may have it.
    /// - Throws: ``RequestError`` for a document that must not be used.
    package static func read(
        _ response: RawResponse, issuer: String
    ) throws(RequestError) -> ServerMetadata? {
        guard response.status == 200 else { return nil }
        if response.isTruncated {
            throw RequestError(
                problem: "the metadata of \(issuer) is cut, or too large",
                remedy: "name \"url\" and \"device_url\" in the provider's \"authorization\"")
        }
        guard let body = try? JSONReader.read(response.body), body.members != nil else {
            return nil
        }
        // Section 3.3: the issuers must be identical.
        guard let named = body["issuer"]?.text, named.hasSameBytes(as: issuer) else {
            throw RequestError(
                problem: "the metadata found for \(issuer) names another issuer",
                remedy: "write the issuer as the provider's pages do, letter by letter")
        }
        var metadata = ServerMetadata(issuer: named)
        metadata.authorizationEndpoint = try endpoint("authorization_endpoint", body, issuer)
        metadata.deviceEndpoint = try endpoint("device_authorization_endpoint", body, issuer)
        metadata.challengeMethods =
            body["code_challenge_methods_supported"]?.elements?.compactMap(\.text)
        metadata.namesIssuer =
            body["authorization_response_iss_parameter_supported"]?.flag ?? false
        return metadata
    }

    private static func endpoint(
        _ name: String, _ body: JSONNode, _ issuer: String
    ) throws(RequestError) -> String? {
        guard let value = body[name], !value.isNull else { return nil }
        guard let url = value.text else {
            throw RequestError(
                problem: "\(name) in the metadata of \(issuer) is \(value.typeName)",
                remedy: "name the endpoint in the provider's \"authorization\"")
        }
        if let problem = EndpointURL.problem(of: url) {
            throw RequestError(
                problem: "\(name) in the metadata of \(issuer) \(problem.problem)",
                remedy: "name the endpoint in the provider's \"authorization\"")
        }
        // The client's secret goes there, as to any host out of an answer (ProfileRules 4).
        let isOwn = EndpointURL.isSameSite(
            EndpointURL.host(of: url), EndpointURL.host(of: issuer))
        guard isOwn || name == "authorization_endpoint" else {
            throw RequestError(
                problem: "\(name) in the metadata of \(issuer) lies outside its domain",
                remedy: "if that is right, name it as \"device_url\" in the provider's "
                    + "\"authorization\"")
        }
        return url
    }
}
