/// Reads answers by a profile.
public struct AnswerReader: Sendable {
    /// Longest token that is kept, in bytes.
    public static let maximumTokenLength = 12 * 1024
    /// Taken when nothing says how long a token lives: short, so that a wrong guess costs little.
    static let shortDefaultLifetime: Duration = .seconds(300)
    /// Longest lifetime believed.
    static let maximumLifetime: Duration = .days(3660)

    let exchange: TokenExchange
    let rules: [ErrorRule]
    /// How many of the rules are the profile's own.
    let ownRules: Int
    /// What earlier steps of the same exchange gave.
    let steps: [StepResult]

    /// Whether a refusal may mean that the refresh token is dead.
    var spendsGrant: Bool { exchange.spendsGrant }

    /// - Parameters:
    ///   - step: Which of the profile's steps was answered.
    ///   - steps: What the steps before it gave.
    public init(
        profile: ProviderProfile, kind: ExchangeKind, step: String = "", steps: [StepResult] = []
    ) {
        exchange = profile.exchange(kind, step: step)
        rules = profile.errors + ErrorRule.builtIn
        ownRules = profile.errors.count
        self.steps = steps
    }

    /// - Parameter sentAt: The wall clock when the request was sent. An absolute expiry is measured
    ///   against the answer's own `Date`, so that a wrong clock here does no harm (I22).
    public func read(_ raw: RawAnswer, sentAt: WallTime) -> AnswerReading {
        let answer = ReadableAnswer(raw, response: exchange.response, steps: steps)
        guard isSuccess(answer) else {
            // A refusal that was cut says nothing for sure, least of all that a token is dead.
            if raw.isTruncated {
                return withoutToken(answer, isEmpty: true, refreshToken: nil)
            }
            return AnswerReading(result: .failure(refusal(answer)), refreshToken: nil, notes: [])
        }
        let response = exchange.response
        let refreshToken = response.refreshToken.flatMap {
            keepableToken(answer.select($0, root: response.root))
        }
        let token =
            response.accessToken.flatMap { answer.select($0, root: response.root)?.text } ?? ""
        // A step may give something else than a token.
        let isTokenless = response.accessToken == nil && answer.body.node != nil
        guard isUsableToken(token) || isTokenless else {
            return withoutToken(answer, isEmpty: token.isEmpty, refreshToken: refreshToken)
        }
        let clock = date(of: answer) ?? sentAt
        let expiry = ExpiryReading(answer: answer, root: response.root, now: clock)
        var notes: [AnswerNote] = []
        guard let lifetime = lifetime(expiry, token: token, clock: clock, notes: &notes) else {
            let refusal = Refusal(
                .transient, httpStatus: raw.status, problem: "the new token has no time to live")
            return AnswerReading(
                result: .failure(refusal), refreshToken: refreshToken, notes: notes)
        }
        var granted = TokenAnswer(
            accessToken: Secret(token), tokenType: text(response.tokenType, answer),
            scope: text(response.scope, answer), lifetime: lifetime,
            refreshLifetime: expiry.first(of: response.refreshExpires)?.lifetime,
            keep: response.keep.compactMap { kept in
                answer.select(kept.selector, root: response.root)
                    .flatMap { $0.isPrintable ? JSONMember(kept.name, $0) : nil }
            },
            pointed: exchange.laterPointers.compactMap { pointer in
                answer.body.node.flatMap(pointer.resolve)
                    .map { JSONMember(pointer.text, $0) }
            })
        granted.date = date(of: answer)
        return AnswerReading(
            result: .success(granted), refreshToken: refreshToken, notes: notes)
    }

    private func text(_ selector: ResponseSelector?, _ answer: ReadableAnswer) -> String? {
        selector.flatMap { answer.select($0, root: exchange.response.root)?.text }
            .flatMap { $0.isPrintableASCII ? $0 : nil }
    }

    /// The profile's conditions, and a 2xx status unless they speak of the status themselves.
    private func isSuccess(_ answer: ReadableAnswer) -> Bool {
        let conditions = exchange.response.success
        let saysStatus = conditions.contains { $0.status != nil }
        guard saysStatus || 200...299 ~= answer.raw.status else { return false }
        // An unreadable body at a success status may have granted something: see `withoutToken`.
        guard case .parsed(let body) = answer.body else { return answer.raw.status / 100 == 2 }
        if !conditions.isEmpty { return conditions.allSatisfy(answer.holds) }
        guard let error = body["error"], !error.isNull else { return true }
        return error.text?.isEmpty == true
    }

    /// Success by every condition, and yet no token that can be published (rule 7).
    private func withoutToken(
        _ answer: ReadableAnswer, isEmpty: Bool, refreshToken: Secret?
    ) -> AnswerReading {
        let status = answer.raw.status
        // The profile's own rules know errors that look like success.
        if refreshToken == nil, !answer.raw.isTruncated, hasOwnRule(for: answer) {
            return AnswerReading(result: .failure(refusal(answer)), refreshToken: nil, notes: [])
        }
        if status / 100 == 2, answer.body.node == nil,
            let salvaged = salvagedRefreshToken(answer.raw.body)
        {
            let refusal = Refusal(
                .transient, httpStatus: status,
                problem: "the answer (\(status)) was cut; its refresh token was saved")
            return AnswerReading(
                result: .failure(refusal), refreshToken: salvaged, notes: [.refreshTokenSalvaged])
        }
        let problem =
            switch answer.body {
            case _ where answer.raw.isTruncated: "the answer (\(status)) was cut"
            case .parsed where isEmpty: "the answer (\(status)) holds no access token"
            case .parsed: "the access token holds bytes that no token may hold"
            case .empty: "the answer (\(status)) is empty"
            case .unreadable: "the answer (\(status)) cannot be read as a token answer"
            }
        // With a new refresh token in hand nothing is in doubt; without one the old may be spent.
        let isAmbiguous = refreshToken == nil && spendsGrant
        return AnswerReading(
            result: .failure(
                Refusal(
                    isAmbiguous ? .ambiguous : .transient, httpStatus: status, problem: problem)),
            refreshToken: refreshToken, notes: [])
    }

    private func date(of answer: ReadableAnswer) -> WallTime? {
        answer.raw.header("Date").flatMap(CivilTime.epochSeconds(httpDate:))
            .map { WallTime(epochSeconds: $0) }
    }

    /// `nil` only where the profile says that a lifetime of zero is an error.
    private func lifetime(
        _ expiry: ExpiryReading, token: String, clock: WallTime, notes: inout [AnswerNote]
    ) -> TokenLifetime? {
        let response = exchange.response
        if let found = expiry.first(of: response.expires) {
            if let difference = expiry.disagreement(of: response.expires) {
                notes.append(.expiryDisagrees(by: difference))
            }
            if found.isZero {
                switch response.zeroLifetime {
                case .never: return .never
                case .error: return nil
                case .unknown: break
                }
            } else {
                return .limited(min(found.lifetime, Self.maximumLifetime))
            }
        }
        if let lifetime = jwtLifetime(token, clock: clock) { return .limited(lifetime) }
        switch response.defaultLifetime {
        case .never: return .never
        case .duration(let duration): return .limited(duration)
        case nil:
            notes.append(.expiryAssumed(Self.shortDefaultLifetime))
            return .limited(Self.shortDefaultLifetime)
        }
    }
}

/// RFC 6749 appendix A.12: 1*VSCHAR, with the length bounded.
func isUsableToken(_ token: String) -> Bool {
    1...AnswerReader.maximumTokenLength ~= token.utf8.count && token.isPrintableASCII
}

/// A refresh token worth keeping: any text, however odd its bytes (I19).
func keepableToken(_ node: JSONNode?) -> Secret? {
    // Too long for its slot is no reason to forget it: the next attempt says so before it sends.
    guard let text = node?.text, 1...SlotLayout.maximumBody ~= text.utf8.count,
        !text.unicodeScalars.contains("\u{FFFD}")
    else { return nil }
    return Secret(text)
}

/// By the `exp` claim of a JWT (RFC 7519 section 4.1.4).
private func jwtLifetime(_ token: String, clock: WallTime) -> Duration? {
    // A NumericDate may have a fraction (RFC 7519 section 2).
    guard case .number(let literal)? = jwtClaims(of: token)?["exp"]?.kind,
        let expiry = Double(literal), expiry > 0, expiry < 1e12
    else { return nil }
    let lifetime = clock.duration(to: WallTime(epochSeconds: Int64(expiry)))
    return lifetime > .zero ? min(lifetime, AnswerReader.maximumLifetime) : nil
}

extension AnswerReader {
    /// A complete `"refresh_token": "…"` of a body that is no whole JSON (durability.md section 3).
    private func salvagedRefreshToken(_ body: [UInt8]) -> Secret? {
        let names = (exchange.response.refreshToken?.parts ?? []).compactMap { part in
            if case .pointer(let pointer) = part { pointer.tokens.last } else { nil }
        }
        for name in names {
            if let found = salvaged(name, in: body) { return found }
        }
        return nil
    }

    private func salvaged(_ name: String, in body: [UInt8]) -> Secret? {
        let marker = Array("\"\(name)\"".utf8)
        let bytes = body
        for start in bytes.indices where bytes[start...].starts(with: marker) {
            var at = start + marker.count
            while at < bytes.count, [0x20, 0x09, 0x0A, 0x0D, 0x3A].contains(bytes[at]) { at += 1 }
            guard at < bytes.count, bytes[at] == 0x22 else { continue }
            var end = at + 1
            while end < bytes.count, bytes[end] != 0x22 {
                end += bytes[end] == 0x5C ? 2 : 1
            }
            guard end < bytes.count, let value = try? JSONReader.read(Array(bytes[at...end])) else {
                continue
            }
            return keepableToken(value)
        }
        return nil
    }
}

extension JSONNode {
    /// Texts with control characters could end a line of an output that a template makes of them.
    fileprivate var isPrintable: Bool {
        text?.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F } ?? true
    }
}
