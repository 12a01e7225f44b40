package import TokenFormats

extension RequestSpecification {
    /// The URL without ``query``; `nil` when a variable is unset.
    ///
    /// An interpolation that forms scheme or authority is used as it is, a later one is
    /// percent-encoded (ProfileRules 4).
    package func renderURL(in context: TemplateContext) -> String? {
        url.text(in: context) { soFar, value in hasAuthority(soFar) ? percentEncoded(value) : value
        }
    }

    /// The URL up to the end of its authority, and the variables of that part.
    package func leadingURL(in context: TemplateContext) -> (text: String?, variables: Set<String>)
    {
        url.start(in: context, until: hasAuthority)
    }

    private func hasAuthority(_ soFar: String) -> Bool {
        guard let scheme = soFar.firstRange(of: "://") else { return false }
        return soFar[scheme.upperBound...].contains { "/?".contains($0) }
    }

    /// The request's URL, checked.
    package func checkedURL(in context: TemplateContext) throws(RequestError) -> String {
        guard let target = renderURL(in: context) else {
            let missing = url.variables.filter { context.values[$0] == nil }.sorted()
            throw RequestError(
                problem: "the URL needs \(missing.joined(separator: ", "))",
                remedy: "set it under \"variables\"")
        }
        // Only displayed, with a host that comes from a response.
        if let mask = context.mask, mask.isIn(target) { return target }
        if let problem = EndpointURL.problem(of: target) { throw problem.of("the token URL") }
        let host = EndpointURL.host(of: target)
        for name in leadingURL(in: context).variables.sorted() {
            guard case .sameSite(let origin)? = context.hostRules[name] else { continue }
            guard EndpointURL.isSameSite(host, origin) else {
                throw RequestError(
                    problem: "${\(name)} of an answer names a host outside \(origin)'s domain",
                    remedy: "if that is right, keep it with an anchored \"regex\"")
            }
        }
        return target
    }
}
