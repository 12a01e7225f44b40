internal import TokenFormats
internal import TokenProviders

/// Refuses secrets in the configuration itself when other users can read the file.
struct InlineSecrets {
    private let document: ConfigurationDocument

    init(_ document: ConfigurationDocument) { self.document = document }

    private static let problem = "is a secret in a file that others can read"
    private var remedy: String { "run: chmod 0640 \(document.file)" }

    /// Checks what needs no profile.
    func refuse(in root: JSONNode) {
        guard document.mode & 0o007 != 0 else { return }
        for member in root["credentials"]?.members ?? [] {
            for key in ["client_secret", "refresh_token"] {
                guard let value = member.value[key], value.text != nil else { continue }
                document.record(
                    at: value.offset, path: "credentials.\(member.key).\(key)", Self.problem,
                    remedy)
            }
        }
        if let proxy = root["proxy"], proxy.text.map(Self.hasPassword) == true {
            document.recordTightened(at: proxy.offset, path: "proxy", Self.problem, remedy)
        }
        refuseProxies(in: root)
        refuseDefaults(in: root)
        refuseKeys(in: root, path: "")
    }

    /// A password in the URL of a credential's or a provider's proxy.
    private func refuseProxies(in root: JSONNode) {
        func refuse(_ proxy: JSONNode?, _ path: String) {
            guard let proxy, proxy.text.map(Self.hasPassword) == true else { return }
            document.record(at: proxy.offset, path: path, Self.problem, remedy)
        }
        for member in root["credentials"]?.members ?? [] {
            refuse(member.value["proxy"], "credentials.\(member.key).proxy")
        }
        for member in root["providers"]?.members ?? [] {
            let place = "providers.\(member.key)"
            for key in ["", "acquire.", "authorization."] {
                let part = key.isEmpty ? member.value : member.value[String(key.dropLast())]
                refuse(part?["request"]?["proxy"], "\(place).\(key)request.proxy")
            }
            for (index, step) in (member.value["steps"]?.elements ?? []).enumerated() {
                refuse(step["request"]?["proxy"], "\(place).steps[\(index)].request.proxy")
            }
        }
    }

    /// A variable that a configured provider declares secret and gives a default.
    private func refuseDefaults(in root: JSONNode) {
        for provider in root["providers"]?.members ?? [] {
            for variable in provider.value["variables"]?.members ?? [] {
                let path = "providers.\(provider.key).variables.\(variable.key).default"
                guard variable.value["secret"]?.flag == true, let value = variable.value["default"],
                    !(value.text.map(Self.isPrivateKey) ?? false)
                else { continue }
                document.recordTightened(at: value.offset, path: path, Self.problem, remedy)
            }
        }
    }

    /// A private key anywhere: in a variable, an assertion of a profile, a client certificate.
    private func refuseKeys(in node: JSONNode, path: String) {
        switch node.kind {
        case .string(let text):
            guard Self.isPrivateKey(text) else { return }
            document.recordTightened(at: node.offset, path: path, Self.problem, remedy)
        case .object(let members):
            for member in members {
                refuseKeys(
                    in: member.value, path: path.isEmpty ? member.key : "\(path).\(member.key)")
            }
        case .array(let elements):
            for (index, element) in elements.enumerated() {
                refuseKeys(in: element, path: "\(path)[\(index)]")
            }
        case .null, .bool, .number: return
        }
    }

    /// Variables that the credential's profile declares secret.
    ///
    /// - Parameter field: The credential.
    func refuse(in credential: CredentialConfiguration, _ field: FieldReader) {
        guard document.mode & 0o007 != 0 else { return }
        for (name, source) in credential.variables.sorted(by: { $0.key < $1.key }) {
            let variable = credential.profile.variables[name]
            guard variable?.isFromFile != true, case .literal = source,
                let value = field.node["variables"]?[name],
                variable?.isSecret == true || credential.profile.isKey(name, value),
                !(value.text.map(Self.isPrivateKey) ?? false)
            else { continue }
            document.recordTightened(
                at: value.offset, path: "\(field.path).variables.\(name)", Self.problem, remedy)
        }
    }

    /// PEM (RFC 7468), or a JWK with its private part (RFC 7517 section 4, RFC 7518 section 6).
    private static func isPrivateKey(_ text: String) -> Bool {
        if text.containsBytes(of: "PRIVATE KEY-----") { return true }
        guard text.utf8.first == UInt8(ascii: "{"), let key = try? JSONReader.read(Array(text.utf8))
        else { return false }
        return key["kty"] != nil && (key["d"] != nil || key["k"] != nil)
    }

    /// `http://user:password@host` (RFC 3986 section 3.2.1).
    private static func hasPassword(_ url: String) -> Bool {
        guard let scheme = url.firstRange(of: "://") else { return false }
        let authority = url[scheme.upperBound...].prefix { $0 != "/" }
        guard let at = authority.lastIndex(of: "@") else { return false }
        return authority[..<at].contains(":")
    }
}

extension ProviderProfile {
    /// Whether a variable's own text is a signing key of any form, rather than the path of its
    /// file.
    fileprivate func isKey(_ name: String, _ value: JSONNode) -> Bool {
        guard let text = value.text, !text.hasPrefix("/"), !text.hasPrefix("./") else {
            return false
        }
        let requests = allExchanges.map(\.request)
        return name == "private_key" || requests.contains { $0.signingKeys.contains(name) }
            || requests.flatMap(\.assertions.values).contains { $0.key.variables.contains(name) }
    }
}
