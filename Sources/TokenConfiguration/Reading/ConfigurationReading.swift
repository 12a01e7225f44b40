package import TokenFormats
internal import TokenProviders

/// One configuration file with its contents.
package struct ConfigurationFile: Sendable {
    package var path: String
    package var bytes: [UInt8]
    /// Permission bits of the file.
    package var mode: UInt32

    package init(path: String, bytes: [UInt8], mode: UInt32) {
        (self.path, self.bytes, self.mode) = (path, bytes, mode)
    }
}

extension Configuration {
    /// Bytes of the largest file that is read.
    package static let maximumFileSize = 1 << 20

    /// Reads the main file and its drop-ins, in that order.
    ///
    /// - Throws: Every mistake in all of them at once.
    package static func read(
        main: ConfigurationFile, dropIns: [ConfigurationFile] = []
    ) throws(ConfigurationMistakes) -> Configuration {
        let (configuration, warnings) = try readTolerantly(main: main, dropIns: dropIns)
        if !warnings.isEmpty { throw ConfigurationMistakes(warnings) }
        return configuration
    }

    /// Reads a configuration that the previous version may have accepted: what that version
    /// tolerated is returned as warnings, for one release.
    package static func readTolerantly(
        main: ConfigurationFile, dropIns: [ConfigurationFile] = []
    ) throws(ConfigurationMistakes) -> (Configuration, warnings: [ConfigurationMistake]) {
        let reading = ConfigurationReading([main] + dropIns)
        return try reading.result(reading.finish())
    }

    /// One name per file, whether it is written relative to the token directory or absolute.
    func place(of output: OutputSpecification) -> String {
        guard let root = tokenDirectory, output.path.hasPrefix(root + "/") else {
            return output.path
        }
        return String(output.path.dropFirst(root.count + 1))
    }
}

/// The work of ``Configuration/read(main:dropIns:)``: collects providers and credentials from all
/// files first, because either may refer to the other across files.
final class ConfigurationReading {
    private(set) var documents: [ConfigurationDocument] = []
    fileprivate var configuration = Configuration()
    private var defaults = CredentialDefaults()
    private(set) var providers: [String: ProviderSource] = [:]
    private(set) var credentials: [(name: String, field: FieldReader)] = []
    private var firstSeen: [String: String] = [:]

    init() {}

    /// - Parameter files: The main file first.
    init(_ files: [ConfigurationFile]) {
        for (index, file) in files.enumerated() { addFile(file, isMain: index == 0) }
    }

    /// Whether there are neither mistakes nor warnings.
    var isFlawless: Bool {
        documents.allSatisfy { $0.mistakes.isEmpty && $0.tightened.isEmpty }
    }

    /// - Parameter configuration: What ``finish(only:alsoUsed:)`` returned.
    /// - Throws: Every mistake in all files at once.
    func result(
        _ configuration: Configuration
    ) throws(ConfigurationMistakes) -> (Configuration, warnings: [ConfigurationMistake]) {
        let tightened = Self.onceEach(documents.flatMap(\.tightened))
        let mistakes = Self.onceEach(documents.flatMap(\.mistakes))
        // Report everything in one run when the configuration is refused anyway.
        if !mistakes.isEmpty { throw ConfigurationMistakes(mistakes + tightened) }
        return (configuration, tightened)
    }

    /// Drops duplicates: a provider that several credentials use is read more than once.
    private static func onceEach(_ found: [ConfigurationMistake]) -> [ConfigurationMistake] {
        var places: Set<ConfigurationMistake.Place> = []
        return found.filter { places.insert($0.place).inserted }
    }

    func addFile(_ file: ConfigurationFile, isMain: Bool) {
        let document = ConfigurationDocument(file: file.path, bytes: file.bytes, mode: file.mode)
        documents.append(document)
        guard file.bytes.count <= Configuration.maximumFileSize else {
            document.record(at: 0, path: "", "is larger than 1 MiB", "split it into conf.d files")
            return
        }
        let root: JSONNode
        do { root = try JSONReader.read(file.bytes) } catch {
            document.record(
                at: error.offset, path: "", error.problem, "correct the JSON (RFC 8259)")
            return
        }
        guard
            let object = FieldReader(root, path: "", fallbackOffset: 0, document: document)
                .object()
        else { return }
        if isMain {
            _ = object.take("$schema")?.string("\"evertoken.schema.json\"")
            readMainKeys(object)
        }
        collect(object)
        object.finish()
        InlineSecrets(document).refuse(in: root)
    }

    private func collect(_ object: ObjectReader) {
        for (name, key, value) in object.take("providers")?.object()?.takeAll() ?? [] {
            guard isNew("provider", name, key) else { continue }
            if BuiltInProfiles.parameters(ofBase: name) != nil {
                key.mistake("is the name of a built-in base", "choose another name")
            }
            providers[name] = ProviderSource(node: value.node, field: value)
        }
        for (name, key, value) in object.take("credentials")?.object()?.takeAll() ?? [] {
            guard isNew("credential", name, key) else { continue }
            credentials.append((name, value))
        }
    }

    private func isNew(_ kind: String, _ name: String, _ key: FieldReader) -> Bool {
        guard isConfiguredName(name) else {
            key.mistake(
                "is not a valid name",
                "use 1 to 64 of a-z 0-9 . _ - and start with a letter or digit")
            return false
        }
        let file = key.document.file
        if let other = firstSeen["\(kind) \(name)"] {
            key.mistake("\(kind) \"\(name)\" is given in \(other) and in \(file)", "keep one")
            return false
        }
        firstSeen["\(kind) \(name)"] = file
        return true
    }

    private func readMainKeys(_ object: ObjectReader) {
        configuration.tokenDirectory = object.take("token_dir")?.path("/run/evertoken")
        configuration.stateDirectory = object.take("state_dir")?.path("/var/lib/evertoken")
        configuration.controlSocket = object.take("control_socket")?
            .socketPath("/run/evertoken/control.sock")
        readCredentialSocket(object.take("credential_socket"))
        if let control = object.take("control")?.object() {
            configuration.control = readControl(control)
        }
        if let metrics = object.take("metrics")?.object() {
            configuration.metricsListen = metrics.require("listen", "\"127.0.0.1:9464\"")?
                .loopbackAddress()
            metrics.finish()
        }
        configuration.readyTimeout = object.take("ready_timeout")?.duration() ?? .seconds(60)
        configuration.maxInFlight = object.take("max_in_flight")?.integer(in: 1...1024) ?? 64
        configuration.slotSize =
            object.take("slot_size")?.integer(in: 65_536...1_048_576) ?? 65_536
        configuration.allowUnsafeState = object.take("allow_unsafe_state")?.bool() ?? false
        configuration.caFile = object.take("ca_file")?.path("/etc/evertoken/ca.pem")
        configuration.proxy.standard = object.take("proxy")?.proxyURL()
        configuration.proxy.exceptions = object.take("no_proxy")?.proxyExceptions() ?? []
        configuration.logLevel = object.take("log_level")?
            .choice(LogLevel.allCases.map { ($0.name, $0) })
        if let field = object.take("defaults")?.object() {
            defaults = CredentialDefaults(reading: field)
        }
    }

    private func readCredentialSocket(_ field: FieldReader?) {
        guard let path = field?.socketPath("/run/evertoken/credentials.sock") else { return }
        if path == configuration.controlSocket {
            field?.mistake("is the control socket's path too", "give each a path of its own")
        }
        configuration.credentialSocket = path
    }

    private func readControl(_ object: ObjectReader) -> ControlPolicy {
        var policy = ControlPolicy()
        policy.mode = object.take("mode")?.fileMode() ?? 0o660
        policy.group = object.take("group")?.nonEmptyString("\"evertoken\"")
        for entry in object.take("allow")?.array() ?? [] {
            guard let peer = entry.object() else { continue }
            let user = peer.take("user")?.accountName()
            let group = peer.take("group")?.accountName()
            peer.finish()
            switch (user, group) {
            case (let user?, nil): policy.allow.append(.user(user))
            case (nil, let group?): policy.allow.append(.group(group))
            default:
                entry.mistake(
                    "must name one user or one group", "write {\"user\": \"backup\"}")
            }
        }
        object.finish()
        return policy
    }

    /// - Parameters:
    ///   - paths: Only credentials in these files; `nil` for all of them.
    ///   - providers: The providers that other credentials use.
    func finish(
        only paths: Set<String>? = nil, alsoUsed providers: Set<String> = []
    ) -> Configuration {
        let profiles = ProfileCatalogue(configured: self.providers)
        for (name, source) in self.providers.sorted(by: { $0.key < $1.key }) {
            _ = profiles.profile(named: name, usedBy: source.field)
        }
        var outputs: [String: String] = [:]
        outputs.reserveCapacity(2 * credentials.count)
        let (claims, needs) = (UnitClaims(), SharedNeeds())
        let wanted = credentials.filter { paths?.contains($0.field.document.file) ?? true }
        for (name, field) in wanted.sorted(by: { $0.name < $1.name }) {
            let reading = CredentialReading(
                name: name, field: field, defaults: defaults, claims: claims, needs: needs)
            guard var credential = reading.read(profiles: profiles) else { continue }
            InlineSecrets(field.document).refuse(in: credential, field)
            credential.caFile = configuration.caFile
            credential.proxy.standard = configuration.proxy.standard
            if field.node["no_proxy"] == nil {
                credential.proxy.exceptions = configuration.proxy.exceptions
            }
            for output in credential.outputs {
                let place = configuration.place(of: output)
                if let other = outputs.updateValue(name, forKey: place) {
                    field.mistake(
                        "output \"\(output.path)\" is already written for \"\(other)\"",
                        "give each output a path of its own")
                }
            }
            configuration.credentials.append(credential)
        }
        configuration.providerFindings = findings(of: profiles, alsoUsed: providers)
        return configuration
    }
}

/// `[a-z0-9][a-z0-9_.-]{0,63}`
package func isConfiguredName(_ name: String) -> Bool {
    let isPlain = { (byte: UInt8) in isDigit(byte) || (byte >= 0x61 && byte <= 0x7A) }
    guard (1...64).contains(name.utf8.count), let first = name.utf8.first, isPlain(first) else {
        return false
    }
    return name.utf8.allSatisfy { isPlain($0) || $0 == 0x5F || $0 == 0x2E || $0 == 0x2D }
}
