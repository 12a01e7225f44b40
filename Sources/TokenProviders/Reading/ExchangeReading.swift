internal import TokenFormats

/// Reads the exchanges of a profile: its own request and response or its steps, and the exchanges
/// of `acquire` and of the authorization code, which derive from them.
struct ExchangeReading {
    let profile: FieldReader
    let base: (_ name: String, _ place: FieldReader) -> JSONNode?
    /// The built-in base at the bottom of a profile's chain.
    let rootOf: (_ name: String) -> String
    let root: String
    let assertions: FieldReader?
    /// The access token is its own refresh credential.
    let isAccessTokenGrant: Bool
    let errors: [ErrorRule]

    struct Exchanges {
        var refresh: [TokenExchange]
        var acquire: [TokenExchange]?
        var code: [TokenExchange]
        var device: [TokenExchange]
        /// Whether the profile says how a code is exchanged.
        var exchangesCode: Bool
    }

    /// An exchange as JSON, before it is read.
    private struct Source {
        var id = ""
        var request: FieldReader?
        var response: FieldReader?
        var isCached = false
        /// Whether its access token becomes the credential's token.
        var isLast = true
        /// Whether the built-in base below it is `none`.
        var sendsListedParametersOnly = false
    }

    func read(
        request: FieldReader?, response: FieldReader?, steps: FieldReader?, acquire: FieldReader?,
        signIn: FieldReader?
    ) -> Exchanges? {
        var sources = [
            Source(request: request, response: response, sendsListedParametersOnly: root == "none")
        ]
        if let steps {
            guard let read = self.sources(steps) else { return nil }
            sources = read
            for part in [request, response].compactMap({ $0 }) {
                part.mistake("is not used beside \"steps\"", "move it into a step")
            }
        } else if request == nil {
            profile.mistake("\"request\" is missing", "add its \"url\"")
        }
        let patches = [acquire, signIn].compactMap { $0?.node["request"] }
        let methods = (sources.compactMap { $0.request?.node } + patches).compactMap {
            $0["client_auth"]?.text.flatMap(ClientAuthentication.init)
        }
        let assertions = AssertionReading.read(
            self.assertions, profile: profile, methods: methods)
        let refresh = sources.compactMap { exchange($0, assertions) }
        guard refresh.count == sources.count else { return nil }
        // The step that a sign-in or an acquired grant replaces.
        let start = refresh.firstIndex(where: \.spendsGrant) ?? 0
        func replaced(_ base: String, patch: FieldReader?) -> [TokenExchange]? {
            guard let new = derived(base, patch: patch, from: sources[start]),
                let exchange = exchange(new, assertions)
            else { return nil }
            var exchanges = refresh
            exchanges[start] = exchange
            var place = sources
            place[start] = new
            if patch != nil, base != "device_code" {
                checkNames(exchanges, sources: place, assertions: assertions)
            }
            return linked(exchanges)
        }
        guard let code = replaced("authorization_code", patch: signIn),
            let device = replaced("device_code", patch: signIn.map(Self.ofDevice))
        else { return nil }
        let exchangesCode =
            !sources[start].sendsListedParametersOnly || signIn?.node["request"] != nil
        var acquired: [TokenExchange]?
        if let acquire, let base = acquireBase(acquire) {
            acquired = replaced(base, patch: acquire)
        }
        checkNames(refresh, sources: sources, assertions: assertions)
        for (step, _) in errors.flatMap(\.stepPointers)
        where !refresh.contains(where: { $0.id == step }) {
            complain(at: nil, "an error rule looks at step \"\(step)\"", "name one of the steps")
        }
        return Exchanges(
            refresh: linked(refresh), acquire: acquired, code: code, device: device,
            exchangesCode: exchangesCode)
    }

    private func sources(_ steps: FieldReader) -> [Source]? {
        guard let elements = steps.nonEmptyArray() else { return nil }
        if elements.count < 2 {
            steps.mistake("is one step", "write its \"request\" and \"response\" directly")
        }
        var seen: Set<String> = []
        let sources = elements.enumerated().compactMap { index, element -> Source? in
            guard let object = element.object() else { return nil }
            let place = object.require("id", "\"token\"")
            guard let place, let id = place.nonEmptyString("\"token\"") else { return nil }
            place.requireIdentifier(id)
            if !seen.insert(id).inserted {
                place.mistake("names two steps", "give each a name of its own")
            }
            let isLast = index == elements.count - 1
            let isCached = object.take("cache")?.bool() ?? false
            if isCached, isLast {
                object.take("cache")?.mistake(
                    "the last step's token is the credential's own", "remove \"cache\"")
            }
            let parent = object.take("extends")?.nonEmptyString("\"none\"") ?? "none"
            let request = object.require("request", "{\"url\": \"https://id.example/token\"}")
            let hasRequest = request?.object() != nil
            _ = object.take("response")
            object.finish()
            guard hasRequest, let below = base(parent, object.take("extends") ?? element) else {
                return nil
            }
            let merged = mergePatch(below.withoutPositions, element.node)
            let part = { (key: String) in merged[key].map { element.child($0, "." + key) } }
            return Source(
                id: id, request: part("request"), response: part("response"), isCached: isCached,
                isLast: isLast, sendsListedParametersOnly: rootOf(parent) == "none")
        }
        // The missing part is already reported; checks of later steps would only report
        // consequences.
        return sources.count == elements.count ? sources : nil
    }

    private func exchange(
        _ source: Source, _ assertions: Assertions
    ) -> TokenExchange? {
        let request = source.request?.object().flatMap { RequestReading(object: $0).read() }
        let response = source.response?.object()
            .flatMap { ResponseSpecificationReading($0, isLast: source.isLast).read() }
        if source.response == nil {
            complain(
                at: source.request, "has no \"response\"",
                "leave the key out for what its base reads, or write what to read")
        }
        guard var request, var response else { return nil }
        request.sendsListedParametersOnly = source.sendsListedParametersOnly
        if request.clientAuthentication.sendsAssertion {
            request.assertions[AssertionReading.client] =
                assertions.clients[request.clientAuthentication]
        }
        for (name, assertion) in assertions.named
        where request.ownVariables.contains("assertions.\(name)") {
            request.assertions[name] = assertion
        }
        var spent: Set<String> = ["refresh_token", "code", "device_code"]
        if isAccessTokenGrant {
            spent.insert("access_token")
            if source.isLast { response.refreshToken = response.accessToken }
        }
        var exchange = TokenExchange(
            id: source.id, request: request, response: response, isCached: source.isCached)
        exchange.spendsGrant = request.variables.contains { name in
            spent.contains(name) || (name.hasPrefix("steps.") && name.hasSuffix(".refresh_token"))
        }
        return exchange
    }

    /// Tells earlier exchanges which parts of their responses later steps read.
    private func linked(_ exchanges: [TokenExchange]) -> [TokenExchange] {
        let wanted = exchanges.flatMap(\.response.stepPointers) + errors.flatMap(\.stepPointers)
        return exchanges.map { exchange in
            var exchange = exchange
            let pointers = wanted.filter { $0.step == exchange.id }.map(\.pointer)
            exchange.laterPointers = pointers.reduce(into: []) { unique, pointer in
                if !unique.contains(pointer) { unique.append(pointer) }
            }
            return exchange
        }
    }

    private func acquireBase(_ acquire: FieldReader) -> String? {
        guard let object = acquire.object() else { return nil }
        let base = object.take("extends")?.choice([
            ("client_credentials", "client_credentials"), ("none", "none"),
        ])
        _ = object.take("request")?.object()
        _ = object.take("response")?.object()
        object.finish()
        return base ?? "client_credentials"
    }

    /// A merge patch over the profile's own exchange, with the parameters of another base.
    private func derived(_ base: String, patch: FieldReader?, from own: Source) -> Source? {
        guard let request = own.request, let response = own.response,
            let parameters = BuiltInProfiles.parameters(ofBase: base)
        else { return nil }
        var members = request.node.members ?? []
        let ownParameters = request.node["params"]?.members ?? []
        members.removeAll { $0.key == "params" }
        var all = parameters.members ?? []
        if base == "authorization_code" || base == "device_code" {
            // Keeps the profile's own parameters, except those of the grant and those made from it.
            all += ownParameters.filter { own in
                !grantParameters.contains(own.key) && !own.value.mentionsGrant
                    && !all.contains { $0.key == own.key }
            }.map { JSONMember($0.key, $0.value.withoutPositions, keyOffset: -1) }
        }
        members.append(JSONMember("params", JSONNode(.object(all)), keyOffset: -1))
        let empty = JSONNode(.object([]), offset: -1)
        // The profile's own mistakes were recorded when its own exchange was read; this reading
        // reports only those of the patch.
        let place = patch ?? profile
        // The patch over a code's exchange is also read only once, not again for the device code.
        let isSilent = patch == nil || base == "device_code"
        let document =
            isSilent ? ConfigurationDocument(file: "", bytes: []) : place.document
        func part(_ key: String, _ node: JSONNode) -> FieldReader {
            FieldReader(
                mergePatch(node, patch?.node[key] ?? empty), path: place.path + "." + key,
                fallbackOffset: place.fallbackOffset, document: document)
        }
        var source = own
        if base == "none" || base == "client_credentials" {
            source.sendsListedParametersOnly = base == "none"
        }
        source.request = part("request", JSONNode(.object(members), offset: request.node.offset))
        source.response = part("response", response.node)
        return source
    }

    /// Checks that templates and selectors only name results of earlier steps and the profile's
    /// assertions.
    private func checkNames(
        _ exchanges: [TokenExchange], sources: [Source],
        assertions: Assertions
    ) {
        var known: Set<String> = Set(assertions.names.map { "assertions." + $0 })
        var done: Set<String> = []
        for (exchange, source) in zip(exchanges, sources) {
            for name in exchange.request.variables.sorted()
            where name.hasPrefix("steps.") || name.hasPrefix("assertions.") {
                if known.contains(name) { continue }
                complain(
                    at: source.request, "names ${\(name)}, which nothing before it gives",
                    nearest(name, among: known.sorted()).map { "write ${\($0)}" }
                        ?? "define it, or correct the name")
            }
            for name in exchange.response.templateVariables.sorted()
            where !known.contains(name) || !name.hasPrefix("steps.") {
                complain(
                    at: source.response,
                    "names ${\(name)}: a response knows only what earlier steps gave",
                    "write ${steps.ID.access_token}")
            }
            for (step, _) in exchange.response.stepPointers where !done.contains(step) {
                complain(
                    at: source.response, "looks at step \"\(step)\", which does not come before it",
                    "name an earlier step")
            }
            known.formUnion(exchange.response.names.map { "steps.\(exchange.id).\($0)" })
            done.insert(exchange.id)
        }
    }

    /// Records the mistake at the part, or at the profile for an inherited part.
    private func complain(at place: FieldReader?, _ problem: String, _ remedy: String) {
        if let place, place.node.offset >= 0 { return place.mistake(problem, remedy) }
        profile.document.record(
            at: profile.fallbackOffset, path: profile.path, problem, remedy)
    }
}
