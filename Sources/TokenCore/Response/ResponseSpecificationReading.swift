/// Reads a profile's `response`.
struct ResponseSpecificationReading {
    let object: ObjectReader

    init(_ object: ObjectReader) { self.object = object }

    func read() -> ResponseSpecification? {
        let format = object.take("format")?
            .choice(ResponseSpecification.Format.allCases.map { ($0.rawValue, $0) })
        let success = (object.take("success")?.array() ?? []).compactMap { $0.condition() }
        let root = object.take("root")?.pointer()
        let accessToken = object.require("access_token", "\"/access_token\"")?.selector()
        let refreshToken = object.take("refresh_token")?.selector()
        let tokenType = object.take("token_type")?.selector()
        let scope = object.take("scope")?.selector()
        let expires = object.take("expires")?.expiries() ?? []
        let refreshExpires = object.take("refresh_expires")?.expiries() ?? []
        var defaultLifetime: ResponseSpecification.DefaultLifetime?
        if let field = object.take("default_lifetime") {
            defaultLifetime =
                field.node.text == "never" ? .never : field.duration().map { .duration($0) }
        }
        let zero = object.take("zero_lifetime")?
            .choice(ResponseSpecification.ZeroLifetime.allCases.map { ($0.rawValue, $0) })
        let keep = (object.take("keep")?.object()?.takeAll() ?? []).compactMap { name, key, value in
            if reservedNames.contains(name) {
                key.mistake("is a key of token.json itself", "choose another name")
            }
            key.requireIdentifier(name)
            return value.selector().map { NamedSelector(name: name, selector: $0) }
        }
        object.finish()
        guard let accessToken else { return nil }
        return ResponseSpecification(
            format: format ?? .auto, success: success, root: root, accessToken: accessToken,
            refreshToken: refreshToken, tokenType: tokenType, scope: scope, expires: expires,
            refreshExpires: refreshExpires, defaultLifetime: defaultLifetime,
            zeroLifetime: zero ?? .unknown, keep: keep)
    }

    /// `keep` stands beside these in `token.json`.
    private let reservedNames: Set<String> = [
        "access_token", "token_type", "scope", "expires_at", "issued_at", "credential", "provider",
        "refresh_token",
    ]
}

extension JSONNode {
    /// What conditions compare: `null` has a name there.
    var conditionText: String? { isNull ? "null" : canonicalText }
}

extension FieldReader {
    /// Templates name it, so it must look like a name to them.
    func requireIdentifier(_ name: String) {
        let isLetter = { (byte: UInt8) in
            byte == 0x5F || (byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7A)
        }
        guard let first = name.utf8.first, isLetter(first),
            name.utf8.allSatisfy({ isLetter($0) || isDigit($0) })
        else {
            return mistake("is no name that templates can use", "use letters, digits and _")
        }
    }

    func pointer() -> JSONPointer? {
        guard let text = string("\"/access_token\"") else { return nil }
        guard let pointer = JSONPointer(text) else {
            mistake("is no JSON Pointer (RFC 6901)", "write \"/access_token\" or \"\"")
            return nil
        }
        return pointer
    }

    func selector() -> ResponseSelector? {
        switch node.kind {
        case .string: return pointer().map(ResponseSelector.pointer)
        case .array:
            guard let parts = nonEmptyArray() else { return nil }
            return .firstOf(parts.compactMap { $0.selector() })
        case .object(let members):
            let object = ObjectReader(self)
            defer { object.finish() }
            if members.contains(where: { $0.key == "header" }) {
                let name = object.take("header")?.nonEmptyString("\"Retry-After\"")
                let pattern = object.take("regex")?.pattern()
                return name.map { .header(name: $0, pattern: pattern) }
            }
            if members.contains(where: { $0.key == "value" }) {
                return object.take("value")?.string("\"0\"").map(ResponseSelector.value)
            }
            let pointer = object.require("path", "\"/message\"")?.pointer()
            let pattern = object.require("regex", "\"([0-9]+)\"")?.pattern()
            guard let pointer, let pattern else { return nil }
            return .matching(pointer, pattern)
        default: return wrongType("a JSON Pointer, such as \"/access_token\"")
        }
    }

    func expiry() -> ExpirySpecification? {
        guard let object = object() else { return nil }
        let from = object.require("from", "\"/expires_in\"")?.selector()
        let encoding = object.take("as")?
            .choice(ExpirySpecification.Encoding.allCases.map { ($0.rawValue, $0) })
        object.finish()
        return from.map { ExpirySpecification(from: $0, encoding: encoding ?? .seconds) }
    }

    func expiries() -> [ExpirySpecification] {
        if node.elements != nil { return (nonEmptyArray() ?? []).compactMap { $0.expiry() } }
        return [expiry()].compactMap { $0 }
    }

    func condition() -> ResponseCondition? {
        guard let object = object() else { return nil }
        var condition = ResponseCondition()
        if let status = object.take("status")?.nonEmptyArray() {
            condition.status = status.compactMap { $0.status() }
        }
        condition.path = object.take("path")?.selector()
        condition.isIn = object.take("in")?.canonicalTexts()
        condition.notIn = object.take("not_in")?.canonicalTexts()
        condition.matches = object.take("matches")?.pattern()
        condition.exists = object.take("exists")?.bool()
        object.finish()
        let tests = ["in", "not_in", "matches", "exists"].filter { node[$0] != nil }
        if node["path"] == nil, let first = tests.first {
            mistake("\"\(first)\" has no \"path\" to look at", "add \"path\": \"/error\"")
            return nil
        }
        if node["path"] != nil, tests.isEmpty {
            mistake("\"path\" is not tested", "add \"in\", \"not_in\", \"matches\" or \"exists\"")
            return nil
        }
        if node.members?.isEmpty == true {
            mistake("tests nothing", "add \"status\" or \"path\"")
            return nil
        }
        return condition
    }

    private func status() -> ResponseCondition.Status? {
        if let code = node.integer, 100...599 ~= code { return .exactly(Int(code)) }
        if let text = node.text, text.utf8.count == 3, text.hasSuffix("xx"),
            let hundred = Int(text.prefix(1)), 1...5 ~= hundred
        {
            return .hundred(hundred)
        }
        return wrongType("a status such as 429 or \"5xx\"")
    }

    private func canonicalTexts() -> [String]? {
        nonEmptyArray()?.compactMap { element in
            if let text = element.node.conditionText { return text }
            return element.wrongType("a text, number or boolean")
        }
    }
}
