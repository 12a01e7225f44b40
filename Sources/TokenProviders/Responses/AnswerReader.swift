package import TokenFormats

/// Reads token responses by a profile.
package struct AnswerReader: Sendable {
    /// Longest token that is kept, in bytes.
    package static let maximumTokenLength = 16 * 1024
    /// Used when the response gives no lifetime: short, so that a wrong guess costs little.
    package static let shortDefaultLifetime: Duration = .seconds(300)
    /// Longer lifetimes are not believed.
    package static let maximumLifetime: Duration = .days(3660)

    let exchange: TokenExchange
    let rules: [ErrorRule]
    /// How many of the rules belong to the profile itself.
    let ownRules: Int
    /// Results of earlier steps of the same exchange.
    let steps: [StepResult]
    /// The access token is its own refresh token, so both may be the same text.
    let isOwnRefreshToken: Bool
    /// Whether a code was exchanged: an error then says nothing about a refresh token.
    let isOfSignIn: Bool
    /// Filters free text of an error response.
    package var filter = PeerFilter.closed
    /// Scheme, host and port of the request, for display; empty when unknown.
    package var origin = ""
    /// The path of the request; `nil` when unknown.
    package var requestPath: String?

    /// Whether an error may mean that the refresh token has become invalid.
    var spendsGrant: Bool { exchange.spendsGrant }

    /// - Parameters:
    ///   - profile: The description of the provider.
    ///   - kind: The exchange that this response belongs to.
    ///   - step: The profile's step that this response belongs to.
    ///   - steps: Results of the earlier steps.
    package init(
        profile: ProviderProfile, kind: ExchangeKind, step: String = "", steps: [StepResult] = []
    ) {
        exchange = profile.exchange(kind, step: step)
        rules = profile.errors + ErrorRule.builtIn
        ownRules = profile.errors.count
        self.steps = steps
        isOfSignIn = kind.isSignIn
        isOwnRefreshToken = profile.lifecycle.refreshToken == .accessToken
    }

    /// - Parameters:
    ///   - raw: The response as it came.
    ///   - sentAt: The wall clock when the request was sent. An absolute expiry is measured against
    ///     the answer's own `Date`, so that a wrong clock here does no harm (I22).
    package func read(_ raw: RawAnswer, sentAt: WallTime) -> AnswerReading {
        let answer = ReadableAnswer(raw, response: exchange.response, steps: steps)
        guard isSuccess(answer) else {
            // A truncated error proves nothing, least of all that a token is invalid.
            if raw.isTruncated {
                return withoutToken(answer, isEmpty: true, refreshToken: nil)
            }
            var reading = AnswerReading(
                result: .failure(refusal(answer)), refreshToken: nil, notes: [])
            reading.offeredRefreshToken = offeredRefreshToken(answer)
            return reading
        }
        let response = exchange.response
        let refreshToken = response.refreshToken.flatMap {
            keepableToken(answer.select($0, root: response.root))
        }
        let token =
            response.accessToken.flatMap { answer.select($0, root: response.root)?.text } ?? ""
        // A step may return something other than a token.
        let isTokenless = response.accessToken == nil && answer.body.node != nil
        guard isUsable(token, of: answer) || isTokenless else {
            return withoutToken(answer, isEmpty: token.isEmpty, refreshToken: refreshToken)
        }
        var notes = answer.forgiven.map(AnswerNote.forgiven)
        let ends = TokenEnds(
            answer: answer, response: response, date: answer.date, sentAt: sentAt)
        let others = replacedRefreshTokens(answer, by: refreshToken)
        let end = ends.accessToken(token, notes: &notes)
        guard let lifetime = end.flatMap(TokenLifetime.init) else {
            var reading = AnswerReading(
                result: .failure(ended(end, answer)), refreshToken: refreshToken,
                notes: notes)
            (reading.endedToken, reading.otherRefreshTokens) = (Secret(token), others)
            return reading
        }
        var granted = TokenAnswer(
            accessToken: Secret(token), tokenType: text(response.tokenType, answer),
            scope: text(response.scope, answer), lifetime: lifetime,
            refreshLifetime: ends.refreshToken(),
            keep: response.keep.compactMap { kept in
                answer.select(kept.selector, root: response.root)
                    .flatMap { $0.isPrintable ? JSONMember(kept.name, $0) : nil }
            },
            pointed: exchange.laterPointers.compactMap { pointer in
                answer.body.node.flatMap(pointer.resolve)
                    .map { JSONMember(pointer.text, $0) }
            })
        granted.date = answer.date
        var reading = AnswerReading(
            result: .success(granted), refreshToken: refreshToken, notes: notes)
        reading.otherRefreshTokens = others
        reading.tellsRotation = refreshToken != nil || tellsRotation(answer)
        return reading
    }

    private func tellsRotation(_ answer: ReadableAnswer) -> Bool {
        guard !answer.forgiven.contains(.endsEarly), !answer.raw.isTruncated else { return false }
        guard let selector = exchange.response.refreshToken,
            let node = answer.select(selector, root: exchange.response.root)
        else { return true }
        return node.isNull || node.text?.isEmpty == true
    }

    /// A well-formed response may contain any token that a header can carry; a token found in a
    /// malformed response must have the syntax of RFC 6750 section 2.1.
    private func isUsable(_ token: String, of answer: ReadableAnswer) -> Bool {
        isUsableToken(token)
            && (!answer.forgiven.contains(where: \.isGuess) || token.isBase64Token)
    }

    private func ended(_ end: TokenEnds.End?, _ answer: ReadableAnswer) -> Refusal {
        Refusal(
            .transient, Cause(end == nil ? .tokenWithoutLife : .tokenEnded, facts(of: answer)),
            httpStatus: answer.raw.status)
    }

    private func text(_ selector: ResponseSelector?, _ answer: ReadableAnswer) -> String? {
        selector.flatMap { answer.select($0, root: exchange.response.root)?.text }
            .flatMap { $0.isPrintableASCII ? $0 : nil }
    }

    /// Checks the profile's conditions, and for a 2xx status unless a condition checks the status
    /// itself.
    private func isSuccess(_ answer: ReadableAnswer) -> Bool {
        let conditions = exchange.response.success
        let saysStatus = conditions.contains { $0.status != nil }
        guard saysStatus || 200...299 ~= answer.raw.status else { return false }
        // An unreadable body with a success status may have granted a token: see `withoutToken`.
        guard case .parsed(let body) = answer.body else { return answer.raw.status / 100 == 2 }
        if !conditions.isEmpty { return conditions.allSatisfy(answer.holds) }
        return Self.saysNoError(body["error"]) && !hasOwnRule(for: answer, byBody: true)
    }

    /// Some servers send an error member in every response, with a value that means "no error".
    private static func saysNoError(_ error: JSONNode?) -> Bool {
        guard let error else { return true }
        switch error.kind {
        case .null, .bool(false): return true
        case .bool(true): return false
        case .number(let literal): return Double(literal) == 0
        case .array(let elements): return elements.isEmpty
        case .object(let members): return members.isEmpty
        case .string(let text):
            let word = String(text.trimmedOfSpace).asciiLowercased
            return ["", "0", "false", "none", "null", "ok", "success"].containsText(word)
        }
    }

    /// Success by every condition, but no token that can be published (ProfileRules 7).
    private func withoutToken(
        _ answer: ReadableAnswer, isEmpty: Bool, refreshToken: Secret?
    ) -> AnswerReading {
        let status = answer.raw.status
        // The profile's own rules recognise errors that look like success.
        if refreshToken == nil, !answer.raw.isTruncated, hasOwnRule(for: answer) {
            return AnswerReading(result: .failure(refusal(answer)), refreshToken: nil, notes: [])
        }
        let found = salvaged(answer)
        if refreshToken == nil, status / 100 == 2, let last = found.last {
            let what = answer.tolerant?.problem
            var facts = facts(of: answer)
            facts.detail = what?.rawValue
            facts.advice = "its refresh token was saved"
            let isCut = answer.raw.isTruncated || what == nil
            var reading = AnswerReading(
                result: .failure(
                    Refusal(
                        .transient, Cause(isCut ? .answerCut : .answerUnreadable, facts),
                        httpStatus: status)),
                refreshToken: last, notes: [.refreshTokenSalvaged])
            reading.otherRefreshTokens = found.dropLast().filter { $0 != last }
            return reading
        }
        // With a new refresh token nothing is in doubt; without one the sent token may be spent.
        let isAmbiguous = refreshToken == nil && spendsGrant
        return AnswerReading(
            result: .failure(
                Refusal(
                    isAmbiguous ? .ambiguous : .transient,
                    tokenless(answer, isEmpty: isEmpty), httpStatus: status)),
            refreshToken: refreshToken, notes: [])
    }

    /// Why a response that should contain a token has none.
    private func tokenless(_ answer: ReadableAnswer, isEmpty: Bool) -> Cause {
        var facts = facts(of: answer)
        if answer.raw.isTruncated { return Cause(.answerCut, facts) }
        switch answer.body {
        case .parsed where isEmpty: return Cause(.answerWithoutToken, facts)
        case .parsed:
            facts.detail = tokenProblem(answer)
            return Cause(.tokenUnusable, facts)
        case .empty: return Cause(.answerEmpty, facts)
        case .unreadable where isPage(answer): return Cause(.answerIsPage, facts)
        case .unreadable:
            let problem = answer.tolerant?.problem
            if facts.contentType != nil, problem == nil || problem == .noTokenText {
                return Cause(.answerOfOtherType, facts)
            }
            facts.detail = problem?.rawValue ?? "cannot be read as a token answer"
            return Cause(.answerUnreadable, facts)
        }
    }

    private func tokenProblem(_ answer: ReadableAnswer) -> String {
        let response = exchange.response
        let token = response.accessToken.flatMap { answer.select($0, root: response.root)?.text }
        return (token?.utf8.count ?? 0) > Self.maximumTokenLength
            ? "is longer than \(Self.maximumTokenLength) bytes, the longest taken"
            : "holds bytes that no token may hold"
    }
}

extension TokenLifetime {
    /// `nil` for a token that has already expired.
    fileprivate init?(_ end: TokenEnds.End) {
        switch end {
        case .never: self = .never
        case .ended: return nil
        case .after(let duration): self = .limited(duration)
        }
    }
}

/// RFC 6749 appendix A.12: 1*VSCHAR, with the length bounded.
package func isUsableToken(_ token: String) -> Bool {
    1...AnswerReader.maximumTokenLength ~= token.utf8.count && token.isPrintableASCII
}

/// A refresh token worth keeping: any text, however odd its bytes (I19).
package func keepableToken(_ node: JSONNode?) -> Secret? {
    // A token that is too long for its slot is kept: the next attempt reports it before it sends.
    guard let text = node?.text, 1...RawAnswer.maximumStoredBody ~= text.utf8.count,
        !text.unicodeScalars.contains("\u{FFFD}")
    else { return nil }
    return Secret(text)
}

extension JSONNode {
    /// A control character could end a line of an output that a template builds from the text.
    fileprivate var isPrintable: Bool {
        text?.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F } ?? true
    }
}
