internal import TokenFormats

/// Reads a profile's `response`.
struct ResponseSpecificationReading {
    let object: ObjectReader
    /// Whether its access token becomes the credential's token.
    let isLast: Bool

    init(_ object: ObjectReader, isLast: Bool) { (self.object, self.isLast) = (object, isLast) }

    func read() -> ResponseSpecification? {
        let format = object.take("format")?
            .choice(ResponseSpecification.Format.allCases.map { ($0.rawValue, $0) })
        let success = (object.take("success")?.array() ?? []).compactMap { $0.condition() }
        let root = object.take("root")?.pointer()
        let token =
            isLast
            ? object.require("access_token", "\"/access_token\"") : object.take("access_token")
        let accessToken = token?.selector()
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
        let jwtExpiry = object.take("jwt_expiry")?.bool()
        let keep = (object.take("keep")?.object()?.takeAll() ?? []).compactMap { name, key, value in
            if reservedNames.contains(name) {
                key.mistake("is a key of token.json itself", "choose another name")
            }
            key.requireIdentifier(name)
            return value.selector().map { NamedSelector(name: name, selector: $0) }
        }
        object.finish()
        guard accessToken != nil || (!isLast && token == nil) else { return nil }
        return ResponseSpecification(
            format: format ?? .auto, success: success, root: root, accessToken: accessToken,
            refreshToken: refreshToken, tokenType: tokenType, scope: scope, expires: expires,
            refreshExpires: refreshExpires, defaultLifetime: defaultLifetime,
            zeroLifetime: zero, readsJWTExpiry: jwtExpiry ?? true, keep: keep)
    }

    /// Names that `keep` cannot use, because `token.json` has them. `issued_at` there is always the
    /// daemon's; a provider's value can be kept for templates.
    private let reservedNames: Set<String> = [
        "access_token", "token_type", "scope", "expires_at", "credential", "provider",
        "refresh_token",
    ]
}

extension JSONNode {
    /// The text that conditions compare; `null` is spelled out.
    var conditionText: String? { isNull ? "null" : canonicalText }
}

extension FieldReader {
    /// Templates refer to it, so it must be an identifier.
    package func requireIdentifier(_ name: String) {
        let isLetter = { (byte: UInt8) in
            byte == 0x5F || (byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7A)
        }
        guard let first = name.utf8.first, isLetter(first),
            name.utf8.allSatisfy({ isLetter($0) || isDigit($0) })
        else {
            return mistake("is not a name that templates can use", "use letters, digits and _")
        }
    }

    func pointer() -> JSONPointer? {
        guard let text = string("\"/access_token\"") else { return nil }
        guard let pointer = JSONPointer(text) else {
            mistake("is not a JSON Pointer (RFC 6901)", "write \"/access_token\" or \"\"")
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
                return object.take("value")?.template().map(ResponseSelector.value)
            }
            if members.contains(where: { $0.key == "jwt_claim" }) { return jwtClaim(object) }
            if members.contains(where: { $0.key == "step" }) {
                let step = object.take("step")?.nonEmptyString("\"token\"")
                let pointer = object.require("path", "\"/instance_url\"")?.pointer()
                guard let step, let pointer else { return nil }
                return .step(step, pointer)
            }
            let pointer = object.require("path", "\"/message\"")?.pointer()
            let pattern = object.require("regex", "\"([0-9]+)\"")?.pattern()
            guard let pointer, let pattern else { return nil }
            return .matching(pointer, pattern)
        default: return wrongType("a JSON Pointer, such as \"/access_token\"")
        }
    }

    /// Reads `exp`, or `/a/b` for a nested claim.
    private func jwtClaim(_ object: ObjectReader) -> ResponseSelector? {
        let claim = object.take("jwt_claim")
        let text = claim?.nonEmptyString("\"exp\"")
        let of = object.take("of")?.selector()
        guard let text else { return nil }
        guard let pointer = JSONPointer(text.hasPrefix("/") ? text : "/" + text) else {
            claim?.mistake("is not a JSON Pointer (RFC 6901)", "write \"exp\" or \"/a/b\"")
            return nil
        }
        return .jwtClaim(pointer, of: of)
    }

    func expiry() -> ExpirySpecification? {
        guard let object = object() else { return nil }
        let from = object.require("from", "\"/expires_in\"")?.selector()
        let place = object.take("zone")
        let zone = place?.zone()
        let encoding = object.take("as")?.expiryEncoding(zone: zone ?? 0)
        if let encoding, case .dateTime = encoding {
        } else if let place, zone != nil {
            place.mistake("is only for dates", "remove it, or write \"as\": \"datetime:…\"")
        }
        object.finish()
        return from.map { ExpirySpecification(from: $0, encoding: encoding ?? .seconds) }
    }

    private func expiryEncoding(zone: Int) -> ExpirySpecification.Encoding? {
        let choices: [(String, ExpirySpecification.Encoding)] = [
            ("seconds", .seconds), ("milliseconds", .milliseconds), ("minutes", .minutes),
            ("hours", .hours), ("epoch_seconds", .epochSeconds),
            ("epoch_milliseconds", .epochMilliseconds), ("rfc3339", .rfc3339),
            ("iso8601_duration", .iso8601Duration), ("text_duration", .textDuration),
            ("days_hh_mm", .daysHoursMinutes), ("auto", .auto),
        ]
        guard let text = node.text, text.hasPrefix("datetime:") else {
            return choice(choices + [("datetime:yyyy-MM-dd HH:mm:ss", .auto)])
        }
        guard let pattern = DateTimePattern(String(text.dropFirst("datetime:".count))),
            pattern.hasDate
        else {
            mistake(
                "is not a supported date pattern",
                "write it with yyyy M MM MMM d dd H HH h hh a m mm s ss SSS Z X XXX z EEE and "
                    + "'text', such as \"datetime:yyyyMMddHHmmssZ\"")
            return nil
        }
        return .dateTime(pattern, zone: zone)
    }

    private func zone() -> Int? {
        guard let text = string("\"+08:00\"") else { return nil }
        guard let offset = DateTimePattern.offset(of: text) else {
            mistake("is not an offset from UTC", "write \"UTC\" or an offset such as \"+08:00\"")
            return nil
        }
        return offset
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
