/// A request as it goes on the wire, transport aside.
public struct RenderedRequest: Sendable, Equatable {
    public var method: String
    public var url: String
    public var headers: [HeaderField]
    public var body: [UInt8]?

    public init(method: String, url: String, headers: [HeaderField], body: [UInt8]?) {
        (self.method, self.url, self.headers, self.body) = (method, url, headers, body)
    }
}

public struct HeaderField: Sendable, Equatable {
    public var name: String
    public var value: String

    public init(_ name: String, _ value: String) { (self.name, self.value) = (name, value) }
}

/// Why a request cannot be made. Names variables, never their values.
public struct RequestError: Error, Equatable, Sendable {
    public var problem: String
    public var remedy: String
}

/// Where a token request may go: https, or http on this host's loopback.
public enum EndpointURL {
    /// What is wrong with a rendered URL, or `nil`.
    static func problem(of url: String) -> RequestError? {
        let isSecure = url.hasPrefix("https://")
        guard isSecure || url.hasPrefix("http://") else {
            return RequestError(problem: "has no https scheme", remedy: "start it with https://")
        }
        guard url.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            return RequestError(
                problem: "has a character that no URL may have", remedy: "percent-encode it")
        }
        let rest = url.dropFirst(isSecure ? 8 : 7)
        let authority = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        guard !authority.isEmpty, !authority.contains("@"), !url.contains("#") else {
            return RequestError(
                problem: "has no host, a user or a fragment", remedy: "write https://host/path")
        }
        let isPlainHost = authority.utf8.allSatisfy {
            isDigit($0) || ($0 | 0x20 >= 0x61 && $0 | 0x20 <= 0x7A)
                || [0x2E, 0x2D, 0x3A, 0x5B, 0x5D].contains($0)
        }
        guard isPlainHost else {
            return RequestError(
                problem: "has a host with odd characters", remedy: "write a DNS name or address")
        }
        guard isSecure || isLoopback(authority) else {
            return RequestError(
                problem: "would send secrets over plain http",
                remedy: "write https:// (http is only for this host's loopback)")
        }
        return nil
    }

    private static func isLoopback(_ authority: Substring) -> Bool {
        if authority.hasPrefix("[::1]") {
            return ["", ":"].contains(authority.dropFirst(5).prefix(1))
        }
        let host = authority.prefix { $0 != ":" }
        if host == "localhost" { return true }
        let octets = host.split(separator: ".", omittingEmptySubsequences: false)
        return octets.count == 4 && octets[0] == "127" && octets.allSatisfy { UInt8($0) != nil }
    }
}

extension RequestSpecification {
    /// The URL without ``query``; `nil` when a variable is unset.
    ///
    /// An interpolation that forms scheme or authority is used as it is, a later one is
    /// percent-encoded (rule 4).
    func renderURL(in context: TemplateContext) -> String? {
        url.text(in: context) { soFar, value in
            guard let scheme = soFar.firstRange(of: "://") else { return value }
            let hasPath = soFar[scheme.upperBound...].contains { "/?".contains($0) }
            return hasPath ? percentEncoded(value) : value
        }
    }

    /// The request for these values.
    ///
    /// - Throws: ``RequestError`` when the URL cannot be formed or is not allowed.
    public func render(in context: TemplateContext) throws(RequestError) -> RenderedRequest {
        guard var target = renderURL(in: context) else {
            let missing = url.variables.filter { context.values[$0] == nil }.sorted()
            throw RequestError(
                problem: "the URL needs \(missing.joined(separator: ", "))",
                remedy: "set it under \"variables\"")
        }
        if let problem = EndpointURL.problem(of: target) {
            throw RequestError(
                problem: "the token URL \(problem.problem)", remedy: problem.remedy)
        }
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
        return RenderedRequest(method: method, url: target, headers: headers, body: body)
    }

    /// Unless the profile names its own.
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

    /// The grant's parameters and, for client_secret_post, the client's, under their wire names.
    private func parameters(
        in context: TemplateContext
    ) throws(RequestError) -> [(String, JSONNode)] {
        var named: [(String, JSONNode)] = []
        for part in parameters {
            guard let value = part.value.value(in: context) else { continue }
            named.append((part.name, value))
        }
        if clientAuthentication == .post || clientAuthentication == .none {
            let position = named.first?.0 == "grant_type" ? 1 : 0
            var client: [(String, JSONNode)] = []
            for variable in [ContextVariable.clientID, .clientSecret] {
                let name = variable.rawValue
                if variable == .clientSecret, clientAuthentication == .none { continue }
                // Without authentication only a profile that says so sends the client's id.
                if clientAuthentication == .none, !sendsPublicClientID { continue }
                guard !named.contains(where: { $0.0 == name }), let value = context.values[name]
                else { continue }
                client.append((name, value))
            }
            named.insert(contentsOf: client, at: position)
        }
        return named.map { (parameterNames[$0.0] ?? $0.0, $0.1) }
    }

    /// A public client identifies itself by `client_id` (RFC 6749 section 3.2.1); profiles over
    /// `none` list their parameters themselves.
    private var sendsPublicClientID: Bool {
        parameters.contains { $0.name == "grant_type" }
            && !parameters.contains { $0.value.variables.contains("client_id") }
    }

    private func flattened(
        _ values: [(String, JSONNode)]
    ) throws(RequestError) -> [(String, String)] {
        var pairs: [(String, String)] = []
        for (name, value) in values where !value.isNull {
            guard let text = value.canonicalText else {
                throw RequestError(
                    problem: "parameter \"\(name)\" is \(value.typeName)",
                    remedy: "use \"encoding\": \"json\" for nested parameters")
            }
            pairs.append((name, text))
        }
        return pairs
    }

    private func formText(_ pairs: [(String, String)]) -> String {
        pairs.map { "\(formEncoded($0))=\(formEncoded($1))" }.joined(separator: "&")
    }

    private func basicCredentials(in context: TemplateContext) throws(RequestError) -> String? {
        guard clientAuthentication == .basic || clientAuthentication == .basicRaw else {
            return nil
        }
        guard let id = context.values["client_id"]?.canonicalText,
            let secret = context.values["client_secret"]?.canonicalText
        else {
            throw RequestError(
                problem: "Basic authentication needs client_id and client_secret",
                remedy: "set both in the credential")
        }
        let pair =
            clientAuthentication == .basicRaw
            ? "\(id):\(secret)" : "\(formEncoded(id)):\(formEncoded(secret))"
        return base64(Array(pair.utf8))
    }
}
