package import TokenFormats

/// A response with its body parsed: the input of selectors and conditions.
struct ReadableResponse {
    let raw: RawResponse
    private(set) var body: ResponseBody
    /// The lenient reading of a malformed body; `nil` for a well-formed one.
    private(set) var tolerant: TolerantBody?
    /// The token whose claims a `jwt_claim` reads when it names none.
    let accessToken: ResponseSelector?
    /// Results of earlier steps.
    let steps: [StepResult]

    init(_ raw: RawResponse, response: ResponseSpecification, steps: [StepResult]) {
        (self.raw, self.steps, accessToken) = (raw, steps, response.accessToken)
        body = ResponseBody(raw, format: response.format)
        let hasToken = { [self] (node: JSONNode) in
            guard let accessToken = response.accessToken else { return node.members != nil }
            return self.on(node).select(accessToken, root: response.root)?.text?.isEmpty == false
        }
        switch body {
        case .empty: return
        // What the strict reader accepts needs no lenient reading.
        case .parsed(let node) where node.text == nil && isJSON(raw.body): return
        case .parsed(let node) where hasToken(node): return
        case .parsed, .unreadable: break
        }
        let tolerant = TolerantBody(raw, format: response.format, hasToken: hasToken)
        self.tolerant = tolerant
        if let node = tolerant.node { body = .parsed(node) }
    }

    private func isJSON(_ bytes: [UInt8]) -> Bool {
        ResponseBody.json(bytes).map { $0.text == nil } ?? false
    }

    /// The same response with another body.
    func on(_ node: JSONNode) -> ReadableResponse {
        var other = self
        other.body = .parsed(node)
        return other
    }

    /// The server's clock.
    var date: WallTime? { raw.date }

    /// Which violations were tolerated to find its tokens.
    var forgiven: [Forgiveness] { tolerant?.node == nil ? [] : tolerant?.forgiven ?? [] }

    /// - Parameter root: Where pointers start; error rules look at the whole body.
    func select(_ selector: ResponseSelector, root: JSONPointer? = nil) -> JSONNode? {
        switch selector {
        case .pointer(let pointer):
            guard let start = start(root) else { return nil }
            return pointer.resolve(in: start)
        case .firstOf(let parts):
            for part in parts {
                if let found = select(part, root: root) { return found }
            }
            return nil
        case .header(let name, let pattern):
            // A header may occur several times, such as Set-Cookie (RFC 6265 section 3): the first
            // one that matches the pattern is used.
            for value in raw.headers(name) {
                guard let pattern else { return .string(value) }
                if let found = pattern.firstMatch(in: value) { return .string(found) }
            }
            return nil
        case .matching(let pointer, let pattern):
            guard let start = start(root),
                let text = pointer.resolve(in: start)?.canonicalText
            else { return nil }
            return pattern.firstMatch(in: text).map { .string($0) }
        case .value(let template):
            var context = TemplateContext(nonce: .placeholder)
            context.set(steps, of: [])
            return template.value(in: context)
        case .step(let id, let pointer):
            return steps.first { $0.id == id }?.pointed
                .first { $0.key.hasSameBytes(as: pointer.text) }?.value
        case .jwtClaim(let claim, let of):
            // A claim inside a claim would need a token inside a token, which does not occur.
            guard let token = of ?? accessToken, token.parts.allSatisfy({ !$0.isJWTClaim }),
                let text = select(token, root: root)?.text
            else { return nil }
            return jwtClaims(of: text).flatMap(claim.resolve)
        }
    }

    private func start(_ root: JSONPointer?) -> JSONNode? {
        guard let node = body.node, let root else { return body.node }
        return root.resolve(in: node)
    }

    /// A path that does not resolve makes a condition false, `not_in` too; `exists: false` is then
    /// true (ProfileRules 1).
    func holds(_ condition: ResponseCondition) -> Bool {
        if let status = condition.status {
            let matches = status.contains { wanted in
                switch wanted {
                case .exactly(let code): raw.status == code
                case .hundred(let hundred): raw.status / 100 == hundred
                }
            }
            if !matches { return false }
        }
        guard let path = condition.path else { return true }
        let value = select(path)
        if let exists = condition.exists, exists != (value != nil) { return false }
        let tested = condition.isIn != nil || condition.notIn != nil || condition.matches != nil
        guard tested else { return true }
        guard let text = value?.conditionText else { return false }
        if let isIn = condition.isIn, !isIn.containsText(text) { return false }
        if let notIn = condition.notIn, notIn.containsText(text) { return false }
        if let pattern = condition.matches, !pattern.matches(text) { return false }
        return true
    }
}

extension ResponseSelector {
    fileprivate var isJWTClaim: Bool {
        if case .jwtClaim = self { true } else { false }
    }
}

/// The claims of a JWT (RFC 7519 section 4), not verified: they only schedule.
package func jwtClaims(of token: String) -> JSONNode? {
    let parts = token.utf8.split(
        separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    guard parts.count == 3, let payload = bytes(base64URL: Substring(parts[1])) else {
        return nil
    }
    return try? JSONReader.read(payload)
}

extension RequestNonce {
    /// For inspecting a request that is never sent.
    package static let placeholder = RequestNonce(
        uuid: "00000000-0000-4000-8000-000000000000",
        random: String(repeating: "0", count: 64), now: WallTime(epochSeconds: 0))
}
