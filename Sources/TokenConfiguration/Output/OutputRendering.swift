package import TokenFormats
package import TokenProviders

/// The values that outputs show of a token.
package struct PublishedToken: Sendable, Equatable {
    package var credential: String
    package var provider: String
    package var access: GrantedAccess

    package init(credential: String, provider: String, access: GrantedAccess) {
        (self.credential, self.provider, self.access) = (credential, provider, access)
    }

    /// The bytes of one output file; `nil` when a template names a value that does not exist.
    package func bytes(as format: OutputSpecification.Format) -> [UInt8]? {
        let token = access.token.reveal()
        switch format {
        case .raw: return Array(token.utf8)
        case .json: return json.serialized(indented: true) + [0x0A]
        case .header: return Array("\(authorizationHeader)\n".utf8)
        case .env: return Array("\(environmentName)_ACCESS_TOKEN=\(shellQuoted(token))\n".utf8)
        case .curl:
            return TextQuoting.curl.quote(authorizationHeader).map {
                Array("header = \($0)\n".utf8)
            }
        case .template(let template):
            return template.text(in: context).map { Array($0.utf8) }
        }
    }

    /// `token.json` (Contract 2.7).
    package var json: JSONNode { TokenReply(self).json }

    private var environmentName: String { Self.environmentName(of: credential) }

    /// The common prefix of a credential's environment variables.
    static func environmentName(of credential: String) -> String {
        let bytes = credential.utf8.map { byte -> UInt8 in
            switch byte {
            case 0x61...0x7A: byte - 32
            case 0x30...0x39: byte
            default: 0x5F
            }
        }
        let name = String(decoding: bytes, as: UTF8.self)
        return name.first?.isNumber == true ? "_" + name : name
    }

    private var context: TemplateContext {
        var context = TemplateContext(
            nonce: RequestNonce(
                uuid: RequestNonce.placeholder.uuid, random: RequestNonce.placeholder.random,
                now: access.sentAt.wall))
        context.set(.accessToken, access.token.reveal())
        context.set(.tokenType, access.tokenType)
        context.set(.scope, access.scope)
        if let end = access.expiresAt {
            context.values[ContextVariable.expiresAt.rawValue] = .integer(end.epochSeconds)
        }
        for kept in access.keep { context.values["keep." + kept.key] = kept.value }
        return context
    }
}

/// Unchanged when every byte is safe for systemd's `EnvironmentFile=` and for a shell; otherwise in
/// double quotes with the escapes that both undo.
private func shellQuoted(_ text: String) -> String {
    if TextQuoting.isHarmless(text) { return text }
    let escaped = text.utf8.flatMap { byte -> [UInt8] in
        "\"\\$`".utf8.contains(byte) ? [UInt8(ascii: "\\"), byte] : [byte]
    }
    return "\"\(String(decoding: escaped, as: UTF8.self))\""
}
