package import TokenFormats

/// RFC 7591 / IANA token endpoint authentication methods, plus Basic without the form-encoding
/// that RFC 6749 section 2.3.1 asks for and many servers do not undo.
package enum ClientAuthentication: String, Sendable, CaseIterable {
    case none
    case post = "client_secret_post"
    case basic = "client_secret_basic"
    case basicRaw = "client_secret_basic_raw"
    /// RFC 7523 section 2.2, with the client's secret as key (OpenID Connect Core section 9).
    case secretJWT = "client_secret_jwt"
    /// RFC 7523 section 2.2.
    case privateKeyJWT = "private_key_jwt"
    /// RFC 8705 section 2.1.
    case tls = "tls_client_auth"

    var sendsAssertion: Bool { self == .secretJWT || self == .privateKeyJWT }
    package var isBasic: Bool { self == .basic || self == .basicRaw }
}

/// One request to a token endpoint, as a profile describes it.
package struct RequestSpecification: Sendable, Equatable {
    /// Where the parameters go.
    package enum Encoding: String, Sendable, CaseIterable { case form, json, query, none }

    /// The HTTP method.
    package var method = "POST"
    /// The endpoint; https, or http to this host's loopback.
    package var url: Template
    /// How the client identifies itself.
    package var clientAuthentication = ClientAuthentication.post
    /// Over the base `none` a profile lists every parameter that it sends, `client_id` included.
    package var sendsListedParametersOnly = false
    /// Where ``parameters`` go.
    package var encoding = Encoding.form
    /// Names on the wire by RFC name.
    package var parameterNames: [String: String] = [:]
    /// Under their RFC names, in order; the client's own are added when it is rendered.
    package var parameters: [NamedTemplate] = []
    /// Fields of the URL's query, whatever the encoding.
    package var query: [NamedTemplate] = []
    /// Header fields besides those that the encoding brings.
    package var headers: [NamedTemplate] = []
    /// The signed assertions that it names; `client` among them when the client authenticates by
    /// one.
    package var assertions: [String: AssertionSpecification] = [:]
    /// The client's certificate and its key: a path, or the PEM text itself.
    package var certificate: Template?
    /// The certificate's key, likewise.
    package var privateKey: Template?
    /// PEM bundle that replaces the system's authorities for this endpoint.
    package var caFile: String?
    /// The provider's proxy setting.
    package var proxy: ProxyChoice?
}

/// A parameter, query field or header.
package struct NamedTemplate: Sendable, Equatable {
    /// The name on the wire, unless ``RequestSpecification/parameterNames`` has another one.
    package var name: String
    /// Omitted when one of its variables is unset.
    package var value: TemplatedValue
}

/// A JSON value whose strings are templates.
package indirect enum TemplatedValue: Sendable, Equatable {
    case literal(JSONNode)
    case template(Template)
    case array([TemplatedValue])
    case object([TemplatedMember])

    /// `nil` when a variable is unset; in arrays and objects only that part is omitted.
    package func value(in context: TemplateContext) -> JSONNode? {
        switch self {
        case .literal(let node): node
        case .template(let template): template.value(in: context)
        case .array(let parts): .array(parts.compactMap { $0.value(in: context) })
        case .object(let members):
            .object(members.map { ($0.key, $0.value.value(in: context)) })
        }
    }

    /// The text, if it never changes.
    var constant: String? {
        switch self {
        case .literal(let node): node.text
        case .template(let template): template.constant
        case .array, .object: nil
        }
    }

    var templates: [Template] {
        switch self {
        case .literal: []
        case .template(let template): [template]
        case .array(let parts): parts.flatMap(\.templates)
        case .object(let members): members.flatMap(\.value.templates)
        }
    }

    package var variables: Set<String> {
        switch self {
        case .literal: []
        case .template(let template): template.variables
        case .array(let parts): parts.reduce(into: []) { $0.formUnion($1.variables) }
        case .object(let members): members.reduce(into: []) { $0.formUnion($1.value.variables) }
        }
    }
}

/// One member of an object with templates inside.
package struct TemplatedMember: Sendable, Equatable {
    /// The member's name.
    package var key: String
    /// Omitted when one of its variables is unset.
    package var value: TemplatedValue
}
