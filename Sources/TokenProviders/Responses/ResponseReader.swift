package import TokenFormats

/// Reads token responses by a profile.
package struct ResponseReader: Sendable {
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
    package func read(_ raw: RawResponse, sentAt: WallTime) -> ResponseOutcome {
        let response = ReadableResponse(raw, response: exchange.response, steps: steps)
        guard isSuccess(response) else {
            // A truncated error proves nothing, least of all that a token is invalid.
            if raw.isTruncated {
                return withoutToken(response, isEmpty: true, refreshToken: nil)
            }
            var reading = ResponseOutcome(
                result: .failure(refusal(response)), refreshToken: nil, notes: [])
            reading.offeredRefreshToken = offeredRefreshToken(response)
            return reading
        }
        let specification = exchange.response
        let refreshToken = specification.refreshToken.flatMap {
            storableToken(response.select($0, root: specification.root))
        }
        let token =
            specification.accessToken.flatMap {
                response.select($0, root: specification.root)?.text
            } ?? ""
        // A step may return something other than a token.
        let isTokenless = specification.accessToken == nil && response.body.node != nil
        guard isUsable(token, of: response) || isTokenless else {
            return withoutToken(response, isEmpty: token.isEmpty, refreshToken: refreshToken)
        }
        var notes = response.forgiven.map(ResponseNote.forgiven)
        let ends = TokenEnds(
            response: response, specification: specification, date: response.date,
            sentAt: sentAt)
        let others = replacedRefreshTokens(response, by: refreshToken)
        let end = ends.accessToken(token, notes: &notes)
        guard let lifetime = end.flatMap(TokenLifetime.init) else {
            var reading = ResponseOutcome(
                result: .failure(ended(end, response)), refreshToken: refreshToken,
                notes: notes)
            (reading.endedToken, reading.otherRefreshTokens) = (Secret(token), others)
            return reading
        }
        var granted = TokenResponse(
            accessToken: Secret(token), tokenType: text(specification.tokenType, response),
            scope: text(specification.scope, response), lifetime: lifetime,
            refreshLifetime: ends.refreshToken(),
            keep: specification.keep.compactMap { kept in
                response.select(kept.selector, root: specification.root)
                    .flatMap { $0.isPrintable ? JSONMember(kept.name, $0) : nil }
            },
            pointed: exchange.laterPointers.compactMap { pointer in
                response.body.node.flatMap(pointer.resolve)
                    .map { JSONMember(pointer.text, $0) }
            })
        granted.date = response.date
        var reading = ResponseOutcome(
            result: .success(granted), refreshToken: refreshToken, notes: notes)
        reading.otherRefreshTokens = others
        reading.tellsRotation = refreshToken != nil || tellsRotation(response)
        return reading
    }

    private func tellsRotation(_ response: ReadableResponse) -> Bool {
        guard !response.forgiven.contains(.endsEarly), !response.raw.isTruncated else {
            return false
        }
        guard let selector = exchange.response.refreshToken,
            let node = response.select(selector, root: exchange.response.root)
        else { return true }
        return node.isNull || node.text?.isEmpty == true
    }

    /// A well-formed response may contain any token that a header can carry; a token found in a
    /// malformed response must have the syntax of RFC 6750 section 2.1.
    private func isUsable(_ token: String, of response: ReadableResponse) -> Bool {
        isUsableToken(token)
            && (!response.forgiven.contains(where: \.isGuess) || token.isBase64Token)
    }

    private func ended(_ end: TokenEnds.End?, _ response: ReadableResponse) -> Refusal {
        Refusal(
            .transient, Cause(end == nil ? .tokenWithoutLife : .tokenEnded, facts(of: response)),
            httpStatus: response.raw.status)
    }

    private func text(_ selector: ResponseSelector?, _ response: ReadableResponse) -> String? {
        selector.flatMap { response.select($0, root: exchange.response.root)?.text }
            .flatMap { $0.isPrintableASCII ? $0 : nil }
    }

    /// Checks the profile's conditions, and for a 2xx status unless a condition checks the status
    /// itself.
    private func isSuccess(_ response: ReadableResponse) -> Bool {
        let conditions = exchange.response.success
        let saysStatus = conditions.contains { $0.status != nil }
        guard saysStatus || 200...299 ~= response.raw.status else { return false }
        // An unreadable body with a success status may have granted a token: see `withoutToken`.
        guard case .parsed(let body) = response.body else { return response.raw.status / 100 == 2 }
        if !conditions.isEmpty { return conditions.allSatisfy(response.holds) }
        return Self.saysNoError(body["error"]) && !hasOwnRule(for: response, byBody: true)
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
        _ response: ReadableResponse, isEmpty: Bool, refreshToken: Secret?
    ) -> ResponseOutcome {
        let status = response.raw.status
        // The profile's own rules recognise errors that look like success.
        if refreshToken == nil, !response.raw.isTruncated, hasOwnRule(for: response) {
            return ResponseOutcome(
                result: .failure(refusal(response)), refreshToken: nil, notes: [])
        }
        let found = salvaged(response)
        if refreshToken == nil, status / 100 == 2, let last = found.last {
            let what = response.tolerant?.problem
            var facts = facts(of: response)
            facts.detail = what?.rawValue
            facts.advice = "its refresh token was saved"
            let isCut = response.raw.isTruncated || what == nil
            var reading = ResponseOutcome(
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
        return ResponseOutcome(
            result: .failure(
                Refusal(
                    isAmbiguous ? .ambiguous : .transient,
                    tokenless(response, isEmpty: isEmpty), httpStatus: status)),
            refreshToken: refreshToken, notes: [])
    }

    /// Why a response that should contain a token has none.
    private func tokenless(_ response: ReadableResponse, isEmpty: Bool) -> Cause {
        var facts = facts(of: response)
        if response.raw.isTruncated { return Cause(.answerCut, facts) }
        switch response.body {
        case .parsed where isEmpty: return Cause(.answerWithoutToken, facts)
        case .parsed:
            facts.detail = tokenProblem(response)
            return Cause(.tokenUnusable, facts)
        case .empty: return Cause(.answerEmpty, facts)
        case .unreadable where isPage(response): return Cause(.answerIsPage, facts)
        case .unreadable:
            let problem = response.tolerant?.problem
            if facts.contentType != nil, problem == nil || problem == .noTokenText {
                return Cause(.answerOfOtherType, facts)
            }
            facts.detail = problem?.rawValue ?? "cannot be read as a token answer"
            return Cause(.answerUnreadable, facts)
        }
    }

    private func tokenProblem(_ response: ReadableResponse) -> String {
        let specification = exchange.response
        let token = specification.accessToken.flatMap {
            response.select($0, root: specification.root)?.text
        }
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
    1...ResponseReader.maximumTokenLength ~= token.utf8.count && token.isPrintableASCII
}

/// A refresh token worth keeping: any text, however odd its bytes (I19).
package func storableToken(_ node: JSONNode?) -> Secret? {
    // A token that is too long for its slot is kept: the next attempt reports it before it sends.
    guard let text = node?.text, 1...RawResponse.maximumStoredBody ~= text.utf8.count,
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
