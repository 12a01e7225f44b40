extension ImportedTokens {
    /// Reads what a person brings: a token answer as RFC 6749 section 5.1 spells it, with
    /// `expires_in` or `expires_at` (epoch seconds).
    ///
    /// - Throws: ``RequestError`` saying what to give; quotes nothing of the input.
    public static func read(
        _ body: [UInt8], now: WallTime
    ) throws(RequestError) -> ImportedTokens {
        let node: JSONNode
        do { node = try JSONReader.read(body) } catch {
            throw RequestError(
                problem: "this is no JSON: \(error.problem)",
                remedy: "give an object with refresh_token, access_token or both")
        }
        let known: Set<ByteText> = [
            "refresh_token", "access_token", "token_type", "scope", "expires_in", "expires_at",
        ]
        guard let members = node.members else {
            throw RequestError(
                problem: "this is \(node.typeName)",
                remedy: "give an object with refresh_token, access_token or both")
        }
        var tokens = ImportedTokens()
        for member in members where known.contains(ByteText(member.key)) && !member.value.isNull {
            try tokens.take(member, now: now)
        }
        guard tokens.refreshToken != nil || tokens.accessToken != nil else {
            throw RequestError(
                problem: "there is neither refresh_token nor access_token",
                remedy: "give one of them or both")
        }
        if tokens.accessToken != nil, tokens.lifetime == nil {
            // Nothing says how long it lives: it is used, and renewed soon.
            tokens.lifetime = AnswerReader.shortDefaultLifetime
        }
        return tokens
    }

    private mutating func take(_ member: JSONMember, now: WallTime) throws(RequestError) {
        let mistake = RequestError(
            problem: "\(member.key) is not usable", remedy: "give it as the provider did")
        switch member.key {
        case "refresh_token":
            guard let token = keepableToken(member.value) else { throw mistake }
            refreshToken = token
        case "access_token":
            guard let token = member.value.text, isUsableToken(token) else { throw mistake }
            accessToken = Secret(token)
        case "token_type": tokenType = try Self.printable(member)
        case "scope": scope = try Self.printable(member)
        default:
            guard let number = member.value.canonicalText.flatMap(Double.init), number > 0,
                number < 1e11
            else { throw mistake }
            let seconds =
                member.key == "expires_in" ? number : number - now.sinceEpoch.secondsAsDouble
            guard seconds > 0 else {
                throw RequestError(
                    problem: "the access token has already expired",
                    remedy: "give the refresh token alone")
            }
            lifetime = min(.milliseconds(Int64(seconds * 1000)), AnswerReader.maximumLifetime)
        }
    }

    /// What a response may say there too: it goes into token files.
    private static func printable(_ member: JSONMember) throws(RequestError) -> String? {
        guard let text = member.value.text else { return nil }
        guard text.isPrintableASCII else {
            throw RequestError(
                problem: "\(member.key) holds what is not printable ASCII",
                remedy: "give it as the provider did, or leave it out")
        }
        return text
    }
}
