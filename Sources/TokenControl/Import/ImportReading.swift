package import TokenFormats
internal import TokenProviders
package import TokenSlots

/// The input of an import: a token response in the form of RFC 6749 section 5.1, or what other
/// programs store of one: x/oauth2 and rclone, requests-oauthlib, google-auth, oidc-agent.
package struct ImportReading: Sendable, Equatable {
    /// The tokens to adopt.
    package var tokens = ImportedTokens()
    /// What was ignored or corrected, for the user. Quotes no value.
    package private(set) var notes: [String] = []

    /// - Parameters:
    ///   - body: The text of the import.
    ///   - section: Selects one of several tokens of an rclone configuration.
    ///   - now: The present time, for expiry times.
    /// - Throws: ``RequestError`` that says what to provide; it quotes no value of the input.
    package init(
        _ body: [UInt8], section: String? = nil, now: WallTime
    ) throws(RequestError) {
        let document = try ImportedDocument(body, section: section)
        var reading = Members(now: now)
        for member in document.members where !member.value.isNull { try reading.take(member) }
        tokens = reading.tokens
        notes = document.notes + reading.notes
        guard tokens.refreshToken != nil || tokens.accessToken != nil else {
            throw RequestError(
                problem: "there is neither refresh_token nor access_token",
                remedy: "give one of them or both")
        }
        if tokens.accessToken != nil { try resolveExpiry(reading.ends, now: now) }
    }

    /// Uses the earliest expiry found. A lifetime counts from the time of issue, which may be long
    /// ago; an absolute time beside it is therefore never later.
    private mutating func resolveExpiry(_ ends: Ends, now: WallTime) throws(RequestError) {
        let times = ends.times.map { $0 - now.sinceEpoch.secondsAsDouble } + ends.lifetimes
        if let name = ends.unusable, times.isEmpty {
            throw RequestError(
                problem: "\(name) is not usable",
                remedy: "write expires_at in seconds since 1970, or as 2026-01-31T12:00:00Z")
        } else if let name = ends.unusable {
            notes.append("\(name) is not usable; another end is")
        }
        guard let left = times.min() else {
            // The token is used and renewed soon.
            tokens.lifetime = ResponseReader.shortDefaultLifetime
            notes.append(
                "nothing says when the access token ends: it is used for five minutes and then "
                    + "renewed")
            return
        }
        if left > 0 {
            tokens.lifetime = min(
                .milliseconds(Int64(min(left, 1e10) * 1000)), ResponseReader.maximumLifetime)
            return
        }
        guard tokens.refreshToken != nil else {
            throw RequestError(
                problem: "the access token has already expired",
                remedy: "give the refresh token alone")
        }
        tokens.accessToken = nil
        notes.append("the access token has expired: the refresh token alone is adopted")
    }
}

extension ImportedTokens {
    /// The tokens of an ``ImportReading``.
    package static func read(
        _ body: [UInt8], now: WallTime
    ) throws(RequestError) -> ImportedTokens { try ImportReading(body, now: now).tokens }

    /// The same tokens after a time: the access token lasts so much shorter.
    package func aged(by elapsed: Duration) -> ImportedTokens {
        var tokens = self
        tokens.lifetime = lifetime.map { max(.zero, $0 - max(.zero, elapsed)) }
        return tokens
    }

    /// The tokens in the form of RFC 6749, with `expires_at` in epoch seconds.
    package func json(now: WallTime) -> JSONNode {
        let end = lifetime.map { now.sinceEpoch.secondsAsDouble + $0.secondsAsDouble }
        return .object([
            ("refresh_token", refreshToken.map { .string($0.reveal()) }),
            ("access_token", accessToken.map { .string($0.reveal()) }),
            ("token_type", tokenType.map { .string($0) }), ("scope", scope.map { .string($0) }),
            ("expires_at", end.map { JSONNode(.number(String($0))) }),
        ])
    }
}

/// The expiry values of an access token that the document contains.
private struct Ends {
    /// Seconds since 1970.
    var times: [Double] = []
    /// Seconds after the time of issue.
    var lifetimes: [Double] = []
    /// The key of a value that is not a time.
    var unusable: String?
}

/// Sorts the members of a document by their meaning.
private struct Members {
    /// The meaning of a key in any of the supported programs.
    private enum Role { case refresh, access, type, scope, lifetime, end }

    private static let roles: [ByteText: Role] = [
        "refresh_token": .refresh, "refreshToken": .refresh,
        // google-auth names it `token`.
        "access_token": .access, "accessToken": .access, "token": .access,
        "token_type": .type, "tokenType": .type, "scope": .scope, "scopes": .scope,
        "expires_in": .lifetime, "expiresIn": .lifetime,
        "expires_at": .end, "expiresAt": .end, "expiry": .end, "expiry_date": .end,
        "expires_on": .end, "token_expiry": .end,
    ]

    let now: WallTime
    var tokens = ImportedTokens()
    var ends = Ends()
    private var passedOver: [String] = []

    init(now: WallTime) { self.now = now }

    /// What was ignored. A key is quoted only if it looks like one: a user may have pasted a token
    /// in the wrong place.
    var notes: [String] {
        var notes: [String] = []
        let isName = { (key: String) in
            key.utf8.count <= 32
                && key.utf8.allSatisfy { (0x61...0x7A).contains($0 | 0x20) || $0 == 0x5F }
        }
        let names = passedOver.filter(isName)
        let others = passedOver.count - names.count
        if !names.isEmpty { notes.append("not imported: \(names.joined(separator: ", "))") }
        if others > 0 { notes.append("not imported: \(others) of other names") }
        if names.containsText("client_id") {
            notes.append(
                "the credential's client_id must be the one that these tokens were given to")
        }
        return notes
    }

    mutating func take(_ member: JSONMember) throws(RequestError) {
        let mistake = RequestError(
            problem: "\(member.key) is not usable", remedy: "give it as the provider did")
        guard let role = Self.roles[ByteText(member.key)] else {
            passedOver.append(member.key)
            return
        }
        switch role {
        case .refresh:
            guard let token = storableToken(member.value) else { throw mistake }
            tokens.refreshToken = token
        case .access:
            guard let token = member.value.text, isUsableToken(token) else { throw mistake }
            let isPlain = member.key.hasSameBytes(as: "access_token")
            guard tokens.accessToken == nil || isPlain else { return }
            tokens.accessToken = Secret(token)
            takeEnd(ofJWT: token)
        case .type: tokens.tokenType = try printable(member)
        case .scope: tokens.scope = try printable(member)
        case .lifetime:
            if let seconds = number(member.value), seconds < 1e11 {
                ends.lifetimes.append(seconds)
            } else {
                ends.unusable = member.key
            }
        case .end: takeEnd(member)
        }
    }

    private mutating func takeEnd(_ member: JSONMember) {
        if let number = number(member.value) {
            guard number > 0, number < 1e14 else {
                ends.unusable = member.key
                return
            }
            // Below 1e11 seconds (the year 5138); larger numbers are milliseconds.
            ends.times.append(number < 1e11 ? number : number / 1000)
        } else if let time = member.value.text.flatMap(CivilTime.epochSeconds(looselyWritten:)) {
            // Go's zero time means unset.
            if time > CivilTime.epochSecondsOfYear2 { ends.times.append(Double(time)) }
        } else {
            ends.unusable = member.key
        }
    }

    /// RFC 9068 section 2.2.
    private mutating func takeEnd(ofJWT token: String) {
        guard let claim = jwtClaims(of: token)?["exp"], case .number(let literal) = claim.kind,
            let time = Double(literal), time > 1e9, time < 1e11
        else { return }
        ends.times.append(time)
    }

    /// A number, or a string that spells one.
    private func number(_ node: JSONNode) -> Double? {
        guard let text = node.canonicalText?.trimmedOfSpace, let number = Double(text),
            number.isFinite
        else { return nil }
        return number
    }

    /// Text that may go into token files, as from a response. A list becomes one text.
    private func printable(_ member: JSONMember) throws(RequestError) -> String? {
        let texts = member.value.elements?.compactMap(\.text)
        guard let text = member.value.text ?? texts?.joined(separator: " ") else { return nil }
        guard text.isPrintableASCII else {
            throw RequestError(
                problem: "\(member.key) holds what is not printable ASCII",
                remedy: "give it as the provider did, or leave it out")
        }
        return text.isEmpty ? nil : text
    }
}

extension CivilTime {
    fileprivate static let epochSecondsOfYear2: Int64 = -62_104_060_800

    /// RFC 3339, also without a zone (UTC, as google-auth writes) or with a four-digit zone.
    fileprivate static func epochSeconds(looselyWritten text: String) -> Int64? {
        let text = String(text.trimmedOfSpace)
        if let time = epochSeconds(rfc3339: text) ?? epochSeconds(rfc3339: text + "Z") {
            return time
        }
        let zone = text.utf8.suffix(5)
        guard zone.count == 5, zone.first == 0x2B || zone.first == 0x2D else { return nil }
        return epochSeconds(
            rfc3339: String(decoding: text.utf8.dropLast(2), as: UTF8.self) + ":"
                + String(decoding: zone.suffix(2), as: UTF8.self))
    }
}
