/// The requests of the last while, against what a provider allows (`rate_limit`).
///
/// Counted from when each was sent: never more than the limit in any period.
struct RateWindow: Sendable {
    let limit: RateLimit
    private var sent: [Uptime] = []
    /// Of `sent`, the oldest that still counts.
    private var oldest = 0

    init(_ limit: RateLimit) { self.limit = limit }

    /// When the next request may go; now or earlier if there is room.
    mutating func freeAt(_ now: Uptime) -> Uptime {
        while oldest < sent.count, sent[oldest].advanced(by: limit.period) <= now { oldest += 1 }
        if oldest > 1024 {
            sent.removeFirst(oldest)
            oldest = 0
        }
        guard sent.count - oldest >= limit.count else { return now }
        return sent[sent.count - limit.count].advanced(by: limit.period)
    }

    mutating func note(_ now: Uptime) { sent.append(now) }
}

extension CredentialConfiguration {
    /// Which requests count together; `nil` without a limit.
    ///
    /// `client`: those of one provider and one client id. `account`: all of one provider, for
    /// nothing here tells one account from another. `refresh_token`: the credential's own.
    var rateLimitGroup: String? {
        guard profile.lifecycle.rateLimit != nil else { return nil }
        switch profile.lifecycle.rateLimitKey {
        case .refreshToken: return "token \(name)"
        case .account: return "account \(profile.name)"
        case .client: return "client \(profile.name) \(clientID.map(Self.place) ?? "")"
        }
    }

    /// Where a client id comes from; the id itself where it is spelled out.
    private static func place(_ source: SecretSource) -> String {
        switch source {
        case .inline(let text): "inline \(text.reveal())"
        case .file(let path): "file \(path)"
        case .credential(let name): "credential \(name)"
        case .environment(let name): "env \(name)"
        case .command(let words): "command \(words.joined(separator: "\0"))"
        }
    }
}
