internal import TokenFormats

// How a sign-in's exchange derives from the profile's own, and which variables exchanges name.

extension ExchangeReading {
    /// The patch over the exchange of a code, as it applies to a device code: without the
    /// parameters that belong to the authorization code.
    static func ofDevice(_ signIn: FieldReader) -> FieldReader {
        guard var members = signIn.node.members,
            let index = members.firstIndex(where: { $0.key == "request" }),
            var request = members[index].value.members,
            let place = request.firstIndex(where: { $0.key == "params" }),
            let parameters = request[place].value.members
        else { return signIn }
        request[place].value = JSONNode(
            .object(parameters.filter { !codeParameters.contains($0.key) }))
        members[index].value = JSONNode(.object(request))
        return signIn.replaced(by: JSONNode(.object(members), offset: signIn.node.offset))
    }
}

let grantParameters: Set<String> = ["grant_type", "refresh_token"]
private let codeParameters: Set<String> = [
    "grant_type", "code", "redirect_uri", "code_verifier",
]

extension ResponseSpecification {
    /// The names by which later steps refer to its results.
    var names: [String] {
        let standard = [
            ("access_token", accessToken), ("refresh_token", refreshToken),
            ("token_type", tokenType), ("scope", scope),
        ]
        return standard.filter { $0.1 != nil }.map(\.0) + keep.map(\.name)
    }
}

extension JSONNode {
    /// Whether a template in it names a refresh or access token.
    var mentionsGrant: Bool {
        switch kind {
        case .string(let text):
            let names = (try? Template(text))?.variables ?? []
            return !names.isDisjoint(with: ["refresh_token", "access_token"])
        case .array(let elements): return elements.contains(where: \.mentionsGrant)
        case .object(let members): return members.contains(where: \.value.mentionsGrant)
        case .null, .bool, .number: return false
        }
    }
}

extension RequestSpecification {
    /// The variables that the request names itself, without those of its assertions.
    var ownVariables: Set<String> {
        let templates = [url] + [certificate, privateKey].compactMap { $0 }
        let names: Set<String> = templates.reduce(into: []) { $0.formUnion($1.variables) }
        return (parameters + query + headers).reduce(into: names) {
            $0.formUnion($1.value.variables)
        }
    }

    /// Every variable that must be known to make the request.
    package var variables: Set<String> {
        assertions.values.reduce(into: ownVariables) { $0.formUnion($1.variables) }
    }
}
