internal import TokenFormats
internal import TokenProviders

/// Every file and directory that a configuration names and that can be checked, each once.
package struct CheckedPlaces: Sendable {
    package private(set) var all: [CheckedPlace] = []
    /// Programs without a directory.
    package private(set) var findings: [CheckFinding] = []
    private let base: String
    private let tokenDirectory: String
    private var seen: Set<CheckedPlace> = []

    /// - Parameters:
    ///   - credentials: The credentials to check.
    ///   - caFile: The CA file of the configuration, if it names one.
    ///   - base: The directory of the configuration file, for relative paths.
    ///   - tokenDirectory: Absolute; the base of relative outputs.
    package init(
        _ credentials: [CredentialConfiguration], caFile: String?, base: String,
        tokenDirectory: String
    ) {
        (self.base, self.tokenDirectory) = (base, tokenDirectory)
        if let caFile { add(nil, "ca_file", caFile, .authorities) }
        for credential in credentials {
            addSecrets(of: credential)
            addFiles(ofRequests: credential)
            for (index, hook) in credential.hooks.enumerated() {
                add(credential.name, "on_change[\(index)]", program: hook.arguments)
            }
            // A mount point can still be overwritten in place.
            for output in credential.outputs where !output.isWrittenInPlace {
                let path = output.isAbsolute ? output.path : "\(tokenDirectory)/\(output.path)"
                add(credential.name, "outputs", path, .output)
            }
        }
    }

    private mutating func add(
        _ credential: String?, _ key: String, _ path: String, _ kind: PlaceKind
    ) {
        let place = CheckedPlace(
            credential: credential, key: key,
            path: path.hasPrefix("/") ? path : "\(base)/\(path)", kind: kind)
        if seen.insert(place).inserted { all.append(place) }
    }

    private mutating func add(_ credential: String, _ key: String, program words: [String]) {
        guard let program = words.first else { return }
        let place = CheckedPlace(
            credential: credential, key: key, path: program, kind: .program)
        guard program.hasPrefix("/") else {
            return findings.append(place.finding(.programWithoutDirectory))
        }
        if seen.insert(place).inserted { all.append(place) }
    }

    private mutating func addSecrets(of credential: CredentialConfiguration) {
        let pem = credential.namesOfTLS
        for secret in credential.secrets {
            var isExact = false
            if case .exact = secret.source { isExact = true }
            var kind = PlaceKind.secret(secret.shape, isExact: isExact)
            if secret.key.hasPrefix("variables."),
                let wanted = pem[String(secret.key.dropFirst("variables.".count))]
            {
                kind = .secretPEM(wanted)
            }
            switch secret.source.place {
            case .file(let path): add(credential.name, secret.key, path, kind)
            case .command(let words): add(credential.name, secret.key, program: words)
            case .environment(let name):
                add(credential.name, secret.key, "/", .variable(name))
            // Only the service manager knows its path.
            case .credential, .inline, .exact: break
            }
        }
    }

    /// Certificates, their keys, and the certificate authorities of single providers.
    private mutating func addFiles(ofRequests credential: CredentialConfiguration) {
        for request in credential.profile.allExchanges.map(\.request) {
            if let file = request.caFile { add(credential.name, "tls.ca_file", file, .authorities) }
            for (template, key, kind) in [
                (request.certificate, "tls.certificate", PlaceKind.certificate),
                (request.privateKey, "tls.private_key", .privateKey),
            ] {
                guard let path = template?.text(in: credential.spelledOut),
                    !path.contains("-----BEGIN"), !path.isEmpty
                else { continue }
                add(credential.name, key, path, kind)
            }
        }
    }
}

extension CredentialConfiguration {
    /// The values that are literals in the configuration.
    fileprivate var spelledOut: TemplateContext {
        var context = TemplateContext(nonce: .placeholder)
        for (name, variable) in profile.variables { context.values[name] = variable.defaultValue }
        for (name, source) in variables {
            // A value from a source is checked at that source.
            context.values[name] = nil
            guard case .literal(let node) = source, profile.variables[name]?.isFromFile != true
            else { continue }
            context.values[name] = node
        }
        return context
    }

    /// Variables whose value is the text of the client's certificate or key.
    fileprivate var namesOfTLS: [String: PEMText.Kind] {
        var names: [String: PEMText.Kind] = [:]
        for request in profile.allExchanges.map(\.request) {
            for name in request.certificate?.variables ?? [] { names[name] = .certificate }
            for name in request.privateKey?.variables ?? [] { names[name] = .privateKey }
        }
        return names
    }
}
