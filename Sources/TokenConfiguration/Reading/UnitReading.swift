internal import TokenFormats

/// Which units may fetch which credentials: a unit and id must lead to one credential.
final class UnitClaims {
    /// By id.
    private var claims: [String: [(grant: UnitGrant, credential: String)]] = [:]

    /// Records a mistake when another credential claims the same unit and id.
    func add(_ grant: UnitGrant, of credential: String, at field: FieldReader) {
        if let other = claims[grant.id]?.first(where: { $0.grant.unit.overlaps(grant.unit) }) {
            let both =
                other.credential == credential
                ? "is given to \"\(credential)\" twice"
                : "answers for \"\(credential)\" and for \"\(other.credential)\""
            field.mistake(
                "\(grant.unit.text) with the id \"\(grant.id)\" \(both)",
                "give each an \"id\" of its own")
        }
        claims[grant.id, default: []].append((grant, credential))
    }
}

extension CredentialReading {
    func readUnits(_ field: FieldReader?) -> [UnitGrant] {
        (field?.array() ?? []).compactMap { entry in
            guard let grant = readUnit(entry) else { return nil }
            claims.add(grant, of: name, at: entry)
            return grant
        }
    }

    /// A unit's name alone, or an object with more settings.
    private func readUnit(_ field: FieldReader) -> UnitGrant? {
        if field.node.text != nil {
            return field.unitPattern().flatMap { checked(UnitGrant(unit: $0, id: name), field) }
        }
        guard field.node.members != nil, let object = field.object() else {
            return field.wrongType("a unit's name, or {\"unit\": \"backup.service\", \"id\": …}")
        }
        let unit = object.require("unit", "\"backup.service\"")?.unitPattern()
        let id = object.take("id").map { $0.credentialID() } ?? name
        var grant = unit.flatMap { unit in id.map { UnitGrant(unit: unit, id: $0) } }
        let format = object.take("format")?.choice(
            OutputSpecification.Format.named.map { ($0.name, $0.format) })
        grant?.format = format ?? .raw
        let minimumLife = object.take("min_ttl")?.duration()
        grant?.minimumLife = minimumLife ?? .seconds(60)
        let timeout = object.take("timeout")?.unitTimeout()
        grant?.timeout = timeout ?? .seconds(30)
        object.finish()
        return grant.flatMap { checked($0, field) }
    }

    /// systemd puts both names into one socket address and fails when they do not fit.
    private func checked(_ grant: UnitGrant, _ field: FieldReader) -> UnitGrant? {
        let length = grant.unit.text.utf8.count + grant.id.utf8.count
        guard length > UnitCredential.maximumNames else { return grant }
        field.mistake(
            "unit and id have \(length) bytes; systemd has room for \(UnitCredential.maximumNames)",
            "choose a shorter \"id\"")
        return nil
    }
}

extension FieldReader {
    func unitPattern() -> UnitPattern? {
        guard let text = nonEmptyString("\"backup.service\"") else { return nil }
        if let pattern = UnitPattern(text) { return pattern }
        mistake("is not a unit that starts programs", "write \(remedy(forUnit: text))")
        return nil
    }

    private func remedy(forUnit text: String) -> String {
        if !text.contains("."), UnitPattern(text + ".service") != nil {
            return "\"\(text).service\""
        }
        for type in UnitPattern.types where text.hasSuffix("@.\(type)") {
            return "\"\(text.dropLast(type.utf8.count + 1))*.\(type)\" for all instances"
        }
        return "\"backup.service\", or \"report@*.service\" for all instances of a template"
    }

    /// Bounds the wait, so that a missing token does not block a unit's start for long.
    fileprivate func unitTimeout() -> Duration? {
        guard let time = duration() else { return nil }
        guard time <= .seconds(300) else {
            mistake("is longer than 5m", "write such as \"30s\"")
            return nil
        }
        return time
    }

    fileprivate func credentialID() -> String? {
        guard let text = nonEmptyString("\"token\"") else { return nil }
        guard UnitCredential.isID(text) else {
            mistake(
                "is not a credential name (systemd.exec(5))",
                "write the name before the colon in LoadCredential=, such as \"token\"")
            return nil
        }
        return text
    }
}
